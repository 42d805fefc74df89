"""What a watcher acknowledges is true: it can hear the machine, under all its addresses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from house.states import State
from tests.lab.network import Sleeper, network
from tests.lab.watching import Watching, watching


async def _refusal(watcher: Watching, sleeper: Sleeper) -> str | None:
    try:
        await watcher.ask("claim", sleeper.name)
    except RuntimeError as wrong:
        return str(wrong).partition(": ")[2]
    return None


async def test_a_machine_that_the_watcher_cannot_hear_is_not_claimed(tmp_path: Path) -> None:
    """One has an address that is not its own, one is in another VLAN, one has none that is known, and one has a second
    address that is another host's: each is told so, and must not sleep. Only one that answers may."""
    more: list[dict[str, object]] = [
        {}, {"addresses": ["198.18.0.101", "198.18.9.9"]}, {"vlan": 7}, {"addresses": []},
        {"addresses": ["198.18.0.104", "fd00:198::104", "fd00:198::1"]},
    ]  # fmt: skip
    sleepers = [Sleeper(number, more=each) for number, each in enumerate(more)]
    way_out = "correct that: house set {} addresses=…, interface=… or vlan=…"
    async with network(sleepers) as net, watching(net, tmp_path) as watcher:
        assert await asyncio.gather(*(_refusal(watcher, sleeper) for sleeper in sleepers)) == [
            None,
            f"it does not answer on eth0 at 198.18.9.9; {way_out.format('m1')}",
            f"it does not answer on eth0 in VLAN 7 at 198.18.0.102, fd00:198::102; {way_out.format('m2')}",
            "the house knows no address of it, so nobody could ask for it",
            "another host has its address too: 02:00:00:00:00:01",
        ]
        states = await watcher.ask("states")
        assert [name for name, state in states.items() if state == State.FALLING] == ["m0"]


async def test_a_machine_that_is_forgotten_meanwhile_is_not_claimed(tmp_path: Path) -> None:
    """The house forgets it while the watcher still listens for it: nobody would wake it."""
    sleeper = Sleeper(0)
    async with network([sleeper]) as net, watching(net, tmp_path) as watcher:
        with pytest.raises(
            RuntimeError, match="the house has forgotten it meanwhile, or has given it to another watcher"
        ):
            await watcher.ask("claim_and_forget", sleeper.name)
        assert await watcher.ask("states") == {}
