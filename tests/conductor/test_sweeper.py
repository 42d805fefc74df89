"""Rows are migrated at the fleet's pace: in the foreground chunk by chunk, in the background under a lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, text

from midflight.conductor.background import LEASE_SECONDS, Background
from midflight.conductor.data_objects import SweepResult
from midflight.conductor.latency import Latency
from midflight.conductor.sweeper import TOLD_SECONDS, Sweeper
from midflight.db import journal
from midflight.db.engine import Database
from midflight.errors import InvalidValue, StepBlocked, Superseded
from midflight.migrations import control, lease, state
from midflight.migrations.control import Act
from midflight.migrations.lease import Lease
from midflight.migrations.online import DataMigration, Row, RowContext
from midflight.migrations.pace import Pace, Size, pause
from midflight.project import Project
from tests.engines import ON_SQLITE
from tests.migrations import cloud
from tests.migrations.cloud import boot, migrate_flavor_data, migrated, settle, variant

NAME = migrate_flavor_data.name
PROJECT = Project("cloud", migrations=[migrate_flavor_data])


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Thirty instances that juno wrote."""
    database = await Database.open(database_url)
    await database.write(cloud.create)
    await database.write(lambda connection: [boot(connection, number) for number in range(1, 31)])
    yield database
    await database.close()


def sweeper(database: Database) -> Sweeper:
    return Sweeper(database, Latency())


def background(database: Database, member: str, clock: Clock | None = None) -> Background:
    return Background(PROJECT, database, sweeper(database), member, clock or Clock())


async def swept(sweeper: Sweeper, migration: DataMigration = migrate_flavor_data) -> list[SweepResult]:
    """Until there is no more, or it stops."""
    seen: list[SweepResult] = []
    while not seen or (seen[-1].more and not seen[-1].stopped):
        assert len(seen) < 100
        seen.append(await sweeper.chunk(migration))
    return seen


async def set_pace(database: Database, **changes: Any) -> Pace:
    return await database.write(lease.set_pace, changes)


def execute(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


# The pace


async def test_chunks_at_a_pace(database: Database) -> None:
    """All rows are migrated and verified; each chunk says how long to wait before the next one."""
    seen = await swept(sweeper(database))
    assert (seen[-1].proven, seen[-1].exit_code) == (True, 0)
    assert sum(result.completed for result in seen) == await database.read(migrated) == 30
    assert all(result.wait > 0 for result in seen)


async def test_the_journal_is_told_of_chunks_together(database: Database) -> None:
    """Of those of some seconds, and of the last of a pass at once; of those that found nothing to do it is not."""
    clock = Clock()
    sweeping = Sweeper(database, Latency(), clock)
    await set_pace(database, most_rows=5, target=10)
    for _ in range(3):
        await sweeping.chunk(migrate_flavor_data)
    assert await database.read(told) == []
    clock.now += TOLD_SECONDS
    await sweeping.chunk(migrate_flavor_data)
    assert await database.read(told) == [(4, 20)]
    await swept(sweeping)
    assert sum(completed for _, completed in await database.read(told)) == 30


def told(connection: Connection) -> list[tuple[int, int]]:
    """Chunks and completed rows of each entry."""
    entries = journal.read(connection, kind="migration.chunks")
    return [(entry.facts["chunks"], entry.facts["completed"]) for entry in entries]


async def test_settings_are_read_again_before_each_chunk(database: Database) -> None:
    """A changed size holds for the next chunk."""
    sweeping = sweeper(database)
    await set_pace(database, most_rows=1, target=10)
    sizes = [(await sweeping.chunk(migrate_flavor_data)).completed for _ in range(2)]
    await set_pace(database, most_rows=3)
    sizes += [(await sweeping.chunk(migrate_flavor_data)).completed for _ in range(3)]
    assert sizes == [1, 1, 1, 2, 3]


def test_a_chunk_grows_towards_its_time() -> None:
    """A chunk is as large as the target allows, at most twice the one before; where even one row takes longer than
    that, it shrinks no further than to some rows, which take hardly more."""
    size, pace, seen = Size(), Pace(target=0.1), list[int]()
    for _ in range(6):
        size.took(size.rows, size.rows / 10_000, pace)
        seen.append(size.rows)
    assert seen == [200, 400, 800, 1000, 1000, 1000]
    size.took(1000, 10.0, pace)
    assert size.rows < 1000
    for _ in range(10):
        size.took(1, 10.0, pace)
    assert size.rows == 25


def test_a_failed_chunk_is_halved() -> None:
    """Until there is one row, which has no half."""
    size = Size(5)
    assert [(size.failed(), size.rows) for _ in range(3)] == [(True, 2), (True, 1), (False, 1)]


def test_duty() -> None:
    """Half of the time, or a tenth of it."""
    assert [round(pause(0.05, Pace(duty=duty)), 3) for duty in (0.5, 0.1, 1.0)] == [0.05, 0.45, 0.0]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"target": -1}, "pace.target: received -1, expected seconds, more than 0."),
        ({"duty": 1.5}, "pace.duty: received 1.5, expected more than 0, and at most 1."),
        ({"duty": "fast"}, "pace.duty: received fast, expected more than 0, and at most 1."),
        ({"most_rows": 0}, "pace.most_rows: received 0, expected a whole number, at least 1."),
        ({"lock_waiters": 1.5}, "pace.lock_waiters: received 1.5, expected a whole number, at least 0."),
        ({"vacuum": "maybe"}, "pace.vacuum: received maybe, expected true or false."),
        ({"speed": 3}, "pace: received speed, expected one of target, duty, most_rows, failure_ratio"),
        ({"sql": "SELECT 1"}, "pace.sql: received SELECT 1, expected a list of texts."),
        ({"http": [3]}, "pace.http[0]: received [3], expected a list of texts."),
    ],
)
async def test_settings_that_are_none(database: Database, changes: Mapping[str, Any], error: str) -> None:
    """Each is named, and nothing is changed."""
    with pytest.raises(InvalidValue) as refused:
        await set_pace(database, **changes)
    assert str(refused.value).startswith(error)
    assert (await database.read(lease.read)).pace == Pace()


# Throttles


async def test_own_sql_holds(database: Database) -> None:
    """While a query gives more than 0; what it says is the reason."""
    await set_pace(database, sql=["SELECT count(*) FROM instances WHERE host = 'busy:now'"])
    await database.write(execute, r"UPDATE instances SET host = 'busy\:now'")
    held = await sweeper(database).chunk(migrate_flavor_data)
    assert held.held == "SELECT count(*) FROM instances WHERE host = 'busy:now' 30, at most 0"
    assert (held.more, held.exit_code, held.matched, await database.read(migrated)) == (True, 1, 0, 0)
    await database.write(execute, "UPDATE instances SET host = 'h'")
    assert (await swept(sweeper(database)))[-1].proven


async def test_what_cannot_be_read_holds(database: Database) -> None:
    """Unknown is never pass."""
    await set_pace(database, sql=["SELECT nothing"])
    assert (await sweeper(database).chunk(migrate_flavor_data)).held.startswith("a throttle cannot be read: ")


async def test_own_address_holds(database: Database) -> None:
    """While it answers anything but 200, or not at all."""
    answers = iter([b"HTTP/1.0 503 no\r\n\r\n", b"HTTP/1.0 200 ok\r\n\r\n"])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(answers))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ready"
    await set_pace(database, http=[url])
    first, second = [await sweeper(database).chunk(migrate_flavor_data) for _ in range(2)]
    server.close()
    await server.wait_closed()
    third = await sweeper(database).chunk(migrate_flavor_data)
    assert (first.held, second.held) == (f"{url} answers 503", "")
    assert third.held.startswith(f"{url} cannot be asked: ")


async def test_slow_calls_hold(database: Database) -> None:
    """When one in a hundred remotables takes longer than it may; a few calls say nothing."""
    clock = Clock()
    latency = Latency(clock)
    for number in range(40):
        latency.took(3.0 if number == 39 else 0.001)
        if number == 5:
            assert latency.p99 is None
    held = await Sweeper(database, latency).chunk(migrate_flavor_data)
    assert held.held == "p99 of remotables 3 s, at most 1 s"
    clock.now += 61
    assert latency.p99 is None


async def test_the_brake_stops_everybody(database: Database) -> None:
    """In the foreground and in the background, before the next chunk; nothing is lost."""
    await database.write(control.steer, migrate_flavor_data, Act.START)
    await database.write(lease.set_brake, True)
    held = await sweeper(database).chunk(migrate_flavor_data)
    assert (held.braked, held.held) == (
        True,
        "the brake is on: `midflight data brake --release` lets rows be migrated again",
    )
    await background(database, "one").turn()
    assert await database.read(migrated) == 0
    await database.write(lease.set_brake, False)
    assert (await swept(sweeper(database)))[-1].proven


async def test_too_many_failures_stop(database: Database) -> None:
    """When more than the ratio of the rows fail; who goes on begins to count anew."""
    await database.write(lambda connection: settle(connection, *range(1, 21), task_state="broken"))
    await set_pace(database, most_rows=10, failures=10, failure_ratio=0.5)
    sweeping = sweeper(database)
    sweeping._sizes[NAME] = Size(10)
    first = await sweeping.chunk(migrate_flavor_data)
    assert (first.stopped, first.exit_code) == (
        "10 of 10 rows failed: mend the rows or the row function, and go on", 3,
    )  # fmt: skip
    await database.write(lambda connection: settle(connection, *range(1, 21)))
    assert (await swept(sweeping))[-1].proven
    assert [entry.kind for entry in await database.read(journal.read)].count("migration.stopped") == 1


@ON_SQLITE
async def test_a_database_that_is_full(database: Database, database_url: str) -> None:
    """Holds, and puts no row into quarantine for it: no row is at fault. With room again, all goes on."""

    def fill(connection: Connection, more: int) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}")

    big = variant(function=lambda row, db: {"flavor": {"name": "x" * 5_000}})
    await database.write(fill, 1)
    held = await sweeper(database).chunk(big)
    assert held.held == "database or disk is full"
    assert await database.read(state.quarantined, "<lambda>") == {}
    await database.write(fill, 1_000)
    assert (await swept(sweeper(database), big))[-1].proven


# In the background


async def turns(background: Background, number: int = 20) -> None:
    for _ in range(number):
        await background.turn()


async def test_nothing_runs_that_nobody_wants(database: Database) -> None:
    """Conductors have nothing to do before a migration is started, and take no lease."""
    await turns(background(database, "one"), 3)
    assert (await database.read(lease.read), await database.read(migrated)) == (Lease(), 0)


async def test_from_start_to_proof(database: Database) -> None:
    """It is swept and verified; in the end nobody wants anything of it, and the lease is free."""
    await database.write(control.steer, migrate_flavor_data, Act.START)
    await turns(background(database, "one"))
    standing = (await database.read(state.read_all))[NAME]
    assert (standing.state, standing.wanted, await database.read(migrated)) == (state.State.PROVEN, None, 30)
    assert (await database.read(lease.read)).holder == ""


async def test_one_conductor_at_a_time(database: Database) -> None:
    """Who comes later waits for as long as the holder's beat moves; when it has not moved for long, by the waiting
    one's own clock, it takes over, and the old holder does nothing more though it wakes up."""
    await set_pace(database, most_rows=2, target=10)
    await database.write(control.steer, migrate_flavor_data, Act.START)
    clock = Clock()
    zombie, other = background(database, "zombie"), background(database, "other", clock)
    zombie._sweeper._sizes[NAME] = other._sweeper._sizes[NAME] = Size(2)
    await zombie.turn()
    for _ in range(3):
        clock.now += LEASE_SECONDS - 1
        await other.turn()
        await zombie.turn()
    assert (await database.read(lease.read)).holder == "zombie"
    done = await database.read(migrated)
    await other.turn()
    clock.now += LEASE_SECONDS
    await other.turn()
    held = await database.read(lease.read)
    assert (held.holder, held.generation) == ("other", 2)
    after = await database.read(migrated)
    with pytest.raises(Superseded, match="other holds it in generation 2, and this was 1"):
        await zombie.turn()
    assert (after, await database.read(migrated)) == (done + 2, done + 2)


async def test_two_who_take_over_at_once(database: Database) -> None:
    """One of them has it."""
    seen = await database.read(lease.read)
    taken = [await database.write(lease.take, member, seen) for member in ("one", "other")]
    assert taken == [1, None]


async def test_clocks_that_jump(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lease and no quarantine depends on the time of day."""
    from datetime import UTC, datetime

    times = iter([datetime(2015, 4, 30, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC)] * 500)
    for module in ("midflight.migrations.state", "midflight.migrations.runner", "midflight.db.journal"):
        monkeypatch.setattr(f"{module}.now", lambda: next(times))
    await database.write(lambda connection: settle(connection, 3, 4, task_state="broken"))
    await database.write(control.steer, migrate_flavor_data, Act.START)
    holder, other = background(database, "one"), background(database, "other")
    for _ in range(10):
        await holder.turn()
        await other.turn()
    assert (await database.read(lease.read)).holder == "one"
    assert set(await database.read(state.quarantined, NAME)) == {"3", "4"}


async def test_pause_resume_and_cancel(database: Database) -> None:
    """What is paused stands still and goes on where it was; what is cancelled begins at the first row again."""
    await set_pace(database, target=10, most_rows=7)
    await database.write(control.steer, migrate_flavor_data, Act.START)
    running = background(database, "one")
    running._sweeper._sizes[NAME] = Size(7)
    await running.turn()
    await database.write(control.steer, migrate_flavor_data, Act.PAUSE)
    await turns(running, 3)
    at = (await database.read(state.read_all))[NAME].cursor
    assert (at.after, await database.read(migrated)) == (7, 7)
    await database.write(control.steer, migrate_flavor_data, Act.RESUME)
    running._sweeper._sizes[NAME] = Size(7)
    await running.turn()
    assert await database.read(migrated) == 14
    await database.write(control.steer, migrate_flavor_data, Act.CANCEL)
    standing = (await database.read(state.read_all))[NAME]
    assert (standing.wanted, standing.at_start, standing.completed) == (None, True, 14)


@pytest.mark.parametrize(
    ("acts", "reason"),
    [
        ([Act.PAUSE], "it is not running in the background"),
        ([Act.RESUME], "it was never started"),
        ([Act.CANCEL], "it is not running in the background"),
        ([Act.START, Act.RESUME], "it is running"),
        ([Act.START, Act.CANCEL, Act.PAUSE], "it is not running in the background"),
    ],
)
async def test_nothing_to_steer(database: Database, acts: list[Act], reason: str) -> None:
    """A step that makes no sense says why."""
    for act in acts[:-1]:
        await database.write(control.steer, migrate_flavor_data, act)
    with pytest.raises(StepBlocked) as refused:
        await database.write(control.steer, migrate_flavor_data, acts[-1])
    assert reason in str(refused.value)
    assert f"start it with `midflight data start {NAME}`" in str(refused.value)


async def test_rows_that_are_held_up_are_tried_again(database: Database) -> None:
    """After some time, all rows are looked at again."""
    await database.write(lambda connection: settle(connection, 5, task_state="resizing"))
    await database.write(control.steer, migrate_flavor_data, Act.START)
    clock = Clock()
    running = background(database, "one", clock)
    await turns(running)
    assert (await database.read(state.read_all))[NAME].deferred == {"resizing": 1}
    await database.write(lambda connection: settle(connection, 5))
    await turns(running, 3)
    assert await database.read(migrated) == 29
    clock.now += 61
    await turns(running)
    assert await database.read(migrated) == 30


async def test_several_in_turn(database: Database) -> None:
    """Each that is wanted gets its chunks, and one that needs another waits for its proof."""

    def counts(row: Row, db: RowContext) -> Mapping[str, Any]:
        return {"host": "counted"}

    def names(row: Row, db: RowContext) -> Mapping[str, Any]:
        return {"host": "counted"}

    first, second = variant(function=counts), variant(function=names, needs=[migrate_flavor_data])
    project = Project("cloud", migrations=[second, migrate_flavor_data, first])
    for each in project.migrations.values():
        await database.write(control.steer, each, Act.START)
    running = Background(project, database, sweeper(database), "one")
    await turns(running, 40)
    standings = await database.read(state.read_all)
    assert {name: standings[name].state for name in project.migrations} == dict.fromkeys(
        project.migrations, state.State.PROVEN
    )
    kinds = [(entry.kind, entry.facts.get("name")) for entry in await database.read(journal.read)]
    assert kinds.index(("migration.proved", NAME)) < kinds.index(("migration.sweeping", "names"))


async def test_one_that_cannot_run_stops(database: Database) -> None:
    """A migration that does not fit the schema is stopped, and the journal says why; the others go on."""
    wrong = variant(function=lambda row, db: {}, todo="flavr = 1")
    wrong.name = "wrong"
    project = Project("cloud", migrations=[wrong, migrate_flavor_data])
    for each in project.migrations.values():
        await database.write(control.steer, each, Act.START)
    await turns(Background(project, database, sweeper(database), "one"), 20)
    assert (await database.read(state.read_all))["wrong"].wanted == "stopped"
    assert await database.read(migrated) == 30
    (stopped,) = [entry for entry in await database.read(journal.read) if entry.kind == "migration.stopped"]
    assert "its todo (flavr = 1)" in stopped.facts["reason"]


async def test_failed_rows_are_tried_again(database: Database) -> None:
    """Those that are well leave the quarantine; the others keep their error; what is gone is forgotten."""
    await database.write(lambda connection: settle(connection, 3, 4, 5, task_state="broken"))
    await swept(sweeper(database))
    await database.write(lambda connection: settle(connection, 3))
    await database.write(
        lambda connection: connection.execute(text("DELETE FROM system_metadata WHERE instance = 5")) and None
    )
    await database.write(lambda connection: connection.execute(text("DELETE FROM instances WHERE id = 5")) and None)
    progress = await database.write(control.retry, migrate_flavor_data)
    assert str(progress) == "2 instances matched query, 1 completed (1 failed)"
    assert progress.exit_code == 3
    assert set(await database.read(state.quarantined, NAME)) == {"4"}
    await database.write(lambda connection: settle(connection, 4))
    assert (await database.write(control.retry, migrate_flavor_data)).exit_code == 1
    assert (await swept(sweeper(database)))[-1].exit_code == 0


async def test_a_holder_that_is_gone_leaves_a_lease_that_others_take(database: Database) -> None:
    """What it committed stays, and rows are counted once."""
    await database.write(control.steer, migrate_flavor_data, Act.START)
    first = background(database, "one")
    first._sweeper._sizes[NAME] = Size(10)
    await first.turn()
    clock = Clock()
    second = background(database, "two", clock)
    await second.turn()
    clock.now += LEASE_SECONDS
    await turns(second)
    completed = (await database.read(state.read_all))[NAME].completed
    assert (completed, await database.read(migrated)) == (30, 30)
