"""What goes on in a network and must wake nobody, made by the programs that make it, and by kernels."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from house.lan.ethernet import Frame
from house.lan.mac import Mac
from house.states import Mode, State
from tests.lab.netns import inside, ip
from tests.lab.network import PORT, Network, Sleeper
from tests.lab.watching import Watching
from tests.lan import frames

UNLISTED = 8080


@dataclass
class Made:
    """How much noise there was."""

    events: int = 0


async def make(net: Network, sleepers: Sequence[Sleeper], ignored: str, rounds: int = 1) -> Made:
    """All of it, so many times. It ends with requesters that are to be ignored."""
    made = Made()
    for _ in range(rounds):
        for sleeper in sleepers:
            made.events += await _announcements(net, sleeper)
            made.events += await _other_vlans(net, sleeper)
            if sleeper.mode is Mode.PROXY:
                made.events += await _what_proxies_do_not_wake_for(net, sleeper)
        made.events += await _duplicate_detection(net, sleepers)
        made.events += await _scan(net)
    made.events += await _ignored(net, sleepers, ignored)
    return made


async def _announcements(net: Network, sleeper: Sleeper) -> int:
    """Somebody announces an address of its own, and asks whether the machine's is free."""
    four = str(sleeper.four)
    await asyncio.gather(
        net.run("arping", "-c3", "-i", "0.05", "-U", "-I", "eth0", "198.18.0.1"),
        net.run("arping", "-c3", "-i", "0.05", "-A", "-I", "eth0", "198.18.0.1"),
        net.run("arping", "-c3", "-i", "0.05", "-w", "1", "-D", "-I", "eth0", four),
    )
    return 9


async def _other_vlans(net: Network, sleeper: Sleeper) -> int:
    """Frames with a tag, made by hand: kernels of build machines often know no VLANs."""
    tagged = [
        *(frames.question(sleeper.four, vlan=n) for n in (1, 7, 4094)),
        *(frames.solicitation(sleeper.six, vlan=n) for n in (1, 7, 4094)),
        *(frames.syn(sleeper.four, 22, vlan=n) for n in (1, 7, 4094)),
    ]
    send(net, tagged)
    return len(tagged)


def open_wire(net: Network) -> socket.socket:
    """What the asker's card sends."""
    with inside(net.asker):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind(("eth0", 0))
    return wire


def send(net: Network, made: Sequence[Frame]) -> None:
    """Send frames as the asker."""
    with open_wire(net) as wire:
        for frame in made:
            wire.send(frame.encode())


async def _what_proxies_do_not_wake_for(net: Network, sleeper: Sleeper) -> int:
    """Questions, pings and unlisted ports: the watcher has the address, and nobody is woken for that."""
    asked = [
        net.run("arping", "-c3", "-i", "0.05", "-w", "1", "-I", "eth0", str(sleeper.four)),
        *(net.run("ping", "-c2", "-i", "0.05", "-W", "0.2", str(a)) for a in (sleeper.four, sleeper.six)),
        *(
            net.run("curl", "-s", "--connect-timeout", "0.3", f"http://{host}:{UNLISTED}/")
            for host in (str(sleeper.four), f"[{sleeper.six}]")
        ),
    ]
    await asyncio.gather(*asked)
    return 9


async def _duplicate_detection(net: Network, sleepers: Sequence[Sleeper]) -> int:
    """The asker's kernel wants addresses of its own, one of them a machine's, and asks first whether they are free."""
    ours = [f"fd00:198::f{n}/64" for n in range(4)] + [f"{sleepers[0].six}/64"]
    ip([f"address add {each} dev eth0" for each in ours], net.asker)
    await asyncio.sleep(1.2)  # what the kernel takes for it
    ip([f"address del {each} dev eth0" for each in ours], net.asker)
    return len(ours)


async def _scan(net: Network) -> int:
    """arp-scan asks for one address after the other, from below the machines' to above them."""
    return await _arp_scan(net, "-i", "2", first=80, last=120)


async def scan_at_random(net: Network, mac: str) -> int:
    """The same in another order, by another requester. The seed is one that does not begin with the machines: in the
    modes that wake for any question, a scan that did would wake them."""
    order = "--random", "--randomseed=3", f"--srcaddr={mac}", f"--arpsha={mac}"
    return await _arp_scan(net, "-i", "2", *order, first=60, last=160)


async def scan_slowly(net: Network, mac: str) -> int:
    """The same in order, two a second."""
    return await _arp_scan(net, "-i", "500", f"--srcaddr={mac}", f"--arpsha={mac}", first=88, last=108)


async def _arp_scan(net: Network, *how: str, first: int, last: int) -> int:
    code, output = await net.run("arp-scan", "-I", "eth0", "-r", "1", *how, f"198.18.0.{first}-198.18.0.{last}")
    assert code == 0, output
    return last - first + 1


async def want(net: Network, watcher: Watching, sleepers: Sequence[Sleeper]) -> None:
    """Machines are wanted by somebody who has not scanned, and wake."""
    visitor = Mac.parse("02:00:00:00:00:67")
    for sleeper in sleepers:
        proxied = sleeper.mode is Mode.PROXY
        send(
            net,
            [frames.syn(sleeper.four, PORT, mac=visitor) if proxied else frames.question(sleeper.four, mac=visitor)],
        )
    await watcher.sees(State.AWAKE, *sleepers)


async def _ignored(net: Network, sleepers: Sequence[Sleeper], ignored: str) -> int:
    """Whoever is to be ignored asks for each machine, in each way."""
    mac = Mac.parse(ignored)
    asked = [
        frame
        for sleeper in sleepers
        for frame in (
            frames.syn(sleeper.four, 22, mac=mac), frames.question(sleeper.four, mac=mac),
            frames.solicitation(sleeper.six, mac=mac), frames.syn(sleeper.six, 22, mac=mac),
        )
    ]  # fmt: skip
    send(net, asked)
    return len(asked)
