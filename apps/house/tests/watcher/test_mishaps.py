"""What happens to a watcher's box: interfaces come and go, IPv6 is off, and the watcher is started anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from house.lan import ethernet
from house.lan.ethernet import Frame
from house.lan.mac import BROADCAST
from house.states import State
from tests.lab import noise
from tests.lab.netns import ip
from tests.lab.network import Network, Sleeper, network
from tests.lab.watching import machine_of, watching


async def test_an_interface_that_is_made_anew_is_listened_on_anew(tmp_path: Path) -> None:
    """When the machines are read again, the log says so, and whoever wants a machine that sleeps gets it."""
    sleeper = Sleeper(0)
    async with network([sleeper]) as net, watching(net, tmp_path) as watcher:
        await watcher.sleep(sleeper)
        net.renew_watcher()
        await watcher.ask("set", [machine_of(sleeper)], [])
        (anew,) = watcher.told("watcher.interface_anew")
        assert anew["machines"] == ["m0"]
        await net.curl(sleeper, sleeper.four)
        assert sleeper.woken == 1


async def test_a_machine_that_cannot_be_heard_keeps_no_other_from_being_guarded(tmp_path: Path) -> None:
    """Where the watcher's interface has no IPv6, a machine with such an address is refused, with the way out; one
    without is guarded."""
    both, four = Sleeper(0), Sleeper(1)
    four.more["addresses"] = [str(four.four)]
    async with network([both, four]) as net:
        ip(["link set eth0 mtu 1200"], net.watcher)  # less than IPv6 needs
        async with watching(Network(net.prefix, [four]), tmp_path) as watcher:
            with pytest.raises(RuntimeError, match="cannot listen for IPv6 on eth0: .*; let the interface have IPv6"):
                await watcher.ask("set", [machine_of(both), machine_of(four)], [])
            await watcher.sleep(four)
            await net.curl(four, four.four)
            assert four.woken == 1


async def test_a_machine_that_falls_while_its_watcher_starts_anew_is_guarded(tmp_path: Path) -> None:
    """It has said that it sleeps, and still answers: that is no sign that it woke. When it sleeps, any frame of its own
    is, even one that is malformed."""
    sleeper = Sleeper(0)
    async with network([sleeper]) as net:
        async with watching(net, tmp_path) as watcher:
            await watcher.ask("claim", sleeper.name)
        async with watching(net, tmp_path) as watcher:
            await watcher.sees(State.FALLING, sleeper)
            sleeper.suspend()
            await watcher.sees(State.ASLEEP, sleeper)
            assert watcher.told("watcher.alive") == []
            noise.send(net, [Frame(BROADCAST, sleeper.mac, ethernet.ARP, bytes(46))])
            await watcher.sees(State.AWAKE, sleeper)
        assert watcher.told("watcher.frames_lost")
