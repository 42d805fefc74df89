"""The watcher as a service of a house whose other parts come, go and are upgraded."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from house.states import Cause, State
from tests.lab.house import House, house
from tests.lab.network import Network, Sleeper, network
from tests.lab.tap import Tap
from tests.lab.unit import PROGRAMS
from tests.rolling import trees

ASKER = "02:00:00:00:00:01"
AT_ONCE = 4


class Load:
    """Who asks all the time: for sleepers, some in each phase, and without a pause for a machine that is awake."""

    def __init__(self, net: Network, awake: Sleeper) -> None:
        self._net, self._tap = net, Tap(net)
        self._asking: list[asyncio.Task[float]] = []
        self._steady = asyncio.create_task(self._for_ever(awake))
        self.steady = 0
        """How often the machine that is awake has answered."""

    async def wants(self, *sleepers: Sleeper) -> None:
        """Some of them are wanted; returns when that is on the wire, and before it is answered."""
        self._tap.seen()
        self._asking += [asyncio.create_task(self._net.curl(each, each.four)) for each in sleepers]
        await self._tap.asked(sleepers)

    async def answered(self) -> int:
        """How many sleepers have answered, when all have."""
        return len(await asyncio.gather(*self._asking))

    async def end(self) -> None:
        """Nobody asks any more. Raises what went wrong for the machine that was awake."""
        self._steady.cancel()
        self._tap.socket.close()
        (ended,) = await asyncio.gather(self._steady, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended

    async def _for_ever(self, awake: Sleeper) -> None:
        while True:
            await self._net.curl(awake, awake.six)
            self.steady += 1


async def _birch(home: House, folder: Path) -> Path:
    """The next release, and its schema."""
    tree = trees.following(trees.present(folder / "alder"), folder / "birch")
    for words in (["release", "freeze", "birch"], ["db", "expand"]):
        midflight = ["env", f"MIDFLIGHT_DATABASE={home.database}", str(PROGRAMS / "midflight")]
        config = ["--config", str(home.config)]
        code, output = await home.net.run(*midflight, *words, *config, namespace=home.net.watcher, folder=tree)
        assert code == 0, output
    return tree


async def test_no_wake_is_missed_whatever_of_the_house_is_upgraded_or_away(
    tmp_path: Path, empty_database: Path
) -> None:
    """Under load, the watcher goes from one release to the next: while some wakes are under way, and while others are
    asked for that find no watcher, which wait in the socket that the supervisor keeps. Then broker and conductor are
    killed while some are under way, and others are asked for until both are back, the conductor as the next release.
    Each machine is woken once, each request is answered, and the house is told of each wake once, with who it was."""
    awake, *sleepers = (Sleeper(number, resume=0.5) for number in range(1 + 5 * AT_ONCE))
    phases = [sleepers[first : first + AT_ONCE] for first in range(0, len(sleepers), AT_ONCE)]
    async with network([awake, *sleepers]) as net, house(net, tmp_path, empty_database) as home:
        birch = await _birch(home, tmp_path)
        for sleeper in sleepers:
            sleeper.suspend()
        await home.start()
        await home.stands(State.ASLEEP, *sleepers)
        load = Load(net, awake)
        await load.wants(*phases[0])
        for sleeper in phases[1]:  # whoever knew nothing of it would give up after 3 s: that is how kernels ask
            net.knows(sleeper)
        await home.watcher.stop()
        await load.wants(*phases[1])
        assert [each.woken for each in phases[1]] == [0] * AT_ONCE
        await home.watcher.start(birch)
        await load.wants(*phases[2])
        await home.conductor.kill()
        await home.broker.kill()
        await load.wants(*phases[3])
        assert await load.answered() == 4 * AT_ONCE
        await home.broker.start(ready=False)
        await home.conductor.start(birch)
        await load.wants(*phases[4])
        assert await load.answered() == len(sleepers)
        await load.end()
        assert [each.woken for each in (awake, *sleepers)] == [0] + [1] * len(sleepers)
        await home.stands(State.AWAKE, awake, *sleepers)
        wakes = await home.wakes()
        assert Counter(wake.machine for wake in wakes) == {each.name: 1 for each in sleepers}
        assert {(wake.cause, wake.requester_mac, wake.port) for wake in wakes} == {(Cause.DEMAND, ASKER, 22)}
        assert all(wake.awake_at for wake in wakes)
        assert load.steady > 0
