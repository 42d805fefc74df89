"""The watcher as a service of a house whose other parts come and go."""

from __future__ import annotations

import asyncio
from pathlib import Path

from house.states import Cause, State
from tests.lab.house import house
from tests.lab.network import Sleeper, network

ASKER = "02:00:00:00:00:01"


async def test_no_wake_is_missed_whatever_of_the_house_is_away(tmp_path: Path, empty_database: Path) -> None:
    """Machines are wanted just when no watcher runs: what they are asked waits in the socket that the supervisor keeps,
    and the next watcher finds it there. Others are wanted when broker and conductor are killed. The house is told of
    all wakes when it is back, once each, with who it was."""
    sleepers = [Sleeper(n) for n in range(5)]
    async with network(sleepers) as net, house(net, tmp_path, empty_database) as home:
        for sleeper in sleepers:
            sleeper.suspend()
        await home.start()
        await home.stands(State.ASLEEP, *sleepers)
        for sleeper in sleepers[:2]:  # whoever knew nothing of it would give up after 3 s: that is how kernels ask
            net.knows(sleeper)
        await home.watcher.stop()
        asking = [asyncio.create_task(net.curl(each, each.four)) for each in sleepers[:2]]
        await asyncio.sleep(0.2)
        assert [each.woken for each in sleepers[:2]] == [0, 0]
        await home.watcher.start()
        await asyncio.gather(*asking)
        await home.stands(State.AWAKE, *sleepers[:2])
        await home.conductor.kill()
        await home.broker.kill()
        await asyncio.gather(*(net.curl(each, each.six) for each in sleepers[2:]))
        assert [each.woken for each in sleepers] == [1] * len(sleepers)
        assert len(await home.wakes()) == 2
        await home.broker.start(ready=False)
        await home.conductor.start()
        await home.stands(State.AWAKE, *sleepers)
        wakes = await home.wakes()
        assert sorted(wake.machine for wake in wakes) == [sleeper.name for sleeper in sleepers]
        assert {(wake.cause, wake.requester_mac, wake.port) for wake in wakes} == {(Cause.DEMAND, ASKER, 22)}
        assert all(wake.awake_at for wake in wakes)
