"""One interface's lookout, in this process."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest

from house.clock import SystemClock
from house.lan import interfaces
from house.lan.mac import Mac
from house.states import State
from house.watcher.acts import Act, Seen
from house.watcher.guard import Guard
from house.watcher.guarded import Guarded, Wake
from house.watcher.lookout import Lookout
from tests.lab.netns import inside
from tests.lab.network import network
from tests.lan.frames import OWNER, syn

PATIENCE = 30.0


class _Anybody:
    """Is told of all, and notes the wakes."""

    def __init__(self) -> None:
        self.notes = list[str]()

    def report(self, wake: Wake) -> None:
        self.notes.append(f"{wake.machine} told")

    def see(self, seen: Seen) -> None: ...

    def changed(self) -> None: ...


async def test_a_mistake_ends_no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due is done later when it could not be done now."""
    ticks, again, wrongs = list[float](), asyncio.Event(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: wrongs.append(context["exception"]))

    def tick(guard: Guard, now: float) -> list[Act]:
        ticks.append(now)
        if len(ticks) == 1:
            raise ZeroDivisionError
        guard._next_probe = now + PATIENCE
        again.set()
        return []

    monkeypatch.setattr(Guard, "tick", tick)
    async with network([]) as net:
        with inside(net.watcher):
            lookout = Lookout(interfaces.get("eth0"), SystemClock(), _Anybody())
        lookout.start()
        guarded = Guarded("theobromine", OWNER, (IPv4Address("198.18.0.100"),))
        lookout.put(Guard(guarded, lookout.card, lookout.clock.boottime(), State.UNKNOWN))
        lookout.settle()
        async with asyncio.timeout(PATIENCE):
            await again.wait()
        lookout.stop()
    assert (len(ticks), [type(wrong) for wrong in wrongs]) == (2, [ZeroDivisionError])


async def test_no_word_stands_between_a_request_and_its_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines are asked for at once: both have their magic packets before anybody is told of either."""
    listener = _Anybody()
    async with network([]) as net:
        with inside(net.watcher):
            lookout = Lookout(interfaces.get("eth0"), SystemClock(), listener)
        for number in range(2):
            mac, address = Mac((2, 0, 0, 0, 1, number)), IPv4Address("198.18.0.100") + number
            guarded = Guarded(f"m{number}", mac, (address,))
            lookout.put(Guard(guarded, lookout.card, lookout.clock.boottime(), State.ASLEEP))
        asked = [syn(address, 22) for address in lookout._by_address if isinstance(address, IPv4Address)]
        monkeypatch.setattr(lookout._packets, "received", lambda: iter(asked))
        monkeypatch.setattr(lookout._packets, "send", lambda frame: listener.notes.append("sent"))
        lookout._readable()
        lookout.stop()
    assert listener.notes == ["sent"] * 4 + ["m0 told", "m1 told"]
