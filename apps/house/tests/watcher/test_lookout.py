"""One interface's lookout, in this process."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest

from house.clock import SystemClock
from house.lan import interfaces
from house.states import State
from house.watcher.acts import Act, Seen
from house.watcher.guard import Guard
from house.watcher.guarded import Guarded, Wake
from house.watcher.lookout import Lookout
from tests.lab.netns import inside
from tests.lab.network import network
from tests.lan.frames import OWNER

PATIENCE = 30.0


class _Nobody:
    """Is told of all, and does nothing."""

    def report(self, wake: Wake) -> None: ...

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
            lookout = Lookout(interfaces.get("eth0"), SystemClock(), _Nobody())
        lookout.start()
        guarded = Guarded("theobromine", OWNER, (IPv4Address("198.18.0.100"),))
        lookout.put(Guard(guarded, lookout.card, lookout.clock.boottime(), State.UNKNOWN))
        lookout.settle()
        async with asyncio.timeout(PATIENCE):
            await again.wait()
        lookout.stop()
    assert (len(ticks), [type(wrong) for wrong in wrongs]) == (2, [ZeroDivisionError])
