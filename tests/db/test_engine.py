from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, insert, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from midflight.db import forms, sqlite, tables
from midflight.db.engine import Database
from midflight.db.write_form import Form
from midflight.errors import DatabaseBusy, DatabaseUnreachable, InvalidValue, NoDatabaseUrl


def add(connection: Connection, value: str) -> None:
    connection.execute(text("INSERT INTO words VALUES (:value)"), {"value": value})


def words(connection: Connection) -> list[str]:
    return list(connection.scalars(text("SELECT word FROM words ORDER BY word")))


@pytest.fixture
def url(database_url: str) -> str:
    """On each engine."""
    return database_url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/words.db"


async def opened(url: str) -> Database:
    database = await Database.open(url)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE words (word TEXT PRIMARY KEY)")))
    return database


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = await opened(url)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_database(sqlite_url: str) -> AsyncIterator[Database]:
    database = await opened(sqlite_url)
    yield database
    await database.close()


async def test_committed(database: Database, url: str) -> None:
    """What work wrote is there for another process's connection when the write returns."""
    await database.write(add, "one")
    other = await Database.open(url)
    assert await other.read(words) == ["one"]
    await other.close()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
async def test_a_number_that_no_column_can_keep(database: Database, number: int) -> None:
    """It is refused as a wrong value, with nothing written, and not as an overflow of the driver's."""

    def work(connection: Connection) -> None:
        add(connection, "before")
        connection.execute(insert(Table("numbers", MetaData(), Column("n", BigInteger))).values(n=number))

    await database.write(lambda connection: connection.execute(text("CREATE TABLE numbers (n BIGINT)")))
    with pytest.raises(InvalidValue, match=r"a value for the database: received a larger number, expected one "):
        await database.write(work)
    assert await database.read(words) == []


async def test_an_overflow_of_the_work_itself(database: Database) -> None:
    """What the work computes wrongly is its own error."""
    with pytest.raises(OverflowError):
        await database.read(lambda _: float(10**400))


async def test_rolled_back(database: Database) -> None:
    """Work that raises leaves nothing behind, and its own error reaches the caller."""

    def half(connection: Connection) -> None:
        add(connection, "half")
        raise KeyError("the other half")

    with pytest.raises(KeyError, match="the other half"):
        await database.write(half)
    assert await database.read(words) == []


async def test_schema_change_rolled_back(database: Database) -> None:
    """A change of the schema is part of the transaction, too."""

    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        add(connection, "half")
        raise KeyError

    with pytest.raises(KeyError):
        await database.write(half)
    with pytest.raises(DBAPIError, match=r"no such table: half|relation \"half\" does not exist"):
        await database.read(lambda connection: connection.execute(text("SELECT * FROM half")))


async def test_read_refuses_to_write(database: Database) -> None:
    """Work that was given to read cannot write, and is told where to go."""
    with pytest.raises(DBAPIError, match="read-?only") as refused:
        await database.read(add, "one")
    assert refused.value.__notes__ == ["Work that writes goes through Database.write; Database.read only reads."]
    await database.write(add, "two")
    assert await database.read(words) == ["two"]


async def test_one_thread(sqlite_database: Database) -> None:
    """On SQLite, all work runs in one thread, which is not the caller's."""
    threads = {await sqlite_database.read(lambda connection: threading.get_ident()) for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_settings(sqlite_database: Database) -> None:
    """The file is in WAL mode, syncs as WAL needs it, waits for locks, and enforces foreign keys."""

    def settings(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        return [connection.scalar(text(f"PRAGMA {name}")) for name in names]

    assert await sqlite_database.read(settings) == ["wal", 1, 5000, 1]


async def test_stop_iteration(database: Database) -> None:
    """A stray StopIteration becomes an error; nobody waits for ever."""
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(database.read(lambda connection: next(iter(()))), 60)


async def test_cancelled_while_running(database: Database) -> None:
    """Work that has begun when its caller is cancelled is finished and committed, and the database works on."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        add(connection, "first half")
        begun.set()
        go_on.wait(60)
        add(connection, "second half")

    task = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    async with asyncio.timeout(60):
        while not (found := await database.read(words)):
            await asyncio.sleep(0.01)
    assert found == ["first half", "second half"]


async def test_cancelled_before_it_began(sqlite_database: Database) -> None:
    """On SQLite, where work waits for its turn, work that is cancelled in the queue never runs."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> bool:
        begun.set()
        return go_on.wait(60)

    first = asyncio.create_task(sqlite_database.write(slow))
    await asyncio.to_thread(begun.wait, 60)
    second = asyncio.create_task(sqlite_database.write(add, "never"))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.sleep(0)
    go_on.set()
    await first
    assert await sqlite_database.read(words) == []


@pytest.fixture
def brief_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)


@pytest.mark.usefixtures("brief_patience")
async def test_locked(sqlite_url: str) -> None:
    """A lock that another process keeps is waited for, then named; nothing was written; afterwards all is well."""
    database = await Database.open(sqlite_url)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE words (word TEXT PRIMARY KEY)")))
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusy) as busy:
        await database.write(add, "one")
    assert str(busy.value) == (
        f"The database {sqlite_url} was locked by another process for more than 0.2 s: nothing of this was written. "
        "Try again."
    )
    assert await database.read(words) == []
    other.execute("COMMIT")
    other.close()
    await database.write(add, "two")
    assert await database.read(words) == ["two"]
    await database.close()


WRITER = """
import asyncio, sys
from sqlalchemy import text
from midflight.db.engine import Database

def one_more(connection):
    seen = connection.scalar(text("SELECT n FROM counter"))
    connection.execute(text("UPDATE counter SET n = :n"), {"n": seen + 1})

async def main():
    database = await Database.open(sys.argv[1])
    for _ in range(100):
        await database.write(one_more)
    await database.close()

asyncio.run(main())
"""


async def test_several_processes(url: str) -> None:
    """Read-modify-write work of three processes on one file loses nothing: a write is exclusive from its beginning."""
    database = await Database.open(url)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE counter (n INTEGER)")))
    await database.write(lambda connection: connection.execute(text("INSERT INTO counter VALUES (0)")))
    writers = [await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url) for _ in range(3)]
    assert [await writer.wait() for writer in writers] == [0, 0, 0]
    assert await database.read(lambda connection: connection.scalar(text("SELECT n FROM counter"))) == 300
    await database.close()


async def test_opened_at_once(url: str) -> None:
    """Many that open a new file at the same time all succeed, though each wants to switch it to WAL."""
    databases = await asyncio.gather(*(Database.open(url) for _ in range(8)))
    for database in databases:
        await database.close()


def test_patience_outlasts_the_switch_to_wal(tmp_path: Path) -> None:
    """The switch to WAL, which SQLite itself does not wait for, is tried again until the file is free."""
    path = tmp_path / "x.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.3, lambda: holder.execute("CREATE TABLE x (y)").connection.execute("COMMIT")).start()
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    sqlite._use_wal(connection)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    holder.close()


Spoil = Callable[[Path], str]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: f"sqlite:///{folder}/nowhere/x.db", "nowhere does not exist"),
        (lambda folder: f"sqlite:///{folder}", "it is a folder"),
        (lambda folder: f"sqlite:///{no_database(folder)}", "file is not a database"),
        (lambda folder: "oracle://ann:secret@db/x", "the scheme 'oracle' is unknown; expected sqlite:///PATH or post"),
        (lambda folder: "postgresql://ann:secret@db", "it names no database; expected"),
        (lambda folder: "ann:secret@words.db", "this is no database URL; expected sqlite:///PATH"),
    ],
)
async def test_unreachable(tmp_path: Path, spoil: Spoil, reason: str) -> None:
    """A database that cannot be opened is one clear error with the reason, and without the password."""
    with pytest.raises(DatabaseUnreachable) as unreachable:
        await Database.open(spoil(tmp_path))
    assert reason in str(unreachable.value)
    assert "secret" not in str(unreachable.value)
    assert "[midflight] database" in str(unreachable.value)


async def test_a_url_of_no_database_is_a_mistake_in_the_configuration() -> None:
    """To try again would not help: its exit code is that of wrong usage."""
    with pytest.raises(NoDatabaseUrl) as wrong:
        await Database.open("mysql://ann:secret@db/x")
    assert wrong.value.exit_code == 64


@pytest.mark.parametrize(
    ("guarded", "reason"),
    [("rows.db", "may not read and write the file"), ("", "may not write to the folder")],
)
async def test_a_file_that_may_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarded: str, reason: str
) -> None:
    """With its permissions as the reason, and not as an error of the driver."""
    path = tmp_path / "rows.db"
    url = make_url(f"sqlite:///{path}")
    path.touch()
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path / guarded)
    refused = sqlite3.OperationalError("attempt to write a readonly database")
    refused.sqlite_errorcode = sqlite3.SQLITE_READONLY
    error = sqlite.translate(url, OperationalError(None, None, refused))
    assert isinstance(error, DatabaseUnreachable)
    assert reason in str(error)


def no_database(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("These are not the rows you are looking for. " * 100)
    return path


async def test_closed(url: str) -> None:
    """A closed database says so, and may be closed again."""
    database = await Database.open(url)
    await database.close()
    await database.close()
    with pytest.raises(DatabaseUnreachable, match="closed by this process"):
        await database.read(words)


async def test_close_finishes_what_was_given(url: str, database: Database) -> None:
    """Work that was given before the close is done before it returns."""
    other = await Database.open(url)
    work: list[Awaitable[None]] = [asyncio.create_task(other.write(add, str(n))) for n in range(20)]
    await asyncio.sleep(0)
    await other.close()
    await asyncio.gather(*work)
    assert len(await database.read(words)) == 20


async def test_in_memory() -> None:
    """A database in memory keeps its content between two pieces of work."""
    database = await Database.open("sqlite://")
    await database.write(lambda connection: connection.execute(text("CREATE TABLE words (word TEXT)")))
    await database.write(add, "one")
    assert await database.read(words) == ["one"]
    await database.close()


async def test_forms(database: Database, url: str) -> None:
    """A process that opens the database obeys the persisted forms from its first moment; others are at the default."""
    await database.write(tables.metadata.create_all)
    await database.write(forms.advance, "flavor", Form.BOTH_READ_NEW)
    other = await Database.open(url)
    assert other.form("flavor") is Form.BOTH_READ_NEW
    assert other.form("another") is Form.BOTH_READ_OLD
    assert database.form("flavor") is Form.BOTH_READ_OLD
    await other.close()
