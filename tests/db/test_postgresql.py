"""What PostgreSQL adds to a database: transactions at once, which may have to be run again, and a server that goes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Connection, text

from midflight.db import journal, postgresql, tables
from midflight.db.cluster import Cluster
from midflight.db.engine import Database, create, parse, transaction
from midflight.errors import (
    CommitUnknown,
    DatabaseBusy,
    DatabaseContended,
    DatabaseUnreachable,
    InvalidValue,
    MissingExtra,
    NoDatabaseUrl,
)


def make(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL)"))
    connection.execute(text("INSERT INTO counters VALUES ('a', 0), ('b', 0)"))


def read(connection: Connection, name: str = "a") -> int:
    found: int = connection.execute(text("SELECT n FROM counters WHERE name = :name"), {"name": name}).scalar_one()
    return found


def put(connection: Connection, n: int, name: str = "a") -> None:
    connection.execute(text("UPDATE counters SET n = :n WHERE name = :name"), {"n": n, "name": name})


def one_more(connection: Connection) -> None:
    put(connection, read(connection) + 1)


@pytest.fixture
async def database(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """Its patience does not run out before the workers have connected, and met."""
    monkeypatch.setattr(postgresql, "BUSY_SECONDS", 60.0)
    database = await Database.open(postgresql_url)
    await database.write(make)
    yield database
    await database.close()


@pytest.fixture
def own_server() -> Iterator[Cluster]:
    """One that a test may kill: it keeps what it has committed."""
    server = Cluster(synchronous_commit="on").start()
    yield server
    server.remove()


async def test_several_at_once(database: Database) -> None:
    """As many pieces of work run at once as there are threads, and each thread keeps its connection."""
    together = threading.Barrier(postgresql.WORKERS)

    def meet(connection: Connection) -> int:
        together.wait(60)
        found: int = connection.scalar(text("SELECT pg_backend_pid()"))
        return found

    first = await asyncio.gather(*(database.read(meet) for _ in range(postgresql.WORKERS)))
    assert len(set(first)) == postgresql.WORKERS
    assert set(await asyncio.gather(*(database.read(meet) for _ in range(postgresql.WORKERS)))) == set(first)


async def test_nothing_is_lost_between_reading_and_writing(database: Database) -> None:
    """Work that writes what it has read is as if alone: 60 that add one, at once, add 60."""
    await asyncio.gather(*(database.write(one_more) for _ in range(60)))
    assert await database.read(read) == 60


async def test_what_was_read_is_true_at_the_commit(database: Database) -> None:
    """Two that each read what the other one writes cannot both be first: one is run again, and sees the other's."""
    together, runs = threading.Barrier(2), list[str]()

    def copy(connection: Connection, source: str, target: str) -> None:
        runs.append(target)
        seen = read(connection, source)
        if len(runs) <= 2:
            together.wait(60)
        put(connection, seen + 1, target)

    await asyncio.gather(database.write(copy, "a", "b"), database.write(copy, "b", "a"))
    assert len(runs) >= 3
    assert sorted([await database.read(read, "a"), await database.read(read, "b")]) == [1, 2]


async def test_what_is_run_again_is_run_again_one_at_a_time(database: Database) -> None:
    """All of a process's workers read what all of them write, so at most one of them is first; the others go on behind
    one another, and not into each other's way once more."""
    names, together = [f"n{number}" for number in range(postgresql.WORKERS)], threading.Barrier(postgresql.WORKERS)
    runs, again, most = list[str](), set[str](), list[int]()
    rows = ", ".join(f"('{name}', 0)" for name in names)
    await database.write(lambda connection: connection.execute(text(f"INSERT INTO counters VALUES {rows}")) and None)

    def highest(connection: Connection, own: str) -> None:
        is_first = own not in runs
        runs.append(own)
        if not is_first:
            again.add(own)
            most.append(len(again))
        try:
            seen = max(read(connection, name) for name in names)
            if is_first:
                together.wait(60)
            put(connection, seen + 1, own)
        finally:
            again.discard(own)

    await asyncio.gather(*(database.write(highest, name) for name in names))
    assert len(most) >= postgresql.WORKERS - 1
    assert set(most) == {1}
    found = sorted([await database.read(read, name) for name in names])
    assert found == list(range(1, postgresql.WORKERS + 1))


async def test_a_deadlock_is_run_again(database: Database) -> None:
    """Two that lock the same rows in opposite order both succeed."""
    together, runs = threading.Barrier(2), list[str]()

    def both(connection: Connection, first: str, second: str) -> None:
        runs.append(first)
        put(connection, 1, first)
        if len(runs) <= 2:
            together.wait(60)
        put(connection, 1, second)

    await asyncio.gather(database.write(both, "a", "b"), database.write(both, "b", "a"))
    assert len(runs) >= 3


async def test_who_waits_for_a_turn_to_be_run_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another piece of work is run again, for long, one that writes gives up after a bounded time; one that only
    reads does not wait at all."""
    cannot_be_ordered = text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
    runs, in_its_turn, go_on = list[str](), threading.Event(), threading.Event()

    def contended(connection: Connection, name: str) -> int:
        runs.append(name)
        if runs.count(name) == 1:
            connection.execute(cannot_be_ordered)
        return read(connection)

    def slow(connection: Connection) -> int:
        found = contended(connection, "slow")
        in_its_turn.set()
        go_on.wait(60)
        return found

    first = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(in_its_turn.wait, 60)
    assert await database.read(contended, "reads") == 0
    monkeypatch.setattr(postgresql, "BUSY_SECONDS", 0.2)
    with pytest.raises(DatabaseContended, match=r"within 0.2 s"):
        await database.write(contended, "writes")
    go_on.set()
    assert await first == 0
    assert runs == ["slow", "slow", "reads", "reads", "writes"]
    assert await database.write(contended, "writes") == 0


async def test_always_in_the_way(database: Database, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that others spoil every time is given up after a bounded time, with nothing written."""
    monkeypatch.setattr(postgresql, "BUSY_SECONDS", 1.0)
    engine = create(parse(postgresql_url))
    runs = list[int]()

    def spoilt(connection: Connection) -> None:
        runs.append(read(connection))
        with transaction(engine, writes=True) as other:
            one_more(other)
        put(connection, 100)

    with pytest.raises(DatabaseContended, match=r"as often as it was tried within 1.0 s: nothing"):
        await database.write(spoilt)
    engine.dispose()
    assert (runs, await database.read(read)) == ([*range(len(runs))], len(runs))
    assert len(runs) >= 2


async def test_locked(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that another process keeps locked is waited for, then named; afterwards all is well."""
    monkeypatch.setattr(postgresql, "BUSY_SECONDS", 0.2)
    database = await Database.open(postgresql_url)
    await database.write(make)
    engine = create(parse(postgresql_url))
    with transaction(engine, writes=True) as holder:
        put(holder, 5)
        with pytest.raises(DatabaseBusy, match="was locked by another process for more than 0.2 s"):
            await database.write(put, 6)
    engine.dispose()
    await database.write(one_more)
    assert await database.read(read) == 6
    await database.close()


async def test_reads_are_of_one_snapshot(database: Database, postgresql_url: str) -> None:
    """What others commit in the middle of a read is not seen by it."""
    engine = create(parse(postgresql_url))

    def twice(connection: Connection) -> tuple[int, int]:
        before = read(connection)
        with transaction(engine, writes=True) as other:
            one_more(other)
        return before, read(connection)

    assert await database.read(twice) == (0, 0)
    assert await database.read(read) == 1
    engine.dispose()


async def test_a_statement_that_was_prepared_before_the_schema_changed(database: Database) -> None:
    """The schema changes under a fleet that works: a prepared statement whose columns have changed is run again."""

    def everything(connection: Connection) -> int:
        return len(connection.execute(text("SELECT * FROM counters")).keys())

    def widen(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE counters ADD COLUMN note TEXT"))

    for _ in range(postgresql.WORKERS * 10):
        assert await database.read(everything) == 2
    await database.write(widen)
    assert {await database.read(everything) for _ in range(postgresql.WORKERS * 2)} == {3}


async def test_text_that_no_column_can_keep(database: Database) -> None:
    """A NUL character is refused as a wrong value."""
    with pytest.raises(InvalidValue, match="text with a NUL character"):
        await database.read(read, "a\0b")


async def test_a_server_that_was_restarted(own_server: Cluster) -> None:
    """A connection that is found dead when a transaction begins is replaced, and nobody notices."""
    database = await Database.open(own_server.create())
    await database.write(make)
    own_server.kill()
    with pytest.raises(DatabaseUnreachable):
        await database.write(one_more)
    own_server.start()
    for _ in range(postgresql.WORKERS):
        await database.write(one_more)
    own_server.stop()
    own_server.start()
    for _ in range(postgresql.WORKERS):
        await database.write(one_more)
    assert await database.read(read) == 2 * postgresql.WORKERS
    await database.close()


async def test_a_session_that_is_ended_in_the_middle(database: Database) -> None:
    """What is lost before the commit has written nothing, and the next one finds a new connection."""

    def ended(connection: Connection) -> None:
        put(connection, 7)
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DatabaseUnreachable, match="terminat"):
        await database.write(ended)
    assert await database.read(read) == 0


async def test_a_commit_without_an_answer(database: Database, postgres: Cluster, postgresql_url: str) -> None:
    """It is told as what it is: all of it may be written, or nothing."""
    backend = list[int]()

    def cut(connection: Connection) -> None:
        put(connection, 7)
        backend.append(connection.scalar(text("SELECT pg_backend_pid()")))
        with postgres.connect("postgres") as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", backend)

    with pytest.raises(CommitUnknown, match="all of the transaction is written, or nothing") as unknown:
        await database.write(cut)
    assert unknown.value.exit_code == 4


async def test_journal_entries_are_in_the_order_of_their_commits(postgresql_url: str) -> None:
    """Whoever has read up to an entry has missed none: no smaller id is committed afterwards."""
    database = await Database.open(postgresql_url)
    await database.write(tables.metadata.create_all)
    written, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> int:
        entry = journal.write(connection, "pin.set", {})
        written.set()
        go_on.wait(60)
        return entry

    first = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(written.wait, 60)
    second = asyncio.create_task(database.write(journal.write, "pin.cleared", {}))
    await asyncio.sleep(0.1)
    assert await database.read(journal.read) == []
    go_on.set()
    assert await first < await second
    await database.close()


@pytest.mark.parametrize(
    ("url", "kind", "reason"),
    [
        ("postgresql://ann:secret@127.0.0.1:1/x", DatabaseUnreachable, "refused"),
        ("postgresql://ann:secret@127.0.0.1:1/x?speed=9", NoDatabaseUrl, 'invalid connection option "speed"'),
        ("postgresql://ann:secret@nowhere.invalid/x", DatabaseUnreachable, "nowhere.invalid"),
    ],
)
async def test_unreachable(url: str, kind: type[Exception], reason: str) -> None:
    """A database that cannot be opened is one clear error with the reason, and without the password."""
    with pytest.raises(DatabaseUnreachable) as unreachable:
        await Database.open(url)
    assert type(unreachable.value) is kind
    assert reason in str(unreachable.value)
    assert "secret" not in str(unreachable.value)


async def test_no_such_database(postgres: Cluster) -> None:
    """The server's own reason is told."""
    with pytest.raises(DatabaseUnreachable, match='database "nobodys" does not exist'):
        await Database.open(postgres.url("nobodys"))


def test_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said."""
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'midflight\[postgresql\]'"):
        create(parse("postgresql://db/x"))
