"""Others work on the same rows, and the server has troubles of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from midflight.conductor.latency import Latency
from midflight.conductor.sweeper import Sweeper
from midflight.db.clock import now
from midflight.db.engine import Database, create, parse
from midflight.migrations import lease, runner, state, throttle
from midflight.migrations.pace import Pace
from midflight.migrations.table import WalkedTable
from tests.engines import ON_POSTGRESQL
from tests.migrations import cloud
from tests.migrations.cloud import boot, migrate_flavor_data, migrated

NAME = migrate_flavor_data.name
pytestmark = ON_POSTGRESQL


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Thirty instances that juno wrote."""
    database = await Database.open(database_url)
    await database.write(cloud.create)
    await database.write(lambda connection: [boot(connection, number) for number in range(1, 31)])
    yield database
    await database.close()


@contextlib.contextmanager
def somebody(url: str, *statements: str) -> Iterator[Connection]:
    """Another client, in the middle of a transaction."""
    engine = create(parse(url))
    options = {"writes": True, "isolation": "READ COMMITTED"}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        for statement in statements:
            connection.execute(text(statement))
        yield connection
    engine.dispose()


async def until_somebody_waits(connection: Connection) -> None:
    """For a lock, on this server, which nobody else uses now."""
    waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")  # the view of activity is kept for a transaction
    async with asyncio.timeout(60):
        while not connection.scalar(waiting):
            await asyncio.sleep(0.02)


async def until_it_ends(sweeper: Sweeper) -> list[str]:
    """Why it was held on the way."""
    reasons: list[str] = []
    for _ in range(100):
        result = await sweeper.chunk(migrate_flavor_data)
        if result.held:
            reasons.append(result.held)
        if not result.more:
            return reasons
    raise AssertionError(f"it never ends: {reasons}")


async def test_a_row_that_somebody_locks(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk that waits for it in vain is halved until the row stands alone; it goes into quarantine, and all the
    others are migrated. When it is free, it is well."""
    monkeypatch.setattr(runner, "LOCK_MS", 300)
    sweeper = Sweeper(database, Latency())
    with somebody(database_url, "SELECT 1 FROM instances WHERE id = 7 FOR UPDATE"):
        reasons = await until_it_ends(sweeper)
        assert await database.read(migrated) == 29
    assert set(reasons) == {"a chunk was too much and is halved: canceling statement due to lock timeout"}
    failed = await database.read(state.quarantined, NAME)
    assert list(failed) == ["7"]
    assert failed["7"].startswith("even alone it was too much: canceling statement due to lock timeout")
    assert await until_it_ends(sweeper) == []
    assert (await database.read(migrated), await database.read(state.quarantined, NAME)) == (30, {})


async def test_an_old_transaction_holds(database: Database, database_url: str) -> None:
    """What is written meanwhile could not be cleaned up."""
    await database.write(lease.set_pace, {"oldest_transaction": 0.1})
    with somebody(database_url, "SELECT 1"):
        await asyncio.sleep(0.2)
        held = (await Sweeper(database, Latency()).chunk(migrate_flavor_data)).held
    assert re.fullmatch(r"oldest transaction \d+\.\d+ s, at most 0\.1 s", held)
    assert await until_it_ends(Sweeper(database, Latency())) == []


async def test_what_a_role_may_not_see_holds(database: Database, database_url: str) -> None:
    """PostgreSQL shows a role without pg_monitor nothing of what others do, which is not the same as nothing: with
    somebody else in the database the age of his transaction is unknown, and it is said what to grant."""
    role = f"poor_{uuid4().hex[:8]}"
    grants = (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}",
    )
    await database.write(lambda connection: [connection.execute(text(grant)) for grant in grants])
    poor = await Database.open(parse(database_url).set(username=role).render_as_string())
    try:
        sweeper = Sweeper(poor, Latency())
        assert (await sweeper.chunk(migrate_flavor_data)).held == (
            "oldest transaction cannot be read: GRANT pg_monitor TO the role that the conductors connect as"
        )
        assert (await poor.read(throttle.health, Pace(), now()))["oldest transaction"] == []
        await database.write(lambda connection: connection.execute(text(f"GRANT pg_monitor TO {role}")))
        assert not (await sweeper.chunk(migrate_flavor_data)).held
    finally:
        await poor.close()
        await database.write(lambda connection: connection.execute(text(f"DROP OWNED BY {role}")))
        await database.write(lambda connection: connection.execute(text(f"DROP ROLE {role}")))


@pytest.mark.parametrize("rows", [(), ((None, None),), (("streaming", None),), (("streaming", "3 s"), (None, None))])
async def test_a_replica_of_which_nothing_is_shown_is_not_one_that_is_up_to_date(
    database: Database, rows: tuple[tuple[str | None, str | None], ...]
) -> None:
    """Its lag is empty in both cases; one that a role may not see has no state either."""
    values = ", ".join(f"({_literal(state)}::text, {_literal(lag)}::interval)" for state, lag in rows)
    seen = f"(VALUES {values})" if rows else "(SELECT NULL::text, NULL::interval WHERE false)"
    query = throttle._REPLICA_LAG.replace("pg_stat_replication", f"{seen} AS replicas (state, replay_lag)")
    found = await database.read(throttle._number, query)
    assert found == (None if (None, None) in rows else 0)


HIDDEN = "(2, current_database(), 17, NULL, NULL)"
WORKER = "(3, current_database(), NULL, NULL, NULL)"
IDLE = "(4, current_database(), 17, 'client backend', NULL)"


@pytest.mark.parametrize(
    ("rows", "age"), [((WORKER,), 0), ((IDLE, WORKER), 0), ((HIDDEN, WORKER), None), ((IDLE, HIDDEN), None)]
)
async def test_a_worker_of_the_server_is_nobody_s_transaction(
    database: Database, rows: tuple[str, ...], age: float | None
) -> None:
    """PostgreSQL hides from a role without pg_monitor even that it is one, but it has no user: autovacuum holds no
    rows, while a client of whom nothing is shown does."""
    activity = "(pid, datname, usesysid, backend_type, xact_start)"
    seen = f"(VALUES {', '.join(rows)}) AS seen {activity}"
    typed = f"(SELECT pid, datname, usesysid::oid, backend_type::text, xact_start::timestamptz FROM {seen}) AS activity"
    assert await database.read(throttle._number, throttle._OLDEST.replace("pg_stat_activity", typed)) == age


def _literal(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


async def test_those_who_wait_for_locks_hold(database: Database, database_url: str) -> None:
    """More than there may be."""
    await database.write(lease.set_pace, {"lock_waiters": 0})
    with somebody(database_url, "LOCK TABLE system_metadata") as other:
        waiting = asyncio.create_task(database.read(lambda read: read.scalar(text("SELECT 1 FROM system_metadata"))))
        await until_somebody_waits(other)
        held = (await Sweeper(database, Latency()).chunk(migrate_flavor_data)).held
    assert held == "statements that wait for locks 1, at most 0"
    await waiting


async def test_a_server_that_drops_everybody(database: Database, database_url: str) -> None:
    """A chunk that it cuts off leaves nothing behind; the next one goes on."""
    sweeper, cut = Sweeper(database, Latency()), 0
    for _ in range(3):
        with somebody(database_url, "SELECT 1 FROM instances WHERE id = 30 FOR UPDATE") as other:
            chunk = asyncio.create_task(sweeper.chunk(migrate_flavor_data))
            await until_somebody_waits(other)
            other.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                               "AND datname = current_database()"))  # fmt: skip
            cut += bool((await chunk).held)
        assert await database.read(migrated) == 0
    assert cut == 3
    assert await until_it_ends(sweeper) == []
    assert await database.read(migrated) == 30
    assert await database.read(state.quarantined, NAME) == {}


def test_a_lost_connection_says_nothing_against_the_conditions(database: Database, database_url: str) -> None:
    """Only what the database says of the conditions themselves is a mistake in the project."""
    lost = pytest.raises(OperationalError, match="terminating connection")
    with somebody(database_url) as other, lost, somebody(database_url) as ours:
        table = WalkedTable(ours, "instances", ("id",), "1 = 1", "a data migration")
        pid = ours.scalar(text("SELECT pg_backend_pid()"))
        other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
        table.check(ours, "1 = 1")


@pytest.mark.parametrize(
    ("state_of_error", "words"),
    [("53100", "could not extend file: No space left on device"), ("57P01", "terminating connection"), ("25006", "x")],
)
async def test_a_server_that_has_no_room(database: Database, state_of_error: str, words: str) -> None:
    """What is not a row's own fault holds all of them, and puts none into quarantine."""
    await database.write(execute, f"""
        CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '{state_of_error}'; END $$
    """)  # fmt: skip
    await database.write(
        execute, "CREATE TRIGGER fails BEFORE UPDATE ON instances FOR EACH ROW EXECUTE FUNCTION fails()"
    )
    sweeper = Sweeper(database, Latency())
    assert words in (await sweeper.chunk(migrate_flavor_data)).held
    assert await database.read(state.quarantined, NAME) == {}
    await database.write(execute, "DROP TRIGGER fails ON instances")
    assert await until_it_ends(sweeper) == []
    assert await database.read(migrated) == 30


def execute(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
