"""The agent of one host. It may be stopped, killed and replaced at any moment: its machines do not notice, and what it
was told comes again to the next one until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from compute.errors import MachineFailed, NotFound
from compute.interfaces import ComputeAPI
from compute.machines import Machines, Record
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.settings import machines_folder, settings
from compute.states import PowerState, VmState
from compute.tables import now
from midflight import Client, Conflict, Context, MidflightError, Runtime

LOOK_SECONDS = 1.0
"""How often an agent looks whether its machines are alive."""
log = structlog.get_logger("compute")


class ComputeAgent(ComputeAPI):
    """Does with the machines of one host what the rows say is to be done.

    Each task is claimed before and finished after the work, both against the row. What runs between may run twice, when
    an agent or a conductor is killed, and so has to bring about a state, not to make a step.
    """

    def __init__(self, machines: Machines, resize_seconds: float) -> None:
        self.machines, self.resize_seconds = machines, resize_seconds

    async def build_and_run_instance(self, context: Context, instance: Instance, flavor: Flavor) -> None:
        if not (task := await self._claim(context, instance)):
            return
        try:
            await self.machines.start(task.uuid, flavor.memory_mb, flavor.vcpus)
        except MachineFailed as failed:
            log.warning("compute.build_failed", reason=str(failed))
            task.vm_state = VmState.ERROR
        else:
            self._note_running(task)
        await self._finish(task)

    async def reboot(self, context: Context, instance: Instance, hard: bool = False) -> None:
        if not (task := await self._claim(context, instance)):
            return
        self.machines.resume(task.uuid)  # an older service may have asked, which does not know that it is paused
        if hard:
            await self.machines.stop(task.uuid)
        if not self.machines.reboot(task.uuid):
            await self.machines.start(task.uuid, task.flavor.memory_mb, task.flavor.vcpus)
        task.reboots += 1
        self._note_running(task)
        await self._finish(task)

    async def resize(self, context: Context, instance: Instance, flavor: Flavor) -> None:
        if not (task := await self._claim(context, instance)):
            return
        await asyncio.sleep(self.resize_seconds)
        self.machines.own(task.uuid, flavor.memory_mb, flavor.vcpus)
        task.flavor = flavor
        await self._finish(task)

    async def live_migrate(self, context: Context, instance: Instance, destination: str) -> None:
        if not (task := await self._claim(context, instance)):
            return
        there = Client(ComputeAPI).on(destination)
        pid, file = self.machines.pid(task.uuid), str(self.machines.count_file(task.uuid))
        try:
            await there.call(ComputeAPI.receive, context, task, pid, file)
        except MachineFailed as refused:
            log.warning("compute.migration_refused", destination=destination, reason=str(refused))
        else:
            task.host = destination
        await self._finish(task)

    async def pause(self, context: Context, instance: Instance) -> None:
        if not (task := await self._claim(context, instance)):
            return
        if await self.machines.pause(task.uuid):
            task.vm_state, task.power_state, task.paused_at = VmState.PAUSED, PowerState.PAUSED, now()
        await self._finish(task)

    async def resume(self, context: Context, instance: Instance) -> None:
        if not (task := await self._claim(context, instance)):
            return
        if self.machines.resume(task.uuid):
            self._note_running(task)
        await self._finish(task)

    async def receive(self, context: Context, instance: Instance, pid: int | None, count_file: str) -> None:
        here = self.machines.count_file(instance.uuid)
        if (Path(count_file), pid) != (here, self.machines.pid(instance.uuid)):
            raise MachineFailed(str(instance.uuid), f"process {pid} does not count in {here} of {self.machines.host}")
        self.machines.own(instance.uuid, instance.flavor.memory_mb, instance.flavor.vcpus)

    async def terminate(self, context: Context, instance: Instance) -> None:
        if not (task := await self._claim(context, instance)):
            return
        await self.machines.stop(task.uuid)
        try:
            await task.destroy(expect=_held(task))
        except (Conflict, NotFound):
            log.info("compute.task_was_finished", uuid=str(task.uuid))

    async def watch(self, context: Context) -> None:
        """Look after the machines for ever: an instance whose process is gone is stopped."""
        log.info("compute.adopted", machines=len(self.machines.mine()))
        while True:
            try:
                await self.look(context)
            except Exception as wrong:  # an agent looks again, whatever was wrong
                log.exception("compute.watch_failed", reason=str(wrong))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, context: Context) -> None:
        for record in self.machines.mine():
            if record.pid is not None and self.machines.pid(record.uuid) is None:
                await self._note_death(context, record)

    async def _claim(self, context: Context, instance: Instance) -> Instance | None:
        """The instance as it is now, if this request's task is still to be done."""
        try:
            found = await Instance.get(context, instance.uuid)
        except NotFound:
            return None
        return found if found.task_state and found.request_id == context.request_id else None

    async def _finish(self, task: Instance) -> None:
        """Save, and leave it in peace. Another delivery of the same message may have been faster."""
        held = _held(task)
        task.task_state = None
        try:
            await task.save(expect=held)
        except Conflict:
            log.info("compute.task_was_finished", uuid=str(task.uuid))
        except NotFound:
            await self.machines.stop(task.uuid)

    def _note_running(self, instance: Instance) -> None:
        instance.vm_state, instance.power_state = VmState.ACTIVE, PowerState.RUNNING
        instance.terminated_at = None
        if instance.paused_at is not None:  # an assignment counts, and under an older pin it is refused
            instance.paused_at = None
        instance.launched_at = instance.launched_at or now()

    async def _note_death(self, context: Context, record: Record) -> None:
        try:
            instance = await Instance.get(context, record.uuid)
            if self.machines.pid(record.uuid) is not None:  # a task has started it again meanwhile
                return
            expected = {"task_state": None, "request_id": instance.request_id, "host": record.host}
            instance.vm_state, instance.power_state = VmState.STOPPED, PowerState.CRASHED
            instance.terminated_at = now()
            await instance.save(expect=expected)
        except NotFound:
            await self.machines.stop(record.uuid)
        except MidflightError as failed:  # a task is under way, or no conductor answers: look again
            log.info("compute.death_not_noted", uuid=str(record.uuid), reason=str(failed))
        else:
            log.warning("compute.machine_died", uuid=str(record.uuid), pid=record.pid)
            self.machines.own(record.uuid, record.memory_mb, record.vcpus)


def _held(task: Instance) -> dict[str, str | None]:
    """What the row says as long as nobody has finished the task."""
    return {"task_state": task.task_state, "request_id": task.request_id}


@asynccontextmanager
async def compute(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service."""
    machines = Machines(machines_folder(runtime), runtime.host)
    agent = ComputeAgent(machines, settings(runtime.settings).resize_seconds)
    watch = asyncio.create_task(agent.watch(runtime.context()))
    try:
        yield [agent]
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
