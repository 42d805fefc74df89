"""What an agent asks of the database by its remotables is there once, also where its call comes twice."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from midflight.db.tables import inbox
from midflight.service import RunningService
from tests.conductor import juno
from tests.conductor.tables import machines
from tests.conductor.world import World


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
