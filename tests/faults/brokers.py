"""The brokers of the stages, and what they say of themselves."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import structs

from midflight.config import ANONYMOUS, Credentials
from midflight.errors import BrokerUnreachable
from midflight.transports.nats_connection import Connection, NotTaken
from tests.faults.stage import Broker
from tests.transports.certificates import Authority, secured
from tests.transports.rabbit import Rabbit
from tests.transports.servers import Cluster, NatsServer

READY_SECONDS = 240.0
ASK_SECONDS = 1.0
UNANSWERED = BrokerUnreachable, NotTaken, TimeoutError, KeyError
"""What becomes of a question while nobody leads."""
SMALL = "64m"


class JetStream:
    """What is asked of the servers that live, through a connection of its own."""

    def __init__(self, *servers: NatsServer) -> None:
        self._servers = servers

    async def ready(self, dead: NatsServer | None = None) -> None:
        """Wait until it takes casts and gives them out: each stream and each consumer has a leader, which lives."""
        alive = [server for server in self._servers if server is not dead]
        gone = f"n{self._servers.index(dead)}" if dead else ""
        async with asyncio.timeout(READY_SECONDS):
            while not await self._leads(alive, gone):
                await asyncio.sleep(0.05)

    async def backlog(self) -> int:
        """How many casts it has that are not done, as soon as somebody leads: who has just thawed, or come again, may
        leave the first questions without an answer."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                try:
                    async with self._asking([*self._servers]) as ask:
                        return sum(
                            [(await ask(f"STREAM.INFO.{name}"))["state"]["messages"] for name in await _casts(ask)]
                        )
                except UNANSWERED:
                    await asyncio.sleep(0.05)

    async def _leads(self, alive: list[NatsServer], gone: str) -> bool:
        try:
            async with self._asking(alive) as ask:
                for stream in await _casts(ask):
                    listed = await ask(f"CONSUMER.LIST.{stream}")
                    found = [await ask(f"STREAM.INFO.{stream}"), *listed["consumers"]]
                    leaders = [each.get("cluster", {"leader": "alone"}).get("leader") for each in found]
                    if listed.get("missing") or not all(leaders) or gone in leaders:
                        return False
        except UNANSWERED:
            return False
        return True

    @asynccontextmanager
    async def _asking(self, servers: list[NatsServer]) -> AsyncIterator[Callable[[str], Any]]:
        connection = Connection(",".join(server.url for server in servers), "witness", servers[0].credentials)

        async def ask(what: str) -> Any:
            return msgspec.json.decode((await connection.request(f"$JS.API.{what}", b"", ASK_SECONDS)).data)

        await connection.open()
        try:
            yield ask
        finally:
            await connection.close()


async def _casts(ask: Callable[[str], Any]) -> list[str]:
    names = (await ask("STREAM.NAMES"))["streams"] or []
    return [name for name in names if (await ask(f"STREAM.INFO.{name}"))["config"]["retention"] == "workqueue"]


class OneNats(NatsServer):
    """One server of NATS."""

    async def ready(self) -> None:
        """See ``JetStream.ready``."""
        await JetStream(self).ready()

    async def backlog(self) -> int:
        """See ``JetStream.backlog``."""
        return await JetStream(self).backlog()


class SmallNats(OneNats):
    """One server of NATS with a small disk for itself."""

    async def start(self) -> Self:
        """Start it, on the disk that it had before."""
        if not os.path.ismount(self.directory):
            _run("mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", str(self.directory))
        return await super().start()

    def close(self) -> None:
        """End it for good."""
        super().close()
        _run("umount", str(self.directory))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr} (a file system needs root)"


class ThreeNats(Cluster):
    """Three of them together."""

    async def ready(self, dead: NatsServer | None = None) -> None:
        """See ``JetStream.ready``."""
        await JetStream(*self.servers).ready(dead)

    async def backlog(self) -> int:
        """See ``JetStream.backlog``."""
        return await JetStream(*self.servers).backlog()


class OneRabbit(Rabbit):
    """One server of RabbitMQ, which is ready as soon as it was started."""

    credentials = ANONYMOUS

    async def ready(self) -> None:
        """It is."""

    async def backlog(self) -> int:
        """How many casts it has that are not done."""
        listed = await asyncio.to_thread(self.control, "list_queues", "--no-table-headers", "name", "messages")
        queues = [line.split() for line in listed.splitlines()]
        return sum(int(messages) for name, messages in queues if ".cast." in name)


class SecuredRabbit(OneRabbit):
    """Is found where it speaks TLS, by those who show a certificate."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder / "authority")
        super().__init__(folder, authority.issue("server"))
        self.credentials = authority.issue("member")

    @property
    def url(self) -> str:
        return self.tls_url


def _secured(folder: Path) -> tuple[str, str, Credentials]:
    """What comes behind a folder, for servers that want to see a certificate and an nkey."""
    authority = Authority(folder / "authority")
    nkey = authority.nkey("member")
    return secured(authority.issue("server"), nkey), "tls", structs.replace(authority.issue("member"), nkey=nkey)


BROKERS: dict[str, Callable[[Path], Broker]] = {
    "nats": OneNats,
    "nats-small": SmallNats,
    "nats-tls": lambda folder: OneNats(folder, *_secured(folder)),
    "cluster": ThreeNats,
    "cluster-tls": lambda folder: ThreeNats(folder, *_secured(folder)),
    "rabbit": OneRabbit,
    "rabbit-tls": SecuredRabbit,
}
