"""The tables and the revisions that lead to them."""

from conftest import Fleet


def test_the_revisions_lead_to_the_tables(alone: Fleet) -> None:
    """On an empty database; and there is nothing to do then."""
    expanded = alone.midflight("db", "expand")
    assert expanded.code == 0, expanded.out
    status = alone.midflight("db", "status")
    assert status.code == 0, status.out
