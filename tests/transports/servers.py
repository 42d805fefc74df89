"""Real NATS servers for tests: alone or three together, with TLS and nkeys, on ports that nobody else can take."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

from midflight.config import ANONYMOUS, Credentials
from midflight.transports.embedded import _until_we_die, find_binary
from tests.transports.ports import Port
from tests.transports.recorder import eventually

CLUSTER = """
server_name: {name}
cluster {{ name: test, listen: "127.0.0.1:{route}", routes: [{routes}], pool_size: -1 }}
lame_duck_duration: "30s"
lame_duck_grace_period: "2s"
ping_interval: "1s"
ping_max: 2
"""
"""Of one server in a cluster. A frozen neighbour is noticed after three seconds, not after four minutes."""


class NatsServer:
    """One server that keeps its store in a directory. ``more`` is what its configuration says beyond the usual."""

    def __init__(
        self, directory: Path, more: str = "", scheme: str = "nats", credentials: Credentials = ANONYMOUS
    ) -> None:
        self.directory, self.more, self._scheme, self._port = directory, more, scheme, Port()
        self.credentials, self._lame = credentials, False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    def launch(self) -> None:
        """Start it, without waiting."""
        self._lame = False
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "server.conf"
        store = f'jetstream {{ store_dir: "{self.directory}" }}'
        configuration.write_text(f'listen: "127.0.0.1:{self._port}"\n{store}\n{self.more}')
        command = [*_until_we_die(), find_binary(), "--config", str(configuration)]
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def start(self) -> Self:
        """Start it, and wait until it takes connections."""
        self.launch()
        await eventually(self._listens)
        return self

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "server.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port.number)) == 0

    def kill(self) -> None:
        """Make an end of it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """It keeps its connections, and does nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def become_lame(self) -> None:
        """It takes nobody new, and sends away whom it has, one by one; then it ends."""
        self._lame = True
        self._signal(signal.SIGUSR2)

    async def heal(self) -> None:
        """Whatever was done to it, it works again."""
        if self._lame:
            self.kill()
        if self._process is None or self._process.poll() is not None:
            await self.start()
        self.thaw()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def close(self) -> None:
        """Kill it, and give its port back."""
        self.kill()
        self._port.release()


class Cluster:
    """Three servers that keep everything three times."""

    def __init__(
        self, directory: Path, more: str = "", scheme: str = "nats", credentials: Credentials = ANONYMOUS
    ) -> None:
        self._routes = [Port() for _ in range(3)]
        self.credentials = credentials
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._routes)
        self.servers = [
            NatsServer(
                directory / f"n{number}",
                CLUSTER.format(name=f"n{number}", route=port, routes=routes) + more,
                scheme,
                credentials,
            )
            for number, port in enumerate(self._routes)
        ]

    @property
    def url(self) -> str:
        """All of its servers."""
        return ",".join(server.url for server in self.servers)

    async def start(self) -> Self:
        """Start all of them, and wait until they take connections."""
        await asyncio.gather(*(server.start() for server in self.servers))
        return self

    async def heal(self) -> None:
        """Start what was killed, or is about to end, and thaw what is frozen."""
        for server in self.servers:
            await server.heal()

    def kill(self) -> None:
        """Make an end of all of them at once."""
        for server in self.servers:
            server.kill()

    def freeze(self) -> None:
        """All keep their connections, and do nothing."""
        for server in self.servers:
            server.freeze()

    def thaw(self) -> None:
        """All go on."""
        for server in self.servers:
            server.thaw()

    def at(self, netloc: str) -> NatsServer:
        """The server at an address."""
        return next(server for server in self.servers if server.url.endswith(netloc))

    def close(self) -> None:
        """Kill what is left."""
        for server in self.servers:
            server.close()
        for port in self._routes:
            port.release()
