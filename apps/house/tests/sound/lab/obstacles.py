"""What may be in the way between a stream and a room, for as long as the block lasts: packets that get lost, a switch
that passes no multicast on or sends it to everybody, and a way on which packets take longer and shorter."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tests.lab.netns import ip
from tests.sound.lab import pulse
from tests.sound.lab.cards import HERE
from tests.sound.lab.switch import Host, port

_NFT = "nft", "-f", "-"


@contextmanager
def drops(host: Host, rule: str) -> Iterator[None]:
    """Frames for a host of which an expression of nft is true do not arrive, and its kernel knows nothing of them."""
    hook = 'type filter hook ingress device "eth0" priority 0'
    _nft(host, f"table netdev obstacle {{\n chain way {{\n {hook}\n {rule} drop\n }}\n}}\n")
    try:
        yield
    finally:
        _nft(host, "delete table netdev obstacle")


def _nft(host: Host, rules: str) -> None:
    subprocess.run(["ip", "netns", "exec", host.namespace, *_NFT], input=rules, text=True, check=True)


def loses(percent: int) -> str:
    """The expression for so many of a hundred packets."""
    return f"ip protocol {{ udp, tcp }} numgen random mod 100 < {percent}"


MULTICAST = "ip daddr 239.0.0.0/8"
"""The expression for streams."""


@contextmanager
def flooded(host: Host) -> Iterator[None]:
    """Its switch does not look into multicast, and sends it to everybody."""
    switch, _ = port(host)
    ip(["link set br0 type bridge mcast_snooping 0"], switch)
    try:
        yield
    finally:
        ip(["link set br0 type bridge mcast_snooping 1"], switch)


@asynccontextmanager
async def jitter(host: Host, shortest_ms: float, longest_ms: float) -> AsyncIterator[None]:
    """What goes to a host takes so long, now longer, now shorter, and stays in its order."""
    switch, its = port(host)
    ip(
        [
            f"link set {its} nomaster", "link add j0 type veth peer name j1", "link set j0 master br0",
            f"link set {its} promisc on", "link set j1 promisc on", "link set j0 up", "link set j1 up",
        ],
        switch,
    )  # fmt: skip
    relay = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", switch, sys.executable, "-m", "tests.sound.lab.relay",
        "j1", its, str(shortest_ms), str(longest_ms), cwd=HERE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert relay.stdout is not None
        assert await relay.stdout.readline() == b"relays\n"
        yield
    finally:
        if relay.returncode is None:
            relay.kill()
        await relay.wait()
        ip(["link delete j0", f"link set {its} promisc off master br0"], switch)


@asynccontextmanager
async def sends(host: Host, group: str) -> AsyncIterator[None]:
    """Its PulseAudio, of which no agent knows, sends a tone to that group."""
    await host.run("sh", "-c", pulse.START)
    to = f"destination_ip={group} port=5004 rate=48000 channels=2 format=s16be"
    loaded = list[str]()
    try:
        for module in (f"module-sine sink={pulse.CARD}", f"module-rtp-send source={pulse.CARD}.monitor {to}"):
            loaded.append((await host.run("pactl", "load-module", *module.split())).strip())
        yield
    finally:
        for index in reversed(loaded):
            await host.run("pactl", "unload-module", index)
