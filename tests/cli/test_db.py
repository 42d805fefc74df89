from collections.abc import Callable

from tests.cli.street import Outcome, Shop

Command = Callable[..., Outcome]


def test_expand_says_what_it_did_and_then_that_nothing_is_left(midflight: Command, shop: Shop) -> None:
    """`db sync` is the same command."""
    assert midflight("release", "freeze", "kilo").code == 0
    first = midflight("db", "expand")
    assert first.code == 0
    assert first.out.splitlines()[1:] == [
        "done: revision 0001",
        "done: revision 0002",
        "the schema is expanded to kilo",
    ]
    again = midflight("db", "sync")
    assert (again.code, again.out) == (0, "nothing to do: the schema is that of kilo\n")


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


def test_a_database_that_cannot_be_opened_exits_75(midflight: Command, shop: Shop) -> None:
    """Its URL is named."""
    shop.configure(database="sqlite:////nowhere/at/all/shop.db")
    outcome = midflight("db", "expand")
    assert outcome.code == 75
    assert "/nowhere/at/all/shop.db" in outcome.err
