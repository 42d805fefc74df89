"""What can be asked of the cloud.

Each order is written into the instance's row, as its task, and handed to the agent of its host as a durable message;
who gave it does not wait for the rest. Either both have happened when a function returns, or neither when it raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from uuid import UUID

from compute.errors import NotFound, NotNow
from compute.interfaces import ComputeAPI, SchedulerAPI
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.security_group import SecurityGroup
from compute.states import TaskState, VmState
from compute.tables import now
from midflight import Client, Conflict, Context, MidflightError

compute = Client(ComputeAPI)
scheduler = Client(SchedulerAPI)
OF_PAUSED = (TaskState.RESUMING, TaskState.MIGRATING, TaskState.DELETING)
"""What can be done with an instance that stands still."""


async def find(context: Context, uuid: str) -> Instance:
    """An instance of the caller's project. Raises NotFound."""
    try:
        instance = await Instance.get(context, UUID(uuid))
    except ValueError:
        raise NotFound("instance", uuid) from None
    if instance.project_id != context.values.get("project"):
        raise NotFound("instance", uuid)
    return instance


async def build(context: Context, instance: Instance, flavor: Flavor, groups: Iterable[SecurityGroup]) -> Instance:
    """A new instance. Raises NoHost."""
    instance.host = await scheduler.call(SchedulerAPI.select_host, context, instance)
    instance.scheduled_at = now()
    instance.task_state, instance.request_id = TaskState.SPAWNING, context.request_id
    await instance.create(security_groups=tuple(group.id for group in groups if group.id is not None))
    agent = compute.on(instance.host)
    return await _hand_over(instance, agent.cast(ComputeAPI.build_and_run_instance, context, instance, flavor))


async def reboot(context: Context, instance: Instance, hard: bool = False) -> Instance:
    """Reboot it; its process goes on unless it is hard. Raises Conflict when something else is being done with it."""
    instance = await _begin(context, instance, TaskState.REBOOTING)
    return await _hand_over(instance, compute.on(instance.host).cast(ComputeAPI.reboot, context, instance, hard))


async def resize(context: Context, instance: Instance, flavor: Flavor) -> Instance:
    """Give it another size. Raises Conflict when something else is being done with it."""
    instance = await _begin(context, instance, TaskState.RESIZING)
    return await _hand_over(instance, compute.on(instance.host).cast(ComputeAPI.resize, context, instance, flavor))


async def migrate(context: Context, instance: Instance, destination: str | None) -> Instance:
    """Move it, running, to a host that is named or chosen. Raises Conflict, and NoHost when there is none."""
    if destination is None:
        destination = await scheduler.call(SchedulerAPI.select_host, context, instance)
    if destination == instance.host:
        raise NotNow(str(instance.uuid), f"it is on {destination} already")
    instance = await _begin(context, instance, TaskState.MIGRATING)
    agent = compute.on(instance.host)
    return await _hand_over(instance, agent.cast(ComputeAPI.live_migrate, context, instance, destination))


async def pause(context: Context, instance: Instance) -> Instance:
    """Let it stand still. Raises PinnedOut while its host's agent may be one that cannot."""
    instance = await _begin(context, instance, TaskState.PAUSING)
    return await _hand_over(instance, compute.on(instance.host).cast(ComputeAPI.pause, context, instance))


async def resume(context: Context, instance: Instance) -> Instance:
    """Let it go on. Raises NotNow when it is not paused."""
    if instance.vm_state is not VmState.PAUSED:
        raise NotNow(str(instance.uuid), "it is not paused")
    instance = await _begin(context, instance, TaskState.RESUMING)
    return await _hand_over(instance, compute.on(instance.host).cast(ComputeAPI.resume, context, instance))


async def delete(context: Context, instance: Instance) -> Instance:
    """End it. Raises Conflict when something else is being done with it."""
    instance = await _begin(context, instance, TaskState.DELETING)
    return await _hand_over(instance, compute.on(instance.host).cast(ComputeAPI.terminate, context, instance))


async def lock(instance: Instance, locked: bool) -> None:
    """Keep others from changing it by mistake, or no longer."""
    instance.locked = locked
    instance.locked_by = instance.context.values.get("user") if locked else None
    await instance.save()


async def _begin(context: Context, instance: Instance, task: TaskState) -> Instance:
    """Make this request the one that works on it; the instance as it then is. Raises NotNow and Conflict."""
    if instance.locked:
        raise NotNow(str(instance.uuid), "it is locked")
    if instance.vm_state is VmState.ERROR and task is not TaskState.DELETING:
        raise NotNow(str(instance.uuid), "it is in error: it can only be deleted")
    if instance.vm_state is VmState.PAUSED and task not in OF_PAUSED:
        raise NotNow(str(instance.uuid), "it is paused: resume it first")
    instance.task_state, instance.request_id = task, context.request_id
    await instance.save(expect={"task_state": None})
    return await Instance.get(context, instance.uuid)


async def _hand_over(instance: Instance, cast: Awaitable[None]) -> Instance:
    """Let the agent know; if that fails, nothing has happened."""
    try:
        await cast
    except MidflightError:
        if await _take_back(instance):
            raise
    return instance


async def _take_back(instance: Instance) -> bool:
    """Undo the row. False if the agent did get the message, and has finished the task."""
    held: dict[str, str | None] = {"task_state": instance.task_state, "request_id": instance.request_id}
    is_new = instance.task_state is TaskState.SPAWNING
    instance.task_state = None
    try:
        await (instance.destroy(expect=held) if is_new else instance.save(expect=held))
    except (Conflict, NotFound):
        return False
    return True
