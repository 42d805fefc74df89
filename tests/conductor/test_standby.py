"""A PostgreSQL with a standby: what it holds up, and that a data migration goes on where the standby takes over."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from midflight.conductor.latency import Latency
from midflight.conductor.sweeper import Sweeper
from midflight.db.cluster import Cluster
from midflight.db.engine import Database
from midflight.errors import DatabaseError
from midflight.migrations import lease, state
from tests.migrations import cloud
from tests.migrations.cloud import boot, migrate_flavor_data, migrated

ROWS = 300


class Standby(Cluster):
    """A copy of a running cluster, which follows it."""

    def __init__(self, primary: Cluster) -> None:
        super().__init__(wal_receiver_status_interval="1s")
        self._run("pg_basebackup", "-D", self._data, "-R", "-d", primary.url("postgres"), "--checkpoint=fast")

    def say(self, statement: str) -> None:
        """Run one of PostgreSQL's own functions."""
        with self.connect("postgres") as connection:
            connection.execute(f"SELECT {statement}".encode())


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Cluster, Standby]]:
    """A primary whose commits wait for the standby, and the standby, which takes over in the last test."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(Cluster(synchronous_commit="on"))
        standby = stack.enter_context(Standby(primary))
        with primary.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        yield primary, standby


@pytest.fixture
async def database(pair: tuple[Cluster, Standby]) -> AsyncIterator[Database]:
    """Instances that juno wrote. The URL names both servers."""
    primary, _ = pair
    folders = ",".join(each.url("").partition("host=")[2] for each in pair)
    name = primary.create().partition("?")[0]
    database = await Database.open(f"{name}?host={folders}&target_session_attrs=read-write")
    await database.write(_fill)
    yield database
    await database.close()


def _fill(connection: Connection) -> None:
    cloud.create(connection)
    for number in range(1, ROWS + 1):
        boot(connection, number)
    connection.execute(text("ALTER TABLE instances ADD COLUMN written INTEGER NOT NULL DEFAULT 0"))
    connection.execute(text("CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql "
                            "AS $$ BEGIN new.written = old.written + 1; RETURN new; END $$"))  # fmt: skip
    connection.execute(text("CREATE TRIGGER counted BEFORE UPDATE OF flavor ON instances "
                            "FOR EACH ROW EXECUTE FUNCTION counted()"))  # fmt: skip


async def until_held(sweeper: Sweeper, reason: str, chunks: int = 400) -> None:
    """Migrate rows until it is held for this reason."""
    for _ in range(chunks):
        held = (await sweeper.chunk(migrate_flavor_data)).held
        if held.startswith(reason):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never held by {reason!r}")


async def test_a_standby_that_lags_holds(database: Database, pair: tuple[Cluster, Standby]) -> None:
    """Its replay stands still while rows are written; they wait until it has caught up."""
    _, standby = pair
    await database.write(lease.set_pace, {"replica_lag": 0.5, "most_rows": 1, "duty": 0.5})
    sweeper = Sweeper(database, Latency())
    await sweeper.chunk(migrate_flavor_data)
    standby.say("pg_wal_replay_pause()")
    await until_held(sweeper, "replica lag")
    done = await database.read(migrated)
    standby.say("pg_wal_replay_resume()")
    while not (await sweeper.chunk(migrate_flavor_data)).completed:
        await asyncio.sleep(0.1)
    assert await database.read(migrated) == done + 1


async def test_a_vacuum_of_the_table_holds(database: Database, pair: tuple[Cluster, Standby]) -> None:
    """And nothing else does."""
    primary, _ = pair
    with primary.connect(database.url.partition("?")[0].rpartition("/")[2]) as connection:
        connection.execute("SET vacuum_cost_delay = 100")
        connection.execute("SET vacuum_cost_limit = 1")
        vacuum = threading.Thread(target=_until_it_is_cancelled, args=(connection, "VACUUM instances"))
        vacuum.start()
        sweeper = Sweeper(database, Latency())
        await until_held(sweeper, "vacuum of instances 1, at most 0")
        connection.cancel()
        vacuum.join()
    while not (await sweeper.chunk(migrate_flavor_data)).completed:
        await asyncio.sleep(0.1)


def _until_it_is_cancelled(connection: Any, statement: str) -> None:
    with contextlib.suppress(Exception):
        connection.execute(statement)


async def test_the_standby_takes_over(database: Database, pair: tuple[Cluster, Standby]) -> None:
    """The primary dies between two chunks; when the standby is promoted, the migration goes on from the cursor that it
    has. What a save was told is there is there, each row was migrated once, and the proof holds."""
    primary, standby = pair
    await database.write(lease.set_pace, {"most_rows": 20, "duty": 0.5})
    sweeper, saved = Sweeper(database, Latency()), []

    def save(connection: Connection, number: int) -> None:
        cloud.resize(connection, number, 4096)
        migrate_flavor_data.apply(connection, number)

    for number in range(ROWS, ROWS - 10, -1):
        await sweeper.chunk(migrate_flavor_data)
        await database.write(save, number)
        saved.append(number)
    primary.kill()
    assert (await sweeper.chunk(migrate_flavor_data)).held
    with pytest.raises(DatabaseError):
        await database.write(save, 1)
    standby.say("pg_promote()")
    while (result := await sweeper.chunk(migrate_flavor_data)).more:
        assert "failed" not in result.line
    assert result.proven
    assert await database.read(migrated) == ROWS
    assert await database.read(state.quarantined, migrate_flavor_data.name) == {}
    assert [await database.read(cloud.ram_of, number) for number in saved] == [4096] * 10
    once: Any = await database.read(lambda read: read.scalar(text("SELECT count(*) FROM instances WHERE written = 1")))
    assert once == ROWS
