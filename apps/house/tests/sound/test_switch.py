"""The laboratory's users, and the switch between its hosts."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from contextlib import ExitStack

from tests.lab.netns import inside
from tests.sound.lab.switch import Host, hosts, port, users

GROUPS = [f"239.255.12.{n}" for n in range(1, 17)]


def test_users_are_one_laboratorys() -> None:
    """No two laboratories have a user in common, and those of one that has ended are free again."""
    with users() as first:
        with users() as second:
            assert not set(range(first, first + 8)) & set(range(second, second + 8))
        with users() as third:
            assert first != third


async def test_the_switch_learns_of_every_listener() -> None:
    """Also of those that begin to listen to the same while it does not know its querier, and passes on to each of them
    what the others report."""
    async with hosts("kitchen", "office", "bedroom") as built:
        with ExitStack() as listening:
            for group in GROUPS:
                for host in built:
                    listening.enter_context(_listener(host, group))
            switch, _ = port(built[0])
            async with asyncio.timeout(20):
                while _listeners(switch) < {(group, port(host)[1]) for group in GROUPS for host in built}:
                    await asyncio.sleep(0.2)


def _listener(host: Host, group: str) -> socket.socket:
    with inside(host.namespace):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4))
    return listener


def _listeners(switch: str) -> set[tuple[str, str]]:
    """Groups, and the interfaces of the switch behind which somebody listens to them."""
    told = ["bridge", "-n", switch, "-json", "mdb", "show"]
    (known,) = json.loads(subprocess.run(told, capture_output=True, check=True).stdout)
    return {(each["grp"], each["port"]) for each in known["mdb"] if each["grp"] in GROUPS}
