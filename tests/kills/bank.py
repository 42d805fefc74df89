"""The fleet of a test: its conductor and its api live here, the ledger and the agent in processes to be killed."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select

from midflight.db.schema.runner import SchemaRunner
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.transports.base import ParkedMessage
from tests.kills import ledger
from tests.kills.ledger import HOST, LedgerAPI, NotesAPI

LEDGER, NOTES = Client(LedgerAPI).on(HOST), Client(NotesAPI).on(HOST)
PATIENCE = 60.0


class Bank:
    """``accounts`` and ``notes`` say how often each entry was made."""

    def __init__(self, broker: str, folder: Path) -> None:
        self.broker, self.folder = broker, folder
        self.api: RunningService
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, broker: str, folder: Path) -> AsyncIterator[Bank]:
        bank = cls(broker, folder)
        SchemaRunner(ledger.url(folder), None, None, "unreleased").expand()
        engine = create_engine(ledger.url(folder))
        ledger.metadata.create_all(engine)
        engine.dispose()
        async with ledger.running(broker, folder, "conductor"), ledger.running(broker, folder, "api") as bank.api:
            try:
                yield bank
            finally:
                for process in bank.processes.values():
                    if process.returncode is None:
                        process.kill()
                    await process.wait()

    async def start(self, service: str) -> None:
        """A service in a process of its own; returns before it is ready."""
        with (self.folder / f"{service}.log").open("wb") as log:
            self.processes[service] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.kills.ledger", self.broker, str(self.folder), service), stderr=log
            )

    async def killed(self, service: str) -> None:
        """Wait until it has killed itself."""
        async with asyncio.timeout(PATIENCE):
            assert await self.processes[service].wait() == -9

    async def kill(self, service: str) -> None:
        self.processes[service].kill()
        await self.processes[service].wait()

    async def stop(self, service: str) -> None:
        """Once it is ready, have it drain and leave."""
        await eventually(lambda: "service.ready" in (self.folder / f"{service}.log").read_text())
        self.processes[service].terminate()
        async with asyncio.timeout(PATIENCE):
            assert await self.processes[service].wait() == 0

    def kill_at(self, place: str, name: str) -> None:
        """Whoever comes to this place with this entry dies there, once."""
        (self.folder / f"kill {place} {name}").touch()

    async def cast(self, client: Client[Any], endpoint: Any, *names: str) -> None:
        for name in names:
            await client.cast(endpoint, self.api.context(), name)

    @property
    def accounts(self) -> Counter[str]:
        engine = create_engine(ledger.url(self.folder))
        with engine.connect() as connection:
            found = Counter(connection.execute(select(ledger.entries.c.name)).scalars())
        engine.dispose()
        return found

    @property
    def notes(self) -> Counter[str]:
        file = self.folder / "notes"
        return Counter(file.read_text().split() if file.exists() else [])

    async def parked(self, count: int) -> list[ParkedMessage]:
        """So many, and not one more or less."""
        found: list[ParkedMessage] = []

        async def look() -> bool:
            found[:] = await self.api.transport.parked()
            return len(found) == count

        await eventually(look)
        return found


async def eventually(what: Callable[[], Any] | Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = what()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.05)
