"""Rows that catch up."""

import asyncio

from sqlalchemy import Connection, select

from example_fleet.migrations import count_words, words_of
from example_fleet.tables import jobs
from midflight.testing import LocalFleet


def test_words_are_counted() -> None:
    """Whatever stands between them."""
    assert [words_of(text) for text in ("", "one", " good \n morning ")] == [0, 1, 2]


def test_a_row_from_elsewhere_is_counted(local_fleet: LocalFleet) -> None:
    """It was written past the code, and has no count."""

    def written(connection: Connection) -> int | None:
        connection.execute(jobs.insert().values(id=7, text="from far away", state="done"))
        count_words.apply(connection, 7)
        words: int | None = connection.execute(select(jobs.c.words)).scalar_one()
        return words

    async def count() -> int | None:
        async with local_fleet as fleet:
            words: int | None = await fleet.context().db.write(written)
            return words

    assert asyncio.run(count()) == 3
