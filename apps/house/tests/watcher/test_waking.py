"""Machines in namespaces are woken by whoever wants them, with real programs and real kernels."""

from __future__ import annotations

import asyncio
from pathlib import Path

from house.states import Mode, State
from tests.lab import noise
from tests.lab.network import Network, Sleeper, network
from tests.lab.watching import Watching, watching

IGNORED = "02:00:00:00:00:66"
CELLS = [(resume, stale, version) for resume in (0.0, 1.5, 4.0) for stale in (False, True) for version in (4, 6)]


async def _cell(net: Network, watcher: Watching, sleeper: Sleeper, stale: bool, version: int) -> None:
    net.cache(sleeper, stale)
    await watcher.sleep(sleeper)
    await net.curl(sleeper, sleeper.four if version == 4 else sleeper.six)


async def test_whoever_asks_for_a_page_gets_it(tmp_path: Path) -> None:
    """In proxy mode curl wakes machines that need 0, 1.5 and 4 s to resume, with an empty and a stale neighbour cache,
    over IPv4 and IPv6, side by side: each is woken once, and has its addresses back."""
    sleepers = [Sleeper(number, resume) for number, (resume, _, _) in enumerate(CELLS)]
    async with network(sleepers) as net, watching(net, tmp_path) as watcher:
        cells = [(s, stale, version) for s, (_, stale, version) in zip(sleepers, CELLS, strict=True)]
        await asyncio.gather(*(_cell(net, watcher, *cell) for cell in cells))
        assert [sleeper.woken for sleeper in sleepers] == [1] * len(CELLS)
        await watcher.sees(State.AWAKE, *sleepers)
        await asyncio.gather(*(net.curl(s, s.four if version == 4 else s.six) for s, _, version in cells))


async def test_noise_of_real_programs_wakes_nobody(tmp_path: Path) -> None:
    """Announcements, conflict probes, duplicate address detection, scans, pings, frames of another VLAN, unlisted ports
    and a requester that is ignored: no machine is woken in any mode. Who has not scanned then wakes each by asking."""
    modes = Mode.SNIFF, Mode.ANSWER, Mode.PROXY
    sleepers = [Sleeper(n, mode=mode) for n, mode in enumerate(modes)]
    async with network(sleepers) as net, watching(net, tmp_path, IGNORED) as watcher:
        for sleeper in sleepers:
            net.cache(sleeper, stale=False)
            await watcher.sleep(sleeper)
        made = await noise.make(net, sleepers, ignored=IGNORED)
        assert made.events >= 60
        # what came last of all noise is refused by name: so all before it has been heard
        await watcher.until(lambda: any(IGNORED in each["requester"] for each in watcher.told("watcher.not_woken")))
        assert [sleeper.woken for sleeper in sleepers] == [0, 0, 0]
        await noise.want(net, watcher, sleepers)
        assert [sleeper.woken for sleeper in sleepers] == [1, 1, 1]
