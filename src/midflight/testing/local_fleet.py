"""A fleet in one process: real services, a broker in memory, and rows in a file."""

from __future__ import annotations

import asyncio
import itertools
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from midflight.conductor.contract import release_of
from midflight.config import Config
from midflight.context import Context
from midflight.db.engine import Database
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import UsageError
from midflight.project import Project, Runtime
from midflight.service import RunningService
from midflight.testing.local_member import LocalMember
from midflight.testing.skew import speaking
from midflight.transports.memory import bus_named
from midflight.versions import Manifest

_numbers = itertools.count()
_empty: dict[tuple[str, str, str, tuple[str, ...]], bytes] = {}
"""The database that has no rows yet, by project, release, the digest of its revisions, and data migrations: expanded
once in a process."""


class LocalFleet:
    """The services of a project, each started when a test says so, in the test's own process and event loop.

    ``async with LocalFleet(project, tmp_path) as fleet:`` gives it an expanded schema in an SQLite file in ``folder``,
    and stops whoever still runs at its end. ``app`` is the ``[app]`` table of the configuration of all members, and
    ``config`` may have more entries of midflight.toml's first table. With ``broker``, the URL of a real one, others can
    speak to it too; then its network cannot be disturbed.
    """

    def __init__(
        self, project: Project, folder: Path, *, app: Mapping[str, Any] | None = None, broker: str = "", **config: Any
    ) -> None:
        self.project, self.folder = project, folder
        self.database = f"sqlite:///{folder / 'fleet.db'}"
        """Its URL."""
        self.members: list[LocalMember] = []
        """Whoever was started, in that order."""
        name = f"local-{next(_numbers)}"
        self._bus = None if broker else bus_named(name, project.name)
        self._config = {
            "project": f"{project.name}:project", "path": str(folder / "midflight.toml"),
            "broker": broker or f"memory:{name}", "beat_seconds": 0.2, "app": dict(app or {}), **config,
        }  # fmt: skip
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._expand)
        self._rows = await Database.open(self.database)
        self._stack.push_async_callback(self._rows.close)
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._stack.__aexit__(*exc_info)

    def _expand(self) -> None:
        (self.folder / "fleet.db").write_bytes(empty_database(self.project))

    def context(self, **values: str) -> Context:
        """A context in a process that has the database, and nobody to speak to; no service has to run. To speak to the
        others, take the ``context`` of a member."""
        return Context(values, database=self._rows)

    async def start(
        self,
        service: str,
        host: str = "h1",
        *,
        speaks: str = "",
        serving: Sequence[object] = (),
        sockets: Sequence[socket.socket] = (),
    ) -> LocalMember:
        """Start a member, and return when it takes work and whoever knows of its like knows of it. A conductor comes
        first, since all others join through one; who starts last need not be waited for, and knows all others at once.

        With ``speaks`` it is skewed: its code is today's, but on the wire it is a member of that frozen release, which
        others see, obey and translate for. With ``serving``, these objects stand in for what its run would yield.
        ``sockets`` are what a supervisor would pass it. Raises what a start of the service raises. In an
        ``asyncio.timeout`` that is over, whoever has not started yet is gone.
        """
        project = _standing_in(self.project, service, serving) if serving else self.project
        kind = speaking(self.project.release(speaks)) if speaks else RunningService
        starting = kind.running(project, self._config_of(service), service, host, sockets=sockets)
        member = await LocalMember.started(starting, self._bus)
        self._stack.push_async_callback(member.stop)
        self.members.append(member)
        while not all(self._is_known(member, other) for other in self.members):  # noqa: ASYNC110  # by their next beat
            await asyncio.sleep(0.005)
        return member

    def _is_known(self, member: LocalMember, other: LocalMember) -> bool:
        """Whether another one has been told of a member. Agents need not be, who are told of few others."""
        if other is member or not other.hears or self.project.is_agent(other.service):
            return True
        return all(other.told_of(topic, member.host) == self._spoken_at(topic, member.host) for topic in member.topics)

    def _spoken_at(self, topic: str, host: str) -> str:
        """The digest of what all members understand that take work there."""
        there = [each for each in self.members if each.hears and each.host == host and topic in each.topics]
        return Manifest.lowest([each.manifest for each in there]).digest

    def _config_of(self, service: str) -> Config:
        database = self.database if self.project.opens_database(service) else None
        return Config(**{**self._config, "database": database})

    async def settled(self, seconds: float = 60.0) -> None:
        """Return when every cast has run that somebody can run now; what waits for a member that is away or cut off
        waits on. Raises TimeoutError when some do not end."""
        if self._bus is None:
            raise UsageError(reason="this fleet was given a broker, and does not see all that goes over it")
        async with asyncio.timeout(seconds):
            while self._bus.unfinished:  # noqa: ASYNC110  # nothing tells when the last is done, and has brought no other
                await asyncio.sleep(0.005)


def empty_database(project: Project) -> bytes:
    """An SQLite file with the schema as the project's code needs it, and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        release = release_of(project)
        runner = SchemaRunner(f"sqlite:///{file}", project.schema, project.tables, release)
        key = project.name, release, runner.digest, tuple(project.migrations)
        if key not in _empty:
            runner.expand(project.migrations)
            _empty[key] = file.read_bytes()
    return _empty[key]


def _standing_in(project: Project, service: str, serving: Sequence[object]) -> Project:
    changed = copy(project)
    changed.services = {**project.services, service: replace(project.service(service), run=partial(_served, serving))}
    return changed


@asynccontextmanager
async def _served(serving: Sequence[object], _: Runtime) -> AsyncIterator[Sequence[object]]:
    yield serving
