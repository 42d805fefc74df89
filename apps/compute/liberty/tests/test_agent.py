import os
import signal
from dataclasses import replace
from typing import Any

import pytest
from conftest import Switchboard

from compute import cloud
from compute.agent import ComputeAgent
from compute.errors import MachineFailed, NotFound, NotNow
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.states import PowerState, TaskState, VmState
from compute.waiting import until
from midflight import Context

Agents = dict[str, ComputeAgent]


async def again(instance: Instance) -> Instance:
    """The instance as its row is now."""
    return await Instance.get(instance.context, instance.uuid)


async def test_a_built_instance_runs(instance: Instance, agents: Agents) -> None:
    """It is active, and its machine counts."""
    assert (instance.vm_state, instance.power_state, instance.task_state) == (VmState.ACTIVE, PowerState.RUNNING, None)
    assert instance.launched_at is not None
    assert agents["one"].machines.pid(instance.uuid) is not None


async def test_a_machine_that_cannot_be_built_is_an_error(
    context: Context, small: Flavor, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instance says so, and can only be deleted."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    failing = Instance(context=context, display_name="x", project_id="red", host="one", flavor=small)
    failing.task_state, failing.request_id = TaskState.SPAWNING, context.request_id
    await failing.create()
    await agents["one"].build_and_run_instance(context, failing, small)
    failed = await again(failing)
    assert (failed.vm_state, failed.task_state) == (VmState.ERROR, None)
    with pytest.raises(NotNow, match="it can only be deleted"):
        await cloud.reboot(context, failed)
    assert (await cloud.delete(context, failed)).task_state is TaskState.DELETING


async def test_a_reboot_that_arrives_twice_happens_once(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """The second delivery finds its task finished; so does one that arrives after the next reboot."""
    for _ in range(2):
        await cloud.reboot(context.with_values(), await again(instance))
        await switchboard.deliver()
        await switchboard.deliver()
    await switchboard.deliver(0)
    assert (await again(instance)).reboots == 2


async def test_a_reboot_is_kept_while_kilo_is_pinned(
    instance: Instance, context: Context, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is assigned that only liberty knows: as a change it would be refused until the pin is gone."""
    save, changed = Instance.save, list[set[str]]()

    async def noted(self: Instance, **how: Any) -> None:
        changed.append({*self.changes()})
        await save(self, **how)

    monkeypatch.setattr(Instance, "save", noted)
    await cloud.reboot(context, instance)
    await switchboard.deliver()
    assert (await again(instance)).reboots == 1
    assert ["paused_at" in names for names in changed] == [False, False]


async def test_a_hard_reboot_gives_another_process(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """Which counts on in the same file."""
    machines = agents["one"].machines
    pid = machines.pid(instance.uuid)
    await cloud.reboot(context, instance, hard=True)
    await switchboard.deliver()
    assert (await again(instance)).reboots == 1
    assert machines.pid(instance.uuid) not in (None, pid)


async def test_a_resize_keeps_the_process(
    instance: Instance, context: Context, large: Flavor, agents: Agents, switchboard: Switchboard
) -> None:
    """The row and the record have the new size."""
    machines = agents["one"].machines
    pid = machines.pid(instance.uuid)
    await cloud.resize(context, instance, large)
    assert (await again(instance)).task_state is TaskState.RESIZING
    await switchboard.deliver()
    resized, record = await again(instance), machines.record(instance.uuid)
    assert (resized.flavor.name, resized.task_state) == ("large", None)
    assert record is not None
    assert (record.memory_mb, record.vcpus, record.pid) == (2048, 2, pid)


async def test_a_live_migration_hands_the_running_machine_over(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """Same process, other owner, and the row says where."""
    pid = agents["one"].machines.pid(instance.uuid)
    await cloud.migrate(context, instance, "two")
    await switchboard.deliver()
    moved = await again(instance)
    assert (moved.host, moved.task_state) == ("two", None)
    assert agents["one"].machines.mine() == []
    assert [record.pid for record in agents["two"].machines.mine()] == [pid]


async def test_a_migration_that_was_cut_off_is_completed_by_its_next_delivery(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source was killed after the destination had the machine, before the row knew."""
    pid = agents["one"].machines.pid(instance.uuid)
    await cloud.migrate(context, instance, "two")

    async def killed(self: ComputeAgent, task: Instance) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(ComputeAgent, "_finish", killed)
        with pytest.raises(RuntimeError):
            await switchboard.deliver()
    assert (await again(instance)).host == "one"
    await switchboard.deliver()
    await switchboard.deliver()
    assert (await again(instance)).host == "two"
    assert [record.pid for record in agents["two"].machines.mine()] == [pid]


async def test_a_destination_takes_only_a_machine_that_it_sees(
    instance: Instance, context: Context, agents: Agents
) -> None:
    """A process that does not count there is refused, and stays where it is."""
    with pytest.raises(MachineFailed, match="process 1 does not count in"):
        await agents["two"].receive(context, instance, 1, str(agents["two"].machines.count_file(instance.uuid)))
    assert len(agents["one"].machines.mine()) == 1


async def test_a_deleted_instance_is_gone_with_its_machine(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """A second delivery finds nothing to do."""
    await cloud.delete(context, instance)
    await switchboard.deliver()
    await switchboard.deliver()
    assert agents["one"].machines.pid(instance.uuid) is None
    with pytest.raises(NotFound):
        await again(instance)


async def test_an_instance_is_paused_and_resumed(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """A second delivery of either changes nothing; until it is resumed it may only be moved or deleted."""
    pid = agents["one"].machines.pid(instance.uuid)
    await cloud.pause(context, instance)
    await switchboard.deliver()
    await switchboard.deliver()
    paused = await again(instance)
    assert (paused.vm_state, paused.power_state, paused.task_state) == (VmState.PAUSED, PowerState.PAUSED, None)
    assert paused.paused_at is not None
    for order in (cloud.pause(context, paused), cloud.reboot(context, paused)):
        with pytest.raises(NotNow, match="it is paused: resume it first"):
            await order
    await cloud.migrate(context, paused, "two")
    await switchboard.deliver()
    await cloud.resume(context, await again(instance))
    await switchboard.deliver()
    await switchboard.deliver()
    resumed = await again(instance)
    assert (resumed.vm_state, resumed.power_state, resumed.paused_at) == (VmState.ACTIVE, PowerState.RUNNING, None)
    assert (resumed.host, agents["two"].machines.pid(instance.uuid)) == ("two", pid)
    with pytest.raises(NotNow, match="it is not paused"):
        await cloud.resume(context, resumed)


async def test_a_reboot_by_who_does_not_know_of_pauses_ends_one(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """An API of the release before takes a paused instance for an active one."""
    await cloud.pause(context, instance)
    await switchboard.deliver()
    unaware = await again(instance)
    unaware.vm_state = VmState.ACTIVE
    await unaware.save()
    await cloud.reboot(context, unaware)
    await switchboard.deliver()
    counted = agents["one"].machines.count_file(instance.uuid)
    assert await until(lambda: "rebooted" in counted.read_text(), 10)
    assert (await again(instance)).paused_at is None


async def test_a_machine_that_dies_is_noticed(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard
) -> None:
    """Its instance is stopped, and a reboot starts it again."""
    machines = agents["one"].machines
    os.kill(machines.pid(instance.uuid) or 0, signal.SIGKILL)
    assert await until(lambda: machines.pid(instance.uuid) is None, 10)
    await agents["one"].look(context)
    dead = await again(instance)
    assert (dead.vm_state, dead.power_state) == (VmState.STOPPED, PowerState.CRASHED)
    assert dead.terminated_at is not None

    await cloud.reboot(context, dead)
    await switchboard.deliver()
    risen = await again(instance)
    assert (risen.vm_state, risen.power_state, risen.terminated_at) == (VmState.ACTIVE, PowerState.RUNNING, None)
    assert machines.pid(instance.uuid) is not None


@pytest.mark.parametrize("method", ["get", "save"])
async def test_a_machine_that_was_started_again_meanwhile_is_not_dead(
    instance: Instance, context: Context, agents: Agents, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:  # fmt: skip
    """A whole reboot fits between two steps of noting a death."""
    machines = agents["one"].machines
    os.kill(machines.pid(instance.uuid) or 0, signal.SIGKILL)
    assert await until(lambda: machines.pid(instance.uuid) is None, 10)
    slow = getattr(Instance, method)

    async def rebooted_first(*args: object, **kwargs: object) -> object:
        monkeypatch.setattr(Instance, method, slow)
        await cloud.reboot(replace(context, request_id="another"), await again(instance))
        await switchboard.deliver()
        return await slow(*args, **kwargs)

    monkeypatch.setattr(Instance, method, rebooted_first)
    await agents["one"].look(context)
    risen = await again(instance)
    assert (risen.vm_state, risen.power_state) == (VmState.ACTIVE, PowerState.RUNNING)


async def test_a_build_that_nobody_wants_any_more_leaves_no_machine(
    context: Context, small: Flavor, agents: Agents, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row was taken back while it was at work."""
    unwanted = Instance(context=context, display_name="x", project_id="red", host="one", flavor=small)
    unwanted.task_state, unwanted.request_id = TaskState.SPAWNING, context.request_id
    await unwanted.create()
    starting = agents["one"].machines.start

    async def start(*args: object) -> None:
        await starting(*args)  # type: ignore[arg-type]
        await unwanted.destroy()

    monkeypatch.setattr(agents["one"].machines, "start", start)
    await agents["one"].build_and_run_instance(context, unwanted, small)
    assert agents["one"].machines.pid(unwanted.uuid) is None
