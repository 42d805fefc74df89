"""All of the house at once: a machine's own agent, a conductor, a watcher, and somebody who asks."""

from __future__ import annotations

import asyncio
from pathlib import Path

from house.states import Cause, State
from tests.lab.agent import Agent
from tests.lab.house import house
from tests.lab.network import Sleeper, network


async def test_machines_sleep_by_themselves_and_are_woken_by_who_asks(tmp_path: Path, empty_database: Path) -> None:
    """Their agents find nobody who needs them, have leave, see the watcher stand guard, and suspend them. A request
    sends the packet for which the card of one looks; it resumes, answers, says so, and is guarded no more. The other
    sleeps on."""
    wanted, other = Sleeper(0, resume=0.5), Sleeper(1)
    async with network([wanted, other]) as net, house(net, tmp_path, empty_database) as home:
        await home.start()
        agents = [Agent(each, tmp_path) for each in (wanted, other)]
        home.units += agents
        await asyncio.gather(*(agent.start() for agent in agents))
        await home.stands(State.ASLEEP, wanted, other)
        await asyncio.gather(*(each.down.wait() for each in (wanted, other)))
        assert await home.wakes() == []
        await net.curl(wanted, wanted.four)
        assert [wanted.woken, other.woken] == [1, 0]
        await home.stands(State.AWAKE, wanted)
        (wake,) = await home.wakes()
        assert (wake.machine, wake.cause, wake.port, wake.tries) == ("m0", Cause.DEMAND, 22, 1)
        assert await home.state(other) is State.ASLEEP
        await net.curl(wanted, wanted.six)
        assert [wanted.woken, other.woken] == [1, 0]
