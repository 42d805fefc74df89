from collections.abc import Callable

import pytest

from midflight.db.schema.line import own_line
from tests.cli.street import Outcome, Shop

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


def test_a_mistake_in_a_revision_is_named_and_nothing_is_kept(midflight: Command, shop: Shop) -> None:
    """The file, and what is wrong in it."""
    revision = shop.folder / "schema" / "expand" / "0002_cents.py"
    revision.write_text(revision.read_text().replace("sa.Column(", "sa.Colum("))
    outcome = midflight("db", "expand")
    assert outcome.code not in (0, 1, 2)
    assert outcome.err.count("\n") == 1
    assert "0002_cents.py" in outcome.err
    assert "Colum" in outcome.err


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
