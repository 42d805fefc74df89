"""A host is emptied: what `midflight fleet drain` asks for."""

from __future__ import annotations

from compute import cloud
from compute.errors import CloudError
from compute.objects.instance import Instance, InstanceList
from midflight import Context, MidflightError, Runtime


async def evacuate(runtime: Runtime) -> list[str]:
    """Have each instance migrated, running, to the host that the scheduler chooses. Those that are here, and what
    becomes of them; who is busy is asked again."""
    there = await InstanceList.get_by_host(runtime.context(), runtime.host)
    return [f"{instance.uuid} ({await _moved(runtime.context(), instance)})" for instance in there]


async def _moved(context: Context, instance: Instance) -> str:
    """What becomes of it now; each move is a request of its own."""
    if instance.task_state is not None:
        return str(instance.task_state)
    try:
        return str((await cloud.migrate(context, instance, None)).task_state)
    except (CloudError, MidflightError) as wrong:
        return str(wrong)
