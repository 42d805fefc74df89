"""A fleet in one process: real services on a memory bus, with a real database."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, delete, insert

from midflight.conductor.interface import ConductorAPI, Fleet, Member
from midflight.config import Config
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.runner import SchemaRunner
from midflight.db.tables import members
from midflight.project import Project
from midflight.rpc import messages
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.versions import Manifest
from tests.conductor import juno, kilo, tables

BEAT_SECONDS = 0.2
CONDUCTOR = Client(ConductorAPI)

_buses = itertools.count()


def freeze(folder: Path, name: str, sequence: int, manifest: Manifest, topics: tuple[str, ...] = ("compute",)) -> None:
    """Write a release file."""
    lines = [f'release = "{name}"', f"sequence = {sequence}"]
    for word, version in manifest.items():
        lines.append(f"[{'interfaces' if word in topics else 'objects'}.{word}]")
        lines.append(f'version = "{version}"')
        if word in manifest.readable_from:
            lines.append(f'readable_from = "{manifest.readable_from[word]}"')
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text("\n".join(lines))


class World:
    """Where the services of a test live."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        self.folder = folder
        self.broker = f"memory:world-{next(_buses)}"
        self.database = database or f"sqlite:///{folder / 'shop.db'}"
        for sequence, release in enumerate((juno, kilo), start=1):
            name = release.__name__.rpartition(".")[2]
            freeze(folder / "releases", name, sequence, release.project().contract.manifest)
        SchemaRunner(self.database, None, None, "juno").expand()
        self._rows(tables.metadata.create_all)

    def forget_members(self, service: str) -> None:
        """As if an operator had retired them."""
        self._rows(lambda connection: connection.execute(delete(members).where(members.c.service == service)))

    def add(self, *names: str, host: str = "h1", boots: int = 0) -> None:
        """Put machines into the table."""
        rows = [{"name": name, "host": host, "boots": boots} for name in names]
        self._rows(lambda connection: connection.execute(insert(tables.machines), rows))

    def _rows(self, work: Callable[[Connection], Any]) -> None:
        engine = create(parse(self.database))
        with transaction(engine, writes=True) as connection:
            work(connection)
        engine.dispose()

    def project(self, release: ModuleType = juno) -> Project:
        """The project as one release's code has it; both know both frozen releases."""
        found: Project = release.project(self.folder / "releases")
        return found

    def config(self, service: str, **more: Any) -> Config:
        """The configuration of one process."""
        given: dict[str, Any] = {
            "project": "tests.conductor.juno:project", "path": str(self.folder / "midflight.toml"),
            "broker": self.broker, "beat_seconds": BEAT_SECONDS, "drain_seconds": 2.0, "call_seconds": 8.0,
            "database": None if service == "agent" else self.database,
        }  # fmt: skip
        return Config(**(given | more))

    def running(
        self, service: str, host: str = "h1", release: ModuleType = juno, **config: Any
    ) -> AbstractAsyncContextManager[RunningService]:
        """A service, from its start to its end."""
        return RunningService.running(self.project(release), self.config(service, **config), service, host)


async def fleet(running: RunningService) -> Fleet:
    """The fleet's facts, asked through one member."""
    return await CONDUCTOR.call(ConductorAPI.fleet, running.context())


async def member(asked: RunningService, of: RunningService | str) -> Member:
    """One member of the fleet, by its service or id."""
    wanted = of if isinstance(of, str) else of.id
    (found,) = [each for each in (await fleet(asked)).members if wanted in (each.id, f"{each.service}@{each.host}")]
    return found


async def eventually(what: Callable[[], Awaitable[Any]] | Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is true, and return it."""
    async with asyncio.timeout(seconds):
        while True:
            found = what()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            await asyncio.sleep(0.02)


def count_calls(running: RunningService, say: Callable[[messages.Request], str] = lambda said: said.what) -> list[str]:
    """From now on, what each call says that a member sends: ``conductor.run``."""
    sent: list[str] = []
    call = running.transport.call

    async def counted(address: Any, body: bytes, timeout: float) -> bytes:
        sent.append(say(messages.decode_request(body)))
        return await call(address, body, timeout)

    running.transport.call = counted  # type: ignore[method-assign]
    return sent
