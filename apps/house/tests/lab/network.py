"""A house in namespaces: a bridge, an asker, a watcher, and machines that sleep behind a network card.

The card stays linked while its machine's interface is down, and looks for the real magic packet; then the machine
resumes, which takes it as long as it takes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from house.lan import magic
from house.lan.mac import Mac
from house.states import Mode
from tests.lab.netns import inside, ip, sysctl

PORT = 22
_ALL = 0x0003
_FIRST_OTHER = 10
_numbers = itertools.count()


@dataclass
class Sleeper:
    """A machine: its interface is down while it sleeps."""

    number: int
    resume: float = 0.0
    mode: Mode = Mode.PROXY
    vlan: int | None = None
    more: dict[str, object] = field(default_factory=dict)
    """What else its watcher is told."""
    asleep: bool = False
    woken: int = 0
    """How often its card has woken it."""
    namespace: str = ""
    called: str = ""
    port: int = PORT
    """At which it serves a page with its name."""
    programs: Callable[[bool], None] = lambda runs: None
    """Told that all its programs stand still, or that they go on."""
    up: asyncio.Event = field(default_factory=asyncio.Event)
    down: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return self.called or f"m{self.number}"

    @property
    def mac(self) -> Mac:
        return Mac((2, 0, 0, 0, 1, self.number))

    @property
    def four(self) -> IPv4Address:
        return IPv4Address("198.18.0.100") + self.number

    @property
    def six(self) -> IPv6Address:
        return IPv6Address("fd00:198::100") + self.number

    def suspend(self) -> None:
        """Its interface goes down; the card listens."""
        self.asleep = True
        self.up.clear()
        self.programs(False)
        ip(["link set eth0 down"], self.namespace)
        self.down.set()

    def wakes(self) -> None:
        """The card has seen the packet."""
        if self.asleep:
            self.asleep = False
            self.woken += 1
            self.down.clear()
            asyncio.get_running_loop().call_later(self.resume, self._resume)

    def _resume(self) -> None:
        ip(["link set eth0 up"], self.namespace)
        self.programs(True)
        self.up.set()


@dataclass
class Network:
    """The house. ``asker`` and ``watcher`` are namespaces; so is that of each sleeper. ``others`` are hosts that never
    sleep, by name: each one's namespace and address."""

    prefix: str
    sleepers: list[Sleeper]
    others: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def asker(self) -> str:
        return f"{self.prefix}a"

    @property
    def watcher(self) -> str:
        return f"{self.prefix}w"

    def cache(self, sleeper: Sleeper, stale: bool) -> None:
        """What the asker knows of a machine before it sleeps: its address, from long ago, or nothing."""
        ip(
            [
                f"neigh {'replace' if stale else 'flush to'} {address}"
                + (f" lladdr {sleeper.mac} dev eth0 nud stale" if stale else "")
                for address in (sleeper.four, sleeper.six)
            ],
            self.asker,
        )

    def knows(self, sleeper: Sleeper) -> None:
        """The asker has talked lately to whoever has the machine's address, which is the watcher."""
        has = "lladdr 02:00:00:00:00:02 dev eth0 nud reachable"
        ip([f"neigh replace {address} {has}" for address in (sleeper.four, sleeper.six)], self.asker)

    def renew_watcher(self) -> None:
        """The watcher's interface is taken away, and made anew under its old name."""
        ip(["link delete eth0"], self.watcher)
        _host(f"{self.prefix}b", self.watcher, "pwatcher", "02:00:00:00:00:02", 2)

    async def run(self, *command: str, namespace: str | None = None, folder: Path | None = None) -> tuple[int, str]:
        """Run a program at the asker's, or elsewhere: its exit code and output."""
        running = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", namespace or self.asker, *command,
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await running.communicate()
        assert running.returncode is not None
        return running.returncode, output.decode()

    async def curl(self, sleeper: Sleeper, address: IPv4Address | IPv6Address) -> float:
        """Ask a machine for a page; how long it took to connect. Fails as curl does."""
        host = f"[{address}]" if address.version == 6 else str(address)
        url = f"http://{host}:{sleeper.port}/"
        code, output = await self.run("curl", "-sS", "--connect-timeout", "30", "-w", " %{time_connect}", url)
        assert code == 0, f"curl {url}: {code} {output}"
        name, took = output.split()
        assert name == sleeper.name
        return float(took)


@asynccontextmanager
async def network(
    sleepers: Sequence[Sleeper], snooping: bool = False, others: Sequence[str] = ()
) -> AsyncIterator[Network]:
    """Build it, and take it down."""
    prefix = f"hl{os.getpid()}x{next(_numbers)}"
    built = Network(prefix, list(sleepers))
    built.others = {name: (f"{prefix}o{n}", f"198.18.0.{n}") for n, name in enumerate(others, _FIRST_OTHER)}
    switch, cards = f"{prefix}b", f"{prefix}c"
    namespaces = [switch, cards, built.asker, built.watcher, *(each for each, _ in built.others.values())]
    for sleeper in sleepers:
        sleeper.namespace = f"{prefix}s{sleeper.number}"
        namespaces.append(sleeper.namespace)
    ip([f"netns add {name}" for name in namespaces])
    serving: list[asyncio.Server] = []
    looking: list[socket.socket] = []
    try:
        _build(built, switch, cards, snooping)
        for sleeper in sleepers:
            looking.append(_card(sleeper, cards))
            serving.append(await _serve(sleeper))
        yield built
    finally:
        for listening in looking:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        for server in serving:
            server.close()
            await server.wait_closed()
        ip([f"netns delete {name}" for name in namespaces])


def _build(built: Network, switch: str, cards: str, snooping: bool) -> None:
    # In IGMP 2 hosts would be silent where they hear others report the same group, and the switch would not know them.
    flags = "mcast_snooping 1 mcast_querier 1 mcast_igmp_version 3" if snooping else "mcast_snooping 0"
    ip([f"link add br0 type bridge forward_delay 0 {flags}", "link set br0 up"], switch)
    _host(switch, built.asker, "pasker", "02:00:00:00:00:01", 1)
    _host(switch, built.watcher, "pwatcher", "02:00:00:00:00:02", 2)
    for n, (namespace, _) in enumerate(built.others.values(), _FIRST_OTHER):
        _host(switch, namespace, f"pother{n}", f"02:00:00:00:00:{n:02x}", n)
    for sleeper in built.sleepers:
        n = sleeper.number
        ip(
            [
                f"link add p{n} type veth peer name wire{n} netns {cards}",
                f"link set p{n} master br0",
                f"link set p{n} up",
            ],
            switch,
        )
        sysctl(sleeper.namespace, ipv6__conf__default__accept_dad=0)
        ip(
            [
                f"link add card{n} type veth peer name eth0 address {sleeper.mac} netns {sleeper.namespace}",
                f"link add b{n} type bridge forward_delay 0 mcast_snooping 0",
                f"link set wire{n} master b{n}",
                f"link set card{n} master b{n}",
                *(f"link set {each}{n} up" for each in ("wire", "card", "b")),
            ],
            cards,
        )
        sysctl(sleeper.namespace, ipv6__conf__eth0__keep_addr_on_down=1, ipv6__conf__eth0__accept_dad=0)
        ip(
            [
                f"address add {sleeper.four}/16 dev eth0",
                f"address add {sleeper.six}/64 dev eth0 nodad",
                "link set eth0 up",
                "link set lo up",
            ],
            sleeper.namespace,
        )
        sleeper.up.set()


def _host(switch: str, namespace: str, port: str, mac: str, number: int) -> None:
    ip(
        [
            f"link add {port} type veth peer name eth0 address {mac} netns {namespace}",
            f"link set {port} master br0",
            f"link set {port} up",
        ],
        switch,
    )
    ip(
        [
            f"address add 198.18.0.{number}/16 dev eth0",
            f"address add fd00:198::{number}/64 dev eth0 nodad",
            "link set eth0 up",
            "link set lo up",
        ],
        namespace,
    )


def _card(sleeper: Sleeper, cards: str) -> socket.socket:
    """What is always on: it sees each frame of its wire."""
    with inside(cards):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ALL)
        wire.bind((f"wire{sleeper.number}", _ALL))
    wire.setblocking(False)

    def look() -> None:
        for _ in range(256):
            try:
                data = wire.recv(2048)
            except BlockingIOError:
                return
            if sleeper.asleep and magic.is_for(sleeper.mac, data):
                sleeper.wakes()

    asyncio.get_running_loop().add_reader(wire, look)
    return wire


async def _serve(sleeper: Sleeper) -> asyncio.Server:
    with inside(sleeper.namespace):
        listening = socket.create_server(("", sleeper.port), family=socket.AF_INET6, dualstack_ipv6=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(f"HTTP/1.0 200 OK\r\n\r\n{sleeper.name}".encode())
        writer.close()

    return await asyncio.start_server(answer, sock=listening)
