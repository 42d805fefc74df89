import getpass
from collections.abc import Callable

import pytest
from sqlalchemy import text

from midflight.db import journal
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.line import own_line
from tests.cli.street import Outcome, Shop
from tests.db.schema.folders import add

Command = Callable[..., Outcome]


def test_expand_says_what_it_did_and_then_that_nothing_is_left(midflight: Command, shop: Shop) -> None:
    """`db sync` is the same command."""
    assert midflight("release", "freeze", "kilo").code == 0
    first = midflight("db", "expand")
    assert first.code == 0
    assert first.out.splitlines()[len(own_line().files.line) :] == [
        "done: revision 0001",
        "done: revision 0002",
        "the schema is expanded to kilo",
    ]
    again = midflight("db", "sync")
    assert (again.code, again.out) == (0, "nothing to do: the schema is that of kilo\n")


def test_a_finalized_data_migration_that_was_renamed(midflight: Command, shop: Shop) -> None:
    """It would begin anew with the old form: nothing is expanded, and its form is not written down."""
    assert midflight("release", "freeze", "kilo").code == 0
    assert midflight("db", "expand").code == 0
    engine = create(parse(f"sqlite:///{shop.folder}/shop.db"))
    with transaction(engine, writes=True) as connection:
        connection.execute(text("UPDATE mf_forms SET name = 'prices_move', form = 'new'"))
        connection.execute(text("INSERT INTO mf_floor (id, store_floor, sequence) VALUES (1, 'kilo', 1)"))
    refused = midflight("db", "expand")
    assert refused.err.startswith("error: data migration prices_become_cents: is of kilo, which is finalized, and")
    assert (refused.code, refused.out) == (64, "")
    with transaction(engine, writes=False) as connection:
        assert connection.scalars(text("SELECT name FROM mf_forms")).all() == ["prices_move"]
    engine.dispose()


def test_a_dry_run_prints_the_sql_and_does_nothing(midflight: Command, shop: Shop) -> None:
    """1 while something is to be done, as `db status` says it."""
    shown = midflight("db", "expand", "--dry-run")
    assert shown.code == 1
    assert "-- revision 0001\n" in shown.out
    assert "CREATE TABLE" in shown.out
    assert not (shop.folder / "shop.db").exists()
    assert midflight("db", "expand").code == 0
    after = midflight("db", "expand", "--dry-run", "--json")
    assert (after.code, after.document) == (0, {"revisions": []})


def test_status_says_what_is_to_be_expanded(midflight: Command, shop: Shop) -> None:
    """1 while something is, 0 when nothing is; it changes nothing."""
    before = midflight("db", "status")
    assert before.code == 1
    assert "expanded by: nobody yet\n" in before.out
    assert "to be expanded: " in before.out
    assert not (shop.folder / "shop.db").exists()
    assert midflight("db", "expand").code == 0
    after = midflight("db", "status", "--json")
    assert (after.code, after.document["pending"], after.document["missing"]) == (0, [], [])


def test_what_sqlite_cannot_forbid_is_told(midflight: Command, shop: Shop) -> None:
    """By the dry run and by who expands, so that nobody believes in a check that is not there."""
    lines = ['expand.add_check("ck_price", "items", "price <> \'\'")', 'expand.relax_column("items", "price")']
    add(shop.folder / "schema" / "expand", "0003", "0002", "\n    ".join(lines))
    said = [
        "items does not get ck_price, CHECK (price <> ''): SQLite cannot change what a table forbids",
        "items.price is as strict as before: SQLite cannot change what a table forbids",
    ]
    dry = midflight("db", "expand", "--dry-run").out.splitlines()
    assert [f"-- {each}" for each in said] == [line for line in dry if "SQLite" in line]
    done = midflight("db", "expand").out.splitlines()
    assert done[done.index("done: revision 0003") + 1 :][:2] == [f"  warn: {each}" for each in said]
    add(
        shop.folder / "schema" / "contract",
        "c1",
        None,
        'contract.set_not_null("items", "cents")',
        extra="depends_on = '0003'",
    )
    purged = midflight("db", "contract", "--purge", "--json")
    still = "items.cents may still be empty: SQLite cannot change what a table forbids"
    assert purged.document["remarks"] == {"c1": [still]}


def test_a_mistake_in_a_revision_is_named_and_nothing_is_kept(midflight: Command, shop: Shop) -> None:
    """The file, and what is wrong in it."""
    revision = shop.folder / "schema" / "expand" / "0002_cents.py"
    revision.write_text(revision.read_text().replace("sa.Column(", "sa.Colum("))
    outcome = midflight("db", "expand")
    assert outcome.code not in (0, 1, 2)
    assert outcome.err.count("\n") == 1
    assert "0002_cents.py" in outcome.err
    assert "Colum" in outcome.err


def test_what_goes_is_hidden_brought_back_and_dropped(midflight: Command, shop: Shop) -> None:
    """Each way says what it did; `db status` what stands against the next step; `db history` what was done."""
    assert midflight("db", "expand").code == 0
    folder = shop.folder / "schema" / "contract"
    folder.mkdir(exist_ok=True)
    lines = ["from datetime import timedelta", "from midflight import contract", "hold = timedelta(0)"]
    facts = ["revision = 'c1'", "down_revision = None", "depends_on = '0001'", "def upgrade():"]
    (folder / "c1.py").write_text("\n".join([*lines, *facts, "    contract.drop_table('leftovers')"]))
    engine = create(parse(f"sqlite:///{shop.folder}/shop.db"))
    with transaction(engine, writes=True) as connection:
        connection.execute(text("CREATE TABLE leftovers (id INTEGER)"))
        connection.execute(text("INSERT INTO mf_floor VALUES (1, 'kilo', 2)"))
    engine.dispose()
    assert "contract c1: waiting, takes away table leftovers" in midflight("db", "status").out
    shown = midflight("db", "contract", "--dry-run")
    assert (shown.code, "mf_held_leftovers" in shown.out) == (1, True)
    assert midflight("db", "contract", "--purge").code == 2
    assert midflight("db", "contract").out == "done: revision c1 is hidden\n"
    assert midflight("db", "contract", "--undo", "--json").document == {"done": ["c1"], "way": "undo", "remarks": {}}
    assert midflight("db", "contract", "--hold").code == 0
    assert midflight("db", "contract").out == "done: revision c1 is dropped\n"
    assert midflight("db", "contract").out == "nothing to do: nothing is to be dropped\n"
    assert midflight("db", "contract", "--hold", "--purge").code == 64
    whole = [entry["what"] for entry in midflight("db", "history", "--json").document]
    assert whole[-4:] == ["schema.held", "schema.brought_back", "schema.held", "schema.purged"]
    assert "revision c1, release unreleased, removes table leftovers" in midflight("db", "history").out


def test_a_pair_of_revisions_is_written(midflight: Command, shop: Shop) -> None:
    """With what the tables have and the revisions do not, or empty, for somebody to fill in."""
    none = midflight("db", "revision", "--autogenerate", "-m", "nothing new")
    assert (none.code, none.err.count("\n")) == (64, 1)
    assert "lead to these tables already" in none.err
    written = midflight("db", "revision", "-m", "by hand", "--json").document["written"]
    assert [path.rpartition("/schema/")[2] for path in written] == [
        "expand/0003_by_hand.py",
        "contract/0003c_by_hand.py",
    ]
    assert midflight("db", "expand").code == 0


def test_revisions_are_tried_out(midflight: Command, shop: Shop, postgresql_url: str) -> None:
    """What is found is told with whom it hits and what to write instead, and kept for the gate; 2 with an error."""
    fine = midflight("db", "lint", "--scratch", postgresql_url, "--json")
    tried = fine.document["revisions"]
    found = {finding["severity"] for each in tried for finding in each["findings"]}
    assert (fine.code in (0, 1), len(tried) > 1, "error" in found) == (True, True, False)
    assert (shop.folder / "schema" / "linted.toml").exists()


def test_a_revision_that_holds_others_up(midflight: Command, shop: Shop, postgresql_url: str) -> None:
    """The gate of the schema then fails, and says so."""
    revision = shop.folder / "schema" / "expand" / "0002_cents.py"
    revision.write_text(revision.read_text() + '    op.execute("UPDATE items SET cents = 1")\n')
    outcome = midflight("db", "lint", "--scratch", postgresql_url)
    assert outcome.code == 2
    assert "fail: expand 0002: whole-table (items): it changes all rows of items in one transaction" in outcome.out
    assert "  instead  @data_migration(…)" in outcome.out


def test_how_large_the_tables_are(midflight: Command, shop: Shop) -> None:
    """They are shown, and kept beside the revisions on a word."""
    assert midflight("db", "expand").code == 0
    assert midflight("db", "facts", "--json").document["items"] == {"rows": 0, "bytes": 0, "writes_per_second": 0.0}
    assert midflight("db", "facts", "--write").code == 0
    assert (shop.folder / "schema" / "facts.toml").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "sqlite:////nowhere/at/all/shop.db",
            "shop.db cannot be opened: the folder /nowhere/at/all does not exist",
        ),
        ("sqlite:////", "cannot be opened: it is a folder. Mend [midflight] database"),
        ("sqlite:///shop.py", "shop.py cannot be opened: file is not a database"),
        ("sqlite:///shop.db?mode=ro", "has arguments behind a question mark"),
    ],
)
def test_a_database_that_can_never_be_opened_exits_64(midflight: Command, shop: Shop, url: str, said: str) -> None:
    """Its URL is named, and why it is none: to try again would be of no use."""
    shop.configure(database=url)
    outcome = midflight("db", "expand")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert said in outcome.err


def test_a_mistake_in_a_revision_exits_64(midflight: Command, shop: Shop) -> None:
    """With its file and the statement, in one line."""
    shop.configure(database=f"sqlite:///{shop.folder}/shop.db")
    [first, *_] = sorted((shop.folder / "schema" / "expand").glob("*.py"))
    first.write_text(first.read_text() + '\n\ndef upgrade():\n    op.execute("CREATE TABEL\\n x")\n')
    outcome = midflight("db", "expand")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert f"({first.name})" in outcome.err
    assert 'near "TABEL": syntax error, in: CREATE TABEL x' in outcome.err


def test_who_expanded_is_in_the_journal(midflight: Command, shop: Shop) -> None:
    """A command that opens the database itself is signed by the user of the operating system."""
    assert midflight("db", "expand").code == 0
    engine = create(parse(f"sqlite:///{shop.folder / 'shop.db'}"))
    with transaction(engine, writes=False) as connection:
        (entry,) = journal.read(connection, kind="schema.expanded")
    engine.dispose()
    assert entry.facts["by"].startswith(f"{getpass.getuser()}@")
