"""What an agent asks of the database by its remotables is there once, also where its call comes twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, select

from midflight.db.tables import inbox
from midflight.service import RunningService
from midflight.transports.base import Identity
from midflight.transports.memory import MemoryListener
from tests.conductor import juno
from tests.conductor.tables import machines
from tests.conductor.world import World
from tests.rpc.world import settled


async def rows(asked: RunningService) -> int:
    def count(connection: Connection) -> int:
        return int(connection.execute(select(func.count()).select_from(inbox)).scalar_one())

    assert asked.database is not None
    return await asked.database.read(count)


def sent_twice(agent: RunningService) -> None:
    """From now on, each call of this member comes to its callee a second time."""
    call = agent.transport.call

    async def twice(address: Any, body: bytes, timeout: float) -> bytes:
        await call(address, body, timeout)
        return await call(address, body, timeout)

    agent.transport.call = twice  # type: ignore[method-assign]


async def test_a_save_has_a_row_and_a_read_has_none(world: World) -> None:
    """And neither has what midflight's members say of themselves, which may be said twice."""
    world.add("a")
    async with world.running("conductor") as conductor, world.running("agent") as agent:
        machine = await juno.Machine.get(agent.context(), "a")
        await juno.MachineList.get_by_host(agent.context(), "h1")
        assert await rows(conductor) == 0
        machine.boots = 1
        await machine.save()
        assert await rows(conductor) == 1


async def test_a_remotable_that_comes_twice_has_its_effect_once(world: World) -> None:
    """The same conductor answers the repeat as it has answered the first; the caller sees no difference."""
    world.add("a")
    async with world.running("conductor") as conductor, world.running("agent") as agent:
        machine = await juno.Machine.get(agent.context(), "a")
        sent_twice(agent)
        assert await machine.boot() == 1
        new = juno.Machine(name="b", context=agent.context())
        await new.create()
        assert await rows(conductor) == 2

        def boots(connection: Connection) -> dict[str, int]:
            found = connection.execute(select(machines.c.name, machines.c.boots))
            return {row.name: row.boots for row in found}

        assert conductor.database is not None
        assert await conductor.database.read(boots) == {"a": 1, "b": 0}


def listener_of(conductor: RunningService) -> MemoryListener:
    transport: Any = conductor.transport
    (found,) = [listener for listener in transport._listeners if listener.topic == "conductor"]
    assert isinstance(found, MemoryListener)
    return found


class GivenToBoth:
    """From now on, a broker gives each call of the first conductor to the second one too, when the first has run it;
    and the first one's answer is held back until ``may_answer``."""

    def __init__(self, first: RunningService, second: RunningService) -> None:
        self._first, self._second = listener_of(first), listener_of(second)
        self._ran, self.repeated, self.may_answer = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._give, self._run = self._first.answer, self._first._handlers.on_call
        self._run_again = self._second._handlers.on_call
        self._first._handlers = replace(self._first._handlers, on_call=self._held_back)
        self._second._handlers = replace(self._second._handlers, on_call=self._later)
        self._first.answer = self._to_both  # type: ignore[method-assign]

    def _to_both(self, *call: Any) -> None:
        self._give(*call)
        self._second.answer(*call)

    async def _held_back(self, body: bytes, sender: Identity) -> bytes | None:
        answer = await self._run(body, sender)
        self._ran.set()
        await self.may_answer.wait()
        return answer

    async def _later(self, body: bytes, sender: Identity) -> bytes | None:
        await self._ran.wait()
        try:
            return await self._run_again(body, sender)
        finally:
            self.repeated.set()


async def test_a_repeat_elsewhere_does_not_forestall_the_answer(world: World) -> None:
    """Where two conductors are given one call, the one that finds the other's effect there says nothing: the caller
    goes on waiting, and has the answer of the one that ran it."""
    world.add("a")
    async with world.running("conductor", "h1") as first, world.running("agent") as agent:
        machine = await juno.Machine.get(agent.context(), "a")
        async with world.running("conductor", "h2") as second:
            listener_of(second).addresses = set()  # the agent's calls go to the first
            both = GivenToBoth(first, second)
            booting = asyncio.create_task(machine.boot())
            await both.repeated.wait()
            await settled()
            assert not booting.done()
            both.may_answer.set()
            assert await booting == 1
            assert await rows(first) == 1
