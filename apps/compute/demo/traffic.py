"""Who does what to which instance: the steady load, and the acts that the road asks for.

Every instance belongs to exactly one party, and only that one writes to it, and only after it has read a
``task_state`` of null: so the load itself never causes a conflict, and whatever fails is the fleet's fault.

    quiet    the oldest instances: only read, until the road asks for their resize; the data migration finds them
    guarded  a few on each agent, never migrated by the steady load: the road puts writes in flight to them
    owned    all others, and whatever is created later: each belongs to one worker
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from demo.client import FLAVORS, Client, idle
from demo.http import Answer

DECK = Counter(create=9, delete=9, resize=7, reboot=7, migrate=10, read=7, list=1, flavors=2, groups=2)
"""The steady load's mix; more resizes and reboots come before each restart. Each write but create is two requests: it
looks before it asks."""

IDLE_WITHIN = 10.0
"""Seconds in which what was asked of an instance is done, also on a busy machine."""

Result = TypeVar("Result")


class Stopped(Exception):
    """The steady load is over."""


@dataclass(slots=True)
class Owned:
    """An instance as its owner last saw it."""

    uuid: str
    host: str | None = None
    flavor: str = ""


@dataclass(slots=True)
class Pools:
    """Who owns what."""

    hosts: list[str] = field(default_factory=list)
    quiet: list[Owned] = field(default_factory=list)
    guarded: list[Owned] = field(default_factory=list)
    owned: list[Owned] = field(default_factory=list)

    @classmethod
    def divide(cls, everyone: list[Owned], hosts: list[str]) -> Pools:
        """``everyone`` is in order of age. Two fifths are quiet, a few per host guarded, the rest owned."""
        number = len(everyone) * 2 // 5
        quiet, rest = everyone[:number], everyone[number:]
        each = max(2, len(everyone) // 32)
        guarded = [one for host in hosts for one in [o for o in rest if o.host == host][:each]]
        return cls(hosts, quiet, guarded, [one for one in rest if one not in guarded])


class Pace:
    """Lets one request through per period, without ever catching up in a burst."""

    def __init__(self, period: float, offset: float, stopping: asyncio.Event) -> None:
        self._period, self._next, self._stopping = period, time.monotonic() + offset, stopping

    async def turn(self) -> None:
        """Wait for the next turn. Raises Stopped, never in the middle of a request."""
        now = time.monotonic()
        try:
            await asyncio.wait_for(self._stopping.wait(), max(0.0, self._next - now))
        except TimeoutError:
            self._next = max(self._next, now - self._period) + self._period
        else:
            raise Stopped


def shuffled(deck: Counter[str], dice: random.Random) -> Iterator[str]:
    """The deck's cards for ever, shuffled anew each time it is through."""
    while True:
        cards = list(deck.elements())
        dice.shuffle(cards)
        yield from cards


class Worker:
    """One user of the cloud: does one thing at a time, to instances of its own."""

    def __init__(self, number: int, client: Client, pools: Pools, owned: list[Owned], pace: Pace) -> None:
        self._client, self._pools, self._owned, self._pace = client, pools, owned, pace
        self._dice = random.Random(number)
        self._deck = shuffled(DECK, self._dice)
        self._names = (f"load-{number}-{n}" for n in itertools.count(1))
        self._bounds = (max(2, len(owned) - 3), len(owned) + 3)

    async def work(self) -> None:
        """Until the load is stopped."""
        with contextlib.suppress(Stopped):
            for card in self._deck:
                await self._play(card)

    async def _play(self, card: str) -> None:
        if card in ("resize", "reboot", "migrate"):
            await self._change(card)
        elif card == "create" and len(self._owned) < self._bounds[1]:
            await self._create()
        elif card == "delete" and len(self._owned) > self._bounds[0]:
            await self._delete()
        else:
            await self._look(card)

    async def _look(self, card: str) -> None:
        await self._pace.turn()
        plain = {"list": self._client.list, "flavors": self._client.flavors, "groups": self._client.groups}
        anyone = self._dice.choice(self._owned + self._pools.quiet)
        await (plain[card]() if card in plain else self._client.read(anyone.uuid))

    async def _create(self) -> None:
        await self._pace.turn()
        answer = await self._client.create(next(self._names), self._dice.choice(list(FLAVORS)))
        if answer.ok:
            self._owned.append(Owned(answer.body["uuid"]))

    async def _idle_one(self) -> Owned | None:
        """One of its own that it has just read to be idle, if it finds one in three looks."""
        for one in self._dice.sample(self._owned, min(3, len(self._owned))):
            await self._pace.turn()
            if await look(self._client, one):
                return one
        return None

    async def _change(self, card: str) -> None:
        if one := await self._idle_one():
            await self._pace.turn()
            await change(self._client, one, card, self._dice, self._pools.hosts)

    async def _delete(self) -> None:
        if one := await self._idle_one():
            await self._pace.turn()
            self._owned.remove(one)
            await self._client.delete(one.uuid)


async def look(client: Client, one: Owned) -> bool:
    """Read it, remember what was seen; whether it is idle."""
    answer = await client.read(one.uuid)
    if not answer.ok:
        return False
    one.host, one.flavor = answer.body["host"], answer.body["flavor"]["name"]
    return idle(answer.body)


async def change(
    client: Client, one: Owned, op: str, dice: random.Random, hosts: list[str], sent: Callable[[], None] | None = None
) -> Answer:
    """Resize it to another flavor, migrate it to another host, or reboot it."""
    if op == "resize":
        return await client.resize(one.uuid, dice.choice([f for f in FLAVORS if f != one.flavor]), sent)
    if op == "migrate" and (others := [host for host in hosts if host != one.host]):
        return await client.migrate(one.uuid, dice.choice(others), sent)
    return await client.reboot(one.uuid, sent)


class Traffic:
    """All parties together, as the road commands them."""

    def __init__(self, client: Client) -> None:
        self.client, self.pools = client, Pools()
        self._dice = random.Random(0)
        self._tasks: list[asyncio.Task[None]] = []
        self._aside: dict[asyncio.Future[Answer], str] = {}
        """The requests that are in flight for the road, with the instance of each."""
        self._stopping = asyncio.Event()

    async def populate(self, instances: int, hosts: list[str], per_second: float = 25) -> int:
        """Create the flavors that are missing and the first instances, and wait until all are active."""
        there = {flavor["name"] for flavor in (await self.client.flavors()).body["flavors"]}
        for name in FLAVORS.keys() - there:
            await self.client.new_flavor(name)
        pace, names = Pace(1 / per_second, 0, self._stopping), [f"first-{n}" for n in range(instances)]
        created = await all_of(4, [self._first(name, pace) for name in names])
        if refused := [answer for answer in created if not answer.ok]:
            raise RuntimeError(f"{len(refused)} of {instances} creates were not accepted; the first: {refused[0]}")
        self.pools = Pools.divide(await self._all_active(instances), hosts)
        return len(self.pools.quiet) + len(self.pools.guarded) + len(self.pools.owned)

    async def _first(self, name: str, pace: Pace) -> Answer:
        await pace.turn()
        return await self.client.create(name, self._dice.choice(["small", "medium", "large"]))

    async def _all_active(self, instances: int, patience: float = 60) -> list[Owned]:
        deadline = time.monotonic() + patience
        while True:
            everyone = (await self.client.list()).body["instances"]
            if len(everyone) == instances and all(map(idle, everyone)):
                return [Owned(i["uuid"], i["host"], i["flavor"]["name"]) for i in everyone]
            if time.monotonic() > deadline:
                busy = Counter(f"{i['vm_state']}/{i['task_state']}" for i in everyone)
                raise TimeoutError(f"{instances} instances were created; after {patience} s the API shows {dict(busy)}")
            await asyncio.sleep(0.5)

    def start(self, rate: float, workers: int) -> int:
        """Begin the steady load: ``rate`` requests a second by ``workers`` users."""
        period = workers / rate
        for number in range(workers):
            owned = self.pools.owned[number::workers]
            pace = Pace(period, period * number / workers, self._stopping)
            self._tasks.append(asyncio.create_task(Worker(number, self.client, self.pools, owned, pace).work()))
        return workers

    async def put_in_flight(self, host: str | None, writes: int, terminate: int | None = None) -> float:
        """Send up to ``writes`` writes to instances on ``host`` or on any. When the last has left, and cannot have been
        answered yet, SIGTERM is sent to the process ``terminate``; returns that moment, in monotonic seconds."""
        waiting = {one.uuid: one for one in await self._some_idle(host, writes)}
        all_left: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def left(uuid: str) -> None:
            if waiting.pop(uuid, None) and not waiting:
                if terminate is not None:
                    os.kill(terminate, signal.SIGTERM)
                all_left.set_result(time.monotonic())

        for one, op in zip(tuple(waiting.values()), itertools.cycle(["resize", "reboot"]), strict=False):
            sent = partial(left, one.uuid)
            self._send_aside(one.uuid, change(self.client, one, op, self._dice, [], sent), sent)
        return await all_left

    async def _some_idle(self, host: str | None, most: int) -> list[Owned]:
        """Guarded ones on this host; where all of them are busy for long, on any."""
        deadline = time.monotonic() + IDLE_WITHIN
        while not (chosen := await self._idle_guarded(host, most)):
            if time.monotonic() > deadline:
                if host is None:
                    raise TimeoutError(f"none of {len(self.pools.guarded)} guarded instances is idle")
                return await self._some_idle(None, most)
            await asyncio.sleep(0.3)
        return chosen

    async def _idle_guarded(self, host: str | None, most: int) -> list[Owned]:
        unanswered = set(self._aside.values())
        candidates = [one for one in self.pools.guarded if host in (None, one.host) and one.uuid not in unanswered]
        seen = await all_of(4, [look(self.client, one) for one in candidates])
        return [one for one, is_idle in zip(candidates, seen, strict=True) if is_idle][:most]

    def _send_aside(self, uuid: str, request: Awaitable[Answer], sent: Callable[[], None]) -> None:
        task = asyncio.ensure_future(request)
        task.add_done_callback(lambda _: sent())  # where it failed before it left
        task.add_done_callback(self._aside.pop)
        self._aside[task] = uuid

    def avoid(self, host: str) -> list[str]:
        """No live migration goes to this host any more: its agent is about to leave, and the API would refuse."""
        return self._set_targets([other for other in self.pools.hosts if other != host])

    def offer(self, host: str) -> list[str]:
        """Live migrations may go to this host again."""
        return self._set_targets(sorted({*self.pools.hosts, host}))

    def _set_targets(self, hosts: list[str]) -> list[str]:
        self.pools.hosts = hosts
        return hosts

    async def migrate(self, source: str, target: str, count: int) -> int:
        """Ask for live migrations of guarded instances from one host to the other. One that is still on its way to
        ``source`` is waited for, so that who is moved there and back comes home, and no host runs out of them."""
        moved = 0
        for one in [one for one in self.pools.guarded if one.host == source]:
            if moved == count or not await self._comes_to(one.uuid, "active", patience=3):
                continue
            if await look(self.client, one) and one.host == source:
                moved += (await self.client.migrate(one.uuid, target)).ok
                one.host = target
        return moved

    async def resize_quiet(self, count: int) -> int:
        """Ask for resizes of the quiet instances with the lowest ids, all at once; the number that was accepted."""
        chosen, self.pools.quiet = self.pools.quiet[:count], self.pools.quiet[count:]
        idle_ones = await all_of(4, [look(self.client, one) for one in chosen])
        todo = [one for one, is_idle in zip(chosen, idle_ones, strict=True) if is_idle]
        answers = await all_of(4, [change(self.client, one, "resize", self._dice, []) for one in todo])
        return sum(answer.ok for answer in answers)

    async def pause(self, count: int, seconds: float = 1.0) -> int:
        """Pause guarded instances for so long, all at once; the number that then went on."""
        seen = await all_of(4, [look(self.client, one) for one in self.pools.guarded[: 2 * count]])
        chosen = [one for one, is_idle in zip(self.pools.guarded, seen, strict=False) if is_idle][:count]
        return sum(await asyncio.gather(*(self._pause(one.uuid, seconds) for one in chosen)))

    async def _pause(self, uuid: str, seconds: float) -> bool:
        if not ((await self.client.pause(uuid)).ok and await self._comes_to(uuid, "paused")):
            return False
        await asyncio.sleep(seconds)
        return (await self.client.resume(uuid)).ok and await self._comes_to(uuid, "active")

    async def _comes_to(self, uuid: str, vm_state: str, patience: float = 20) -> bool:
        """Whether it is left in peace at last, in this state."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            answer = await self.client.read(uuid)
            if answer.ok and answer.body["task_state"] is None:
                return bool(answer.body["vm_state"] == vm_state)
            await asyncio.sleep(0.2)
        return False

    async def stop(self) -> int:
        """End the steady load. Requests that are under way are cut off neither here nor in the log."""
        self._stopping.set()
        await asyncio.gather(*self._tasks, *self._aside)
        return self.client.requests


async def all_of(limit: int, jobs: Sequence[Awaitable[Result]]) -> list[Result]:
    """Run the jobs, at most ``limit`` at a time; their results in order."""
    gate = asyncio.Semaphore(limit)

    async def one(job: Awaitable[Result]) -> Result:
        async with gate:
            return await job

    return await asyncio.gather(*map(one, jobs))
