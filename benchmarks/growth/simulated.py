"""Many agents in one process: they join, beat, ask and are told, and each step is measured."""

from __future__ import annotations

import asyncio
import functools
import gc
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from unittest.mock import patch

from msgspec import structs

from benchmarks.conductor import Watched
from benchmarks.growth.fleet import NAMES, AgentAPI, Machine, project, told
from midflight import Client, service, telemetry
from midflight.config import Config
from midflight.service import RunningService
from midflight.transports import embedded, nats, nats_client, nats_connection, nats_store

AT_ONCE = 16
"""Members that join, and calls that are in flight."""

SAMPLE = 100
"""Of so many members, in fleets of all sizes, it is measured what a call costs: a processor's caches hold so many."""

CALLS = 2_000
FANOUTS = 5
WATCH_SECONDS = 30.0
"""How often each pings its broker here."""
PATIENCE = 120.0
"""Seconds that anything may take: thousands of members in one process wait for each other's turns of its loop."""


@contextmanager
def as_one_process() -> Iterator[None]:
    """Fit for thousands of members during the block. In a fleet each process has a contract of its own; here it is the
    same. And each pings its broker every second, which is much for one process that has thousands of them: here it does
    so less often, and what a ping costs is a figure of its own. Nor does a broker that is started in the block expect
    all of them to answer its pings soon."""
    patience = int(PATIENCE)
    with (
        patch.object(service, "contract_of", functools.cache(service.contract_of)),
        patch.object(nats_connection, "WATCH_SECONDS", WATCH_SECONDS),
        patch.object(embedded, "PING_SECONDS", patience),
        patch.multiple(nats_client, CONNECT_SECONDS=patience, PING_SECONDS=patience, ANSWER_SECONDS=patience),
        patch.multiple(nats_store, API_SECONDS=PATIENCE, STORE_SECONDS=PATIENCE, TRY_SECONDS=PATIENCE),
        patch.object(nats, "CAST_SECONDS", PATIENCE),
    ):
        try:
            yield
        finally:
            gc.unfreeze()


async def measure(config: Config, number: int, watched: Watched, seconds: float) -> dict[str, float]:
    """Everything for so many agents. Times are milliseconds for one agent, or one message."""
    agents = Agents(config)
    async with RunningService.running(project, config, "caller", "here") as caller:
        before = watched.memory()
        with watched.step("join", number):
            await agents.join(number)
        grown = {who: (now - before[who]) / 1024 / number for who, now in watched.memory().items()}
        watched.spent["memory_kb"] = grown.pop(watched.ours)
        watched.spent |= {f"memory_{who}_kb": kilobytes for who, kilobytes in grown.items()}
        await _settled(caller, number)
        with watched.step("second", round(number * seconds)):
            await asyncio.sleep(seconds)
        watched.beating = {who: number * watched.spent[f"second_{who}_cpu_ms"] / 1000 for who in watched.cpu()}
        _take_beats_out_of_joining(watched, number)
        some = agents.all[:SAMPLE]
        with watched.step("ping", CALLS):
            await _many(CALLS, lambda n: _ping(some[n % len(some)]))
        # The first of each kind to each agent is a figure of its own: it finds nothing prepared.
        for name, times, those in (("first_", number, agents.all), ("", CALLS, some)):
            with watched.step(f"{name}remotable", times):
                await _remotables(those, times)
            with watched.step(f"{name}cast", times):
                await _casts(caller, those, times)
        with watched.step("fanout", number * FANOUTS):
            shortest = await _fanouts(caller, number)
        watched.spent["reach_ms"] = shortest * (1 - watched.beating[watched.ours]) / number
        watched.beating = {who: seconds / 2 for who, seconds in watched.beating.items()}  # of those that are left
        with watched.step("leave", number):
            await agents.leave()
    return watched.spent


class Agents:
    """Those that run, each as on a host of its own, with a folder of its own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.all: list[RunningService] = []
        self._running: list[AbstractAsyncContextManager[RunningService]] = []

    async def join(self, number: int) -> None:
        """So many more."""

        async def one(n: int) -> None:
            host = f"h{n}"
            config = structs.replace(self._config, state=f"{self._config.state}/{host}")
            running = RunningService.running(project, config, "agent", host)
            self.all.append(await running.__aenter__())
            self._running.append(running)
            if (
                len(self._running) % SAMPLE == 0
            ):  # a process with one of them has few objects to look through for garbage
                gc.collect()
                gc.freeze()

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


def _take_beats_out_of_joining(watched: Watched, number: int) -> None:
    """While they joined, half of them, on the average, beat already."""
    seconds = watched.spent["join_ms"] / 1000 * number / 2
    for who in ("", *(f"_{name}" for name in watched.cpu())):
        watched.spent[f"join{who}_cpu_ms"] -= seconds * watched.spent[f"second{who}_cpu_ms"]


async def _ping(agent: RunningService) -> None:
    """As each does when it looks after its connection."""
    assert isinstance(agent.transport, nats.NatsTransport)
    assert await agent.transport._connection.flush()  # noqa: SLF001  # nobody else asks for it alone


async def _settled(caller: RunningService, number: int) -> None:
    """When the caller knows all agents, and those have acknowledged what they know."""
    async with asyncio.timeout(PATIENCE):
        while len(caller.floors.hosts("agent")) < number:  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0.1)


async def _remotables(those: Sequence[RunningService], times: int) -> None:
    """By these agents in turn."""
    await _many(times, lambda n: Machine.get(those[n % len(those)].context(), NAMES[n % len(NAMES)]))


async def _casts(caller: RunningService, those: Sequence[RunningService], times: int) -> None:
    """To these agents in turn, until they have run."""
    client, enough = Client(AgentAPI), told.expect(times)
    hosts = [agent.host for agent in those]
    await _many(times, lambda n: client.on(hosts[n % len(hosts)]).cast(AgentAPI.tell, caller.context(), number=n))
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


def quiet() -> None:
    """So many members in one process would fill the log."""
    telemetry.configure(level="error")
