"""A network of its own for some members: a namespace, and one cable to it, which can be pulled out."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.transports.relay import Relay

_numbers = itertools.count(os.getpid() % 120)


class Network:
    """Inside, ``enter`` stands before a command; a broker of this machine is found there at ``way(url)``."""

    def __init__(self, relays: dict[str, Relay], enter: Sequence[str] = (), cable: str = "") -> None:
        self.relays, self.enter, self._cable = relays, enter, cable

    def way(self, url: str) -> str:
        """The URL of a broker, with the places at which its servers are found from there."""
        for netloc, relay in self.relays.items():
            url = url.replace(netloc, relay.netloc)
        return url

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told."""
        _ip("link", "set", self._cable, "down")

    def mend(self) -> None:
        """It passes again."""
        _ip("link", "set", self._cable, "up")

    def delay(self, seconds: float) -> None:
        """Everything takes so much longer, each way. Build machines' kernels often have no netem: the relays do it."""
        for relay in self.relays.values():
            relay.delay = seconds

    def stop_reading(self) -> None:
        """What members say is not read any more, on the connections that they have."""
        for relay in self.relays.values():
            relay.stop_reading()


@asynccontextmanager
async def relayed(url: str, address: str = "127.0.0.1") -> AsyncIterator[Network]:
    """A way to each server of the broker that begins at this address."""
    async with AsyncExitStack() as stack:
        relays: dict[str, Relay] = {}
        for netloc, port in re.findall(r"(127\.0\.0\.1:(\d+))", url):
            relays[netloc] = await Relay(int(port)).start(address)
            stack.push_async_callback(relays[netloc].stop)
        yield Network(relays)


@asynccontextmanager
async def cabled(url: str) -> AsyncIterator[Network]:
    """The same, from a namespace."""
    number = next(_numbers) % 120
    name, cable, ours, theirs = f"mf-faults-{os.getpid()}-{number}", f"mff{os.getpid()}.{number}", *_addresses(number)
    _ip("netns", "add", name)
    try:
        _ip("link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", name)
        _ip("address", "add", f"{ours}/30", "dev", cable)
        _ip("link", "set", cable, "up")
        _ip("-n", name, "address", "add", f"{theirs}/30", "dev", "cable")
        _ip("-n", name, "link", "set", "cable", "up")
        async with relayed(url, ours) as network:
            yield Network(network.relays, ["ip", "netns", "exec", name], cable)
    finally:
        _ip("netns", "delete", name)


def _addresses(number: int) -> tuple[str, str]:
    """Two of the range for measuring, which is nobody's."""
    return f"198.18.{number}.1", f"198.18.{number}.2"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr} (namespaces need root)"
