"""Many agents in one process: they join, beat, ask and are told, and each step is measured."""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from unittest.mock import patch

from benchmarks.conductor import Watched
from benchmarks.growth.fleet import NAMES, AgentAPI, Machine, project, told
from midflight import Client, service, telemetry
from midflight.config import Config
from midflight.service import RunningService
from midflight.transports import embedded, nats, nats_client, nats_connection, nats_store

AT_ONCE = 16
"""Members that join, and calls that are in flight."""

CALLS = 2_000
FANOUTS = 5
PATIENCE = 120.0
"""Seconds that anything may take: thousands of members in one process wait for each other's turns of its loop."""


@contextmanager
def as_one_process() -> Iterator[None]:
    """Fit for thousands of members during the block. In a fleet each process has a contract of its own; here it is the
    same. And each looks after its connection every second, which is much for one process that has thousands of them;
    nor does a broker that is started in the block expect all of them to answer its pings soon."""
    patience = int(PATIENCE)
    with (
        patch.object(service, "contract_of", functools.cache(service.contract_of)),
        patch.object(nats_connection, "WATCH_SECONDS", 30),
        patch.object(embedded, "PING_SECONDS", patience),
        patch.multiple(nats_client, CONNECT_SECONDS=patience, PING_SECONDS=patience, ANSWER_SECONDS=patience),
        patch.multiple(nats_store, API_SECONDS=PATIENCE, STORE_SECONDS=PATIENCE, TRY_SECONDS=PATIENCE),
        patch.object(nats, "CAST_SECONDS", PATIENCE),
    ):
        yield


async def measure(config: Config, number: int, watched: Watched, seconds: float) -> dict[str, float]:
    """Everything for so many agents. Times are milliseconds for one agent, or one message."""
    memory = _rss()
    agents = Agents(config)
    async with RunningService.running(project, config, "caller", "here") as caller:
        with watched.step("join", number):
            await agents.join(number)
        watched.spent["memory_kb"] = (_rss() - memory) / 1024 / number
        await _settled(caller, number)
        with watched.step("second", round(number * seconds)):
            await asyncio.sleep(seconds)
        watched.beating = {who: number * watched.spent[f"second_{who}_cpu_ms"] / 1000 for who in watched.cpu()}
        some = itertools.cycle(agents.all)
        with watched.step("remotable", CALLS):
            await _many(CALLS, lambda n: Machine.get(next(some).context(), NAMES[n % len(NAMES)]))
        with watched.step("cast", CALLS):
            await _casts(caller, number)
        with watched.step("fanout", number * FANOUTS):
            watched.spent["fanout_all_ms"] = await _fanouts(caller, number)
        watched.beating.clear()
        with watched.step("leave", number):
            await agents.leave()
    return watched.spent


class Agents:
    """Those that run, each on a host of its own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.all: list[RunningService] = []
        self._running: list[AbstractAsyncContextManager[RunningService]] = []

    async def join(self, number: int) -> None:
        """So many more."""

        async def one(n: int) -> None:
            running = RunningService.running(project, self._config, "agent", f"h{n}")
            self.all.append(await running.__aenter__())
            self._running.append(running)

        await _many(number, one)

    async def leave(self) -> None:
        """All of them."""
        await _many(len(self._running), lambda n: self._running[n].__aexit__(None, None, None))


async def _many(number: int, work: Callable[[int], Awaitable[object]]) -> None:
    """So many times, some at once."""
    numbers = iter(range(number))

    async def one_by_one() -> None:
        for n in numbers:
            await work(n)

    tasks = [asyncio.create_task(one_by_one()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*tasks)
    finally:  # where one has failed, the others need not go on
        for task in tasks:
            task.cancel()


async def _settled(caller: RunningService, number: int) -> None:
    """When the caller knows all agents, and those have acknowledged what they know."""
    async with asyncio.timeout(PATIENCE):
        while len(caller.floors.hosts("agent")) < number:  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0.1)


async def _casts(caller: RunningService, number: int) -> None:
    """To all agents by turns, until they have run."""
    client, enough = Client(AgentAPI), told.expect(CALLS)
    await _many(CALLS, lambda n: client.on(f"h{n % number}").cast(AgentAPI.tell, caller.context(), number=n))
    await asyncio.wait_for(enough.wait(), PATIENCE)


async def _fanouts(caller: RunningService, number: int) -> float:
    """Milliseconds until all have heard of one: of some, the one in whose way the rest of the machine was least."""
    taken = []
    for n in range(FANOUTS):
        enough, began = told.expect(number), time.monotonic()
        await Client(AgentAPI).fanout(AgentAPI.tell, caller.context(), number=n)
        await asyncio.wait_for(enough.wait(), PATIENCE)
        taken.append(1000 * (time.monotonic() - began))
    return min(taken)


def _rss() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def quiet() -> None:
    """So many members in one process would fill the log."""
    telemetry.configure(level="error")
