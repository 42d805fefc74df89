"""Rows that catch up."""

from conftest import Fleet

from example_fleet.migrations import words_of


def test_words_are_counted() -> None:
    """Whatever stands between them."""
    assert [words_of(text) for text in ("", "one", " good \n morning ")] == [0, 1, 2]


def test_rows_from_elsewhere_catch_up(fleet: Fleet) -> None:
    """A row that was written past the code is counted, while everybody works; and all rows are proven."""
    fleet.rows("INSERT INTO jobs (text, state) VALUES ('from far away', 'done')")
    done = fleet.midflight("data", "run")
    assert done.code == 0, done.out
    assert fleet.rows("SELECT words FROM jobs WHERE text = 'from far away'") == [(3,)]
