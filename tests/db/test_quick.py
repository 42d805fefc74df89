"""Quick reads: which are run in the loop, and what that changes for nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from midflight.db import quick
from midflight.db.engine import Database
from midflight.db.quick import BREATH, PROVEN
from midflight.errors import InvalidValue

LOOP = threading.get_ident()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with other things, nothing is slow, unless a test says so."""
    monkeypatch.setattr(quick, "QUICK_SECONDS", 60.0)
    monkeypatch.setattr(quick, "SLOW_SECONDS", 60.0)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'rows.db'}")
    await database.write(run, "CREATE TABLE things (name TEXT)")
    yield database
    await database.close()


def run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def count(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM things").scalar_one())


def whose_thread(connection: Connection, seen: list[int] | None = None) -> int:
    """Where it is run."""
    count(connection)
    if seen is not None:
        seen.append(threading.get_ident())
    return threading.get_ident()


async def proven(database: Database, work: Any = whose_thread) -> None:
    for _ in range(PROVEN):
        await database.read(work)


async def test_what_has_proven_to_be_quick_is_run_in_the_loop(database: Database) -> None:
    """A read is run in the thread until it was quick there often enough; one that writes is always run there."""
    found = [await database.read(whose_thread) for _ in range(PROVEN + 3)]
    assert LOOP not in found[:PROVEN]
    assert found[PROVEN:] == [LOOP] * 3
    assert LOOP not in [await database.write(whose_thread) for _ in range(PROVEN + 3)]


async def test_a_read_sees_what_was_given_before_it(database: Database) -> None:
    """A read waits for its turn behind what was given to be written and is not done, and sees it; also a quick one."""
    await proven(database, count)
    writing = [asyncio.create_task(database.write(run, "INSERT INTO things VALUES ('one')")) for _ in range(50)]
    await asyncio.sleep(0)
    assert await database.read(count) == 50
    await asyncio.gather(*writing)
    assert await database.read(count) == 50


async def test_what_is_slow_goes_back_to_the_thread(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that is slow in the loop is run in the thread from then on, until it has proven itself anew."""
    await proven(database)
    assert await database.read(whose_thread) == LOOP
    monkeypatch.setattr(quick, "SLOW_SECONDS", 1e-9)
    assert await database.read(whose_thread) == LOOP
    monkeypatch.setattr(quick, "SLOW_SECONDS", 60.0)
    assert LOOP not in [await database.read(whose_thread) for _ in range(PROVEN)]


@pytest.mark.parametrize(
    ("waits", "computes", "slow"),
    [(1, 0.0, True), (0, 1.0, True), (0, 0.0, False)],
    ids=["waits", "computes", "stolen"],
)
async def test_time_that_somebody_else_had_is_not_slow(
    database: Database, monkeypatch: pytest.MonkeyPatch, waits: int, computes: float, *, slow: bool
) -> None:
    """A read takes long where its thread waits or computes; not where its processor was given to others, of which a
    virtual machine is not even told."""
    await proven(database)
    monkeypatch.setattr(quick, "SLOW_SECONDS", 1e-9)
    told = iter([(0, 0.0), (waits, computes)])
    monkeypatch.setattr(quick, "_used", lambda: next(told))
    assert await database.read(whose_thread) == LOOP
    monkeypatch.undo()
    assert (await database.read(whose_thread) == LOOP) is not slow


async def test_a_slow_read_pays_for_its_own_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a read computes, as the first one does that compiles its statements, is charged, and not the time that
    passes until others give the processor back: it soon has proven itself again."""
    await proven(database)
    slow = 2.0**-30  # seconds, of which a half is known exactly, and which any read takes
    monkeypatch.setattr(quick, "SLOW_SECONDS", slow)
    told = iter([(0, 0.0), (0, 1.5 * slow)])
    monkeypatch.setattr(quick, "_used", lambda: next(told))
    assert await database.read(whose_thread) == LOOP
    monkeypatch.undo()
    monkeypatch.setattr(quick, "QUICK_SECONDS", 60.0)
    assert LOOP not in [await database.read(whose_thread) for _ in range(quick.COST * 3 // 2)]
    assert await database.read(whose_thread) == LOOP


async def test_a_quick_read_waits_for_no_other_read(database: Database) -> None:
    """A read that takes its time in the thread holds no quick one up, nor is it joined there by them."""
    began, ends = threading.Event(), threading.Event()

    def lasting(connection: Connection) -> int:
        began.set()
        ends.wait()
        return whose_thread(connection)

    await proven(database)
    reading = asyncio.create_task(database.read(lasting))
    try:
        await asyncio.to_thread(began.wait)
        assert [await database.read(whose_thread) for _ in range(3)] == [LOOP] * 3
        assert not reading.done()
    finally:
        ends.set()
    assert await reading != LOOP


async def test_what_is_slow_in_the_thread_stays_there(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that takes its time is never run in the loop."""
    monkeypatch.setattr(quick, "QUICK_SECONDS", 0.0)
    assert LOOP not in [await database.read(whose_thread) for _ in range(2 * PROVEN)]


async def test_a_quick_read_that_the_database_refuses_is_run_in_the_thread(database: Database) -> None:
    """What fails for the database, as it does where somebody has locked it, is left to the thread, which waits and
    says what is wrong; the next one is read in the loop again."""
    seen = list[int]()

    def refused(connection: Connection, statement: str) -> None:
        seen.append(threading.get_ident())
        connection.exec_driver_sql(statement)

    for _ in range(PROVEN):
        await database.read(refused, "SELECT 1")
    with pytest.raises(OperationalError, match="readonly") as caught:
        await database.read(refused, "INSERT INTO things VALUES ('never')")
    assert caught.value.__notes__ == ["Work that writes goes through Database.write; Database.read only reads."]
    assert seen[-2] == LOOP != seen[-1]
    await database.read(refused, "SELECT 1")
    assert seen[-1] == LOOP
    assert await database.read(count) == 0


async def test_a_number_that_is_too_large_is_a_wrong_value(database: Database) -> None:
    """What the driver cannot say is refused in the same words, quick or not."""

    def asked(connection: Connection, number: int) -> None:
        connection.exec_driver_sql("SELECT name FROM things WHERE rowid = ?", (number,)).all()

    for _ in range(PROVEN):
        await database.read(asked, 1)
    with pytest.raises(InvalidValue, match="a value for the database: received a larger number"):
        await database.read(asked, 2**63)


async def test_an_error_of_the_work_is_raised_as_it_is(database: Database) -> None:
    """What work raises by itself is raised once, and leaves no transaction behind."""
    seen = list[int]()

    def failing(connection: Connection, error: Exception | None) -> None:
        whose_thread(connection, seen)
        if error is not None:
            raise error

    for _ in range(PROVEN):
        await database.read(failing, None)
    with pytest.raises(ZeroDivisionError):
        await database.read(failing, ZeroDivisionError())
    with pytest.raises(RuntimeError, match="StopIteration"):
        await database.read(failing, StopIteration())
    assert seen[-2:] == [LOOP, LOOP]
    assert len(seen) == PROVEN + 2
    await database.write(run, "INSERT INTO things VALUES ('after')")
    assert await database.read(count) == 1


async def test_work_that_ends_its_transaction_itself(database: Database) -> None:
    """What a read leaves behind, a transaction that it ended or rows that it did not fetch, is nothing to the next."""

    def ending(connection: Connection, how: str) -> int:
        connection.exec_driver_sql("SELECT name FROM things")
        if how:
            getattr(connection, how)()
        return threading.get_ident()

    await database.write(run, "INSERT INTO things VALUES ('one'), ('two')")
    for _ in range(PROVEN):
        await database.read(ending, "")
    for how in ("rollback", "commit", ""):
        await database.read(ending, how)
        await database.write(run, "INSERT INTO things VALUES ('more')")
    assert await database.read(ending, "") == LOOP
    await proven(database, count)
    assert await database.read(count) == 5


async def test_a_task_that_reads_again_and_again_lets_others_run(database: Database) -> None:
    """Though nothing is waited for in a quick read, the loop has its turn now and then."""
    await proven(database)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    for _ in range(10 * BREATH):
        await database.read(whose_thread)
    assert turns >= 10
    running.cancel()


async def test_what_has_no_code_of_its_own_is_run_in_the_thread(database: Database) -> None:
    """What cannot be known again has never proven anything."""

    class Made:
        def __call__(self, connection: Connection) -> int:
            return whose_thread(connection)

    assert LOOP not in [await database.read(Made()) for _ in range(2 * PROVEN)]


async def test_a_database_in_memory_is_read_where_it_is() -> None:
    """A database that lives in the thread's connection is read by no other."""
    database = await Database.open("sqlite://")
    await database.write(run, "CREATE TABLE things (name TEXT)")
    assert [await database.read(count) for _ in range(2 * PROVEN)] == [0] * (2 * PROVEN)
    await database.close()
