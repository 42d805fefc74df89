"""A service that keeps accounts in the database, and an agent that keeps them in a file; each kills itself where it is
told to: ``python -m tests.kills.ledger BROKER FOLDER SERVICE``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert

from midflight import service
from midflight.config import Config
from midflight.context import Context
from midflight.process import run_service
from midflight.project import Project, Runtime, Service
from midflight.rpc.interface import Interface, endpoint
from midflight.rpc.repeats import Once, State
from midflight.service import RunningService
from midflight.transports import connect
from midflight.transports.base import Transport
from midflight.transports.nats import NatsTransport

HOST = "h1"
BEAT_SECONDS = 0.2
ACK_SECONDS = 1.0
"""NATS gives out again after so long what was not acknowledged; a test has no half minute."""

metadata = MetaData()
entries = Table("entries", metadata, Column("id", Integer, primary_key=True), Column("name", String, nullable=False))
"""A row for each time that an entry was made."""


class LedgerAPI(Interface, Protocol, topic="ledger", version="1.0"):
    @endpoint(since="1.0")
    async def add(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.0")
    async def add_twice(self, context: Context, name: str) -> None: ...


class NotesAPI(Interface, Protocol, topic="notes", version="1.0"):
    @endpoint(since="1.0")
    async def add(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.0", idempotent=True)
    async def put(self, context: Context, name: str) -> None: ...


def killed_at(folder: Path, place: str, name: str) -> None:
    """Die here, once, where a test says so."""
    word = folder / f"kill {place} {name}"
    if word.exists():
        word.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def _add(connection: Connection, name: str) -> None:
    connection.execute(insert(entries).values(name=name))


class Ledger(LedgerAPI):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def add(self, context: Context, name: str) -> None:
        killed_at(self.folder, "before", name)
        await context.db.write(_add, name)
        killed_at(self.folder, "between", name)

    async def add_twice(self, context: Context, name: str) -> None:
        await context.db.write(_add, f"{name}, first")
        killed_at(self.folder, "between", name)
        await context.db.write(_add, f"{name}, second")


class Notes(NotesAPI):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def add(self, context: Context, name: str) -> None:
        with (self.folder / "notes").open("a") as file:
            file.write(name + "\n")
        killed_at(self.folder, "between", name)

    async def put(self, context: Context, name: str) -> None:
        await self.add(context, name)


@asynccontextmanager
async def _ledger(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [Ledger(runtime.state.parent)]


@asynccontextmanager
async def _notes(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [Notes(runtime.state.parent)]


@asynccontextmanager
async def _idle(_: Runtime) -> AsyncIterator[Sequence[object]]:
    yield []


SERVICES = [Service("ledger", _ledger, database=True), Service("notes", _notes, agent=True), Service("api", _idle)]


def project_of(folder: Path) -> Project:
    """The project of one folder; no two meet on a broker."""
    return Project(
        f"bank-{sha256(str(folder).encode()).hexdigest()[:12]}", interfaces=[LedgerAPI, NotesAPI], services=SERVICES
    )


def config(broker: str, folder: Path, service: str) -> Config:
    """What each process is told."""
    return Config(
        project="tests.kills.ledger:project", path=str(folder / "midflight.toml"), broker=broker, drain_seconds=2.0,
        beat_seconds=BEAT_SECONDS, database=url(folder) if service in ("ledger", "conductor") else None,
    )  # fmt: skip


def url(folder: Path) -> str:
    """The database."""
    return f"sqlite:///{folder / 'bank.db'}"


def connected(broker: str, *, path: str, **more: Any) -> Transport:
    """As midflight connects, but less patient with the killed."""
    return (
        NatsTransport(broker, ack_wait=ACK_SECONDS, **more)
        if broker.startswith("nats:")
        else connect(broker, path=path, **more)
    )


def _kill_after_the_note(folder: Path) -> None:
    """Between the note that a cast is done and its acknowledgement there is no code of an application."""
    run = Once.run

    async def watched(self: Once, work: Any, message_id: str, **options: Any) -> State:
        state = await run(self, work, message_id, **options)
        killed_at(folder, "after", work.arguments.get("name", ""))
        return state

    Once.run = watched  # type: ignore[method-assign]


def main(broker: str, place: str, name: str) -> int:
    """Run one service until it is killed."""
    folder = Path(place)
    service.connect = connected
    _kill_after_the_note(folder)
    return asyncio.run(run_service(project_of(folder), config(broker, folder, name), name, HOST))


def running(broker: str, folder: Path, name: str) -> Any:
    """A service in the test's own process."""
    return RunningService.running(project_of(folder), config(broker, folder, name), name, HOST)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
