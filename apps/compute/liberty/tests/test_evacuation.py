from dataclasses import replace
from pathlib import Path

from conftest import Switchboard

from compute.agent import ComputeAgent
from compute.errors import NoHost
from compute.evacuation import evacuate
from compute.objects.instance import Instance
from midflight import Context, Runtime

Agents = dict[str, ComputeAgent]


class Scheduler:
    """Chooses host two, as long as it may."""

    full = False

    async def select_host(self, context: Context, instance: Instance) -> str:
        if self.full:
            raise NoHost("all are full")
        return "two"


def runtime(context: Context) -> Runtime:
    """Of host one; each context is a request of its own."""
    numbers = iter(range(100))

    def new(values: object) -> Context:
        return replace(context, request_id=f"req-{next(numbers)}")

    given = {"state": Path(), "settings": {}, "sockets": (), "new_context": new, "active_hosts": lambda topic: ["two"]}
    return Runtime(service="compute", host="one", **given)


async def test_a_host_is_emptied(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """What runs there is handed over, running, to the host that is chosen; nothing is left, and nothing was stopped."""
    switchboard.servers["any"] = Scheduler()
    pid = agents["one"].machines.pid(instance.uuid)
    assert await evacuate(runtime(context)) == [f"{instance.uuid} (migrating)"]
    assert await evacuate(runtime(context)) == [f"{instance.uuid} (migrating)"]
    await switchboard.deliver()
    assert await evacuate(runtime(context)) == []
    assert (await Instance.get(context, instance.uuid)).host == "two"
    assert agents["two"].machines.pid(instance.uuid) == pid


async def test_what_cannot_move_is_named(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """With the reason, and it stays as it is."""
    switchboard.servers["any"] = scheduler = Scheduler()
    scheduler.full = True
    (left,) = await evacuate(runtime(context))
    assert left.startswith(f"{instance.uuid} (")
    assert "all are full" in left
    assert (await Instance.get(context, instance.uuid)).task_state is None
