"""One process that plays all services: rows in a file, messages handed over by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from compute.agent import ComputeAgent
from compute.machines import Machines
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.states import TaskState
from midflight import Context, NotDelivered
from midflight.testing import LocalFleet


@dataclass
class Switchboard:
    """The port to the other services: a call runs at once, a cast waits until a test delivers it, maybe twice."""

    servers: dict[str, object] = field(default_factory=dict)
    """By host; an address without a host is ``any``."""
    casts: list[tuple[str, str, Context, Mapping[str, Any]]] = field(default_factory=list)
    broken: bool = False

    async def call(
        self,
        endpoint: Any,
        host: str | None,
        context: Context,
        arguments: Mapping[str, Any],
        timeout: float | None = None,
    ) -> Any:
        self._check()
        return await getattr(self.servers[host or "any"], endpoint.__name__)(context, **arguments)

    async def cast(self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any]) -> None:
        self._check()
        self.casts.append((host or "any", endpoint.__name__, context, arguments))

    async def fanout(self, endpoint: Any, context: Context, arguments: Mapping[str, Any]) -> None:
        self._check()

    async def deliver(self, number: int = -1) -> None:
        """Let a cast arrive, once more or for the first time."""
        host, method, context, arguments = self.casts[number]
        await getattr(self.servers[host], method)(context, **arguments)

    def _check(self) -> None:
        if self.broken:
            raise NotDelivered(what="a message", reason="the test has cut the wire")


@pytest.fixture
def switchboard() -> Switchboard:
    return Switchboard()


@pytest.fixture
async def context(local_fleet: LocalFleet, switchboard: Switchboard) -> AsyncIterator[Context]:
    """Of project red, in a process that has the database."""
    async with local_fleet as fleet:
        yield replace(fleet.context(project="red"), messenger=switchboard)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the machines of a test are: they end with it."""
    folder = tmp_path / "machines"
    folder.mkdir()
    yield folder
    for count in folder.glob("*.count"):
        count.unlink()


@pytest.fixture
def agents(folder: Path, switchboard: Switchboard) -> dict[str, ComputeAgent]:
    """Two of them, on one computer."""
    agents = {host: ComputeAgent(Machines(folder, host), resize_seconds=0) for host in ("one", "two")}
    switchboard.servers.update(agents)
    return agents


@pytest.fixture
async def small(context: Context) -> Flavor:
    flavor = Flavor(context=context, name="small", memory_mb=512, vcpus=1)
    await flavor.create()
    return flavor


@pytest.fixture
async def large(context: Context) -> Flavor:
    flavor = Flavor(context=context, name="large", memory_mb=2048, vcpus=2, root_gb=20)
    await flavor.create()
    return flavor


@pytest.fixture
async def instance(context: Context, small: Flavor, agents: dict[str, ComputeAgent]) -> Instance:
    """One that runs, on host one."""
    instance = Instance(context=context, display_name="first", project_id="red", host="one", flavor=small)
    instance.task_state, instance.request_id = TaskState.SPAWNING, context.request_id
    await instance.create()
    await agents["one"].build_and_run_instance(context, instance, small)
    return await Instance.get(context, instance.uuid)
