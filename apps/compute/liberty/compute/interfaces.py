"""What the services do for each other."""

from __future__ import annotations

from typing import Protocol

from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from midflight import Context, Interface, endpoint, param


class ComputeAPI(Interface, Protocol, topic="compute", version="4.1"):
    """What the agent of a host does with the machines there.

    All but ``receive`` are casts: they finish a task that the sender has begun in the instance's row, and do nothing
    if the row says that it is finished, so that a message that comes twice has its effect once.
    """

    @endpoint(since="3.0", idempotent=True)
    async def build_and_run_instance(self, context: Context, instance: Instance, flavor: Flavor) -> None:
        """Start a machine of this size."""
        ...

    @endpoint(since="3.0", idempotent=True)
    async def reboot(self, context: Context, instance: Instance, hard: bool = param(False, since="4.0")) -> None:
        """Reboot the machine, whose process goes on; a hard reboot gives it a new one."""
        ...

    @endpoint(since="3.0", idempotent=True)
    async def resize(self, context: Context, instance: Instance, flavor: Flavor) -> None:
        """Give the machine another size, whose process goes on."""
        ...

    @endpoint(since="3.0", idempotent=True)
    async def live_migrate(self, context: Context, instance: Instance, destination: str) -> None:
        """Hand the running machine over to another host's agent."""
        ...

    @endpoint(since="4.1", idempotent=True, allow=["api"])
    async def pause(self, context: Context, instance: Instance) -> None:
        """Let the machine stand still, whose process stays."""
        ...

    @endpoint(since="4.1", idempotent=True, allow=["api"])
    async def resume(self, context: Context, instance: Instance) -> None:
        """Let the machine go on where it stood still."""
        ...

    @endpoint(since="3.35", idempotent=True)
    async def receive(self, context: Context, instance: Instance, pid: int | None, count_file: str) -> None:
        """Own a running machine from now on. Called by the agent that owned it. Raises MachineFailed."""
        ...

    @endpoint(since="3.0", idempotent=True)
    async def terminate(self, context: Context, instance: Instance) -> None:
        """End the machine, and forget the instance."""
        ...


class SchedulerAPI(Interface, Protocol, topic="scheduler", version="2.0"):
    """Who decides where."""

    @endpoint(since="2.0", idempotent=True)
    async def select_host(self, context: Context, instance: Instance) -> str:
        """The best host for an instance, other than the one where it is. Raises NoHost."""
        ...
