"""The scheduler: who decides where an instance goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from compute.errors import NoHost
from compute.interfaces import ComputeAPI, SchedulerAPI
from compute.objects.instance import Instance, InstanceList
from midflight import Context, Runtime


class Scheduler(SchedulerAPI):
    """Puts an instance where the fewest are. ``hosts`` answers which agents are active now."""

    def __init__(self, hosts: Callable[[], list[str]]) -> None:
        self._hosts = hosts

    async def select_host(self, context: Context, instance: Instance) -> str:
        """The active host with the fewest instances, the first by name among equals."""
        active = self._hosts()
        others = [host for host in active if host != instance.host]
        if not others:
            raise NoHost(f"active agents: {', '.join(active) or 'none'}")
        counts = await InstanceList.count_by_host(context)
        return min(others, key=lambda host: (counts.get(host, 0), host))


@asynccontextmanager
async def scheduler(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service."""
    yield [Scheduler(lambda: runtime.hosts(ComputeAPI.topic))]
