"""The service: one machine, its checks and its way to sleep, as the configuration says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from house.clock import Clock, SystemClock
from house.sleeper import flag
from house.sleeper.agent import Sleeper
from house.sleeper.delay import Delay
from house.sleeper.enrolment import default_interface, enrol
from house.sleeper.falling import Falling
from house.sleeper.flag import Ask, ethtool
from house.sleeper.logind import Logind
from house.sleeper.looking import Looker
from house.sleeper.methods.base import Method
from house.sleeper.methods.command import ByCommand
from house.sleeper.methods.logind import VERBS, ByLogind
from house.sleeper.settings import WHERE, Settings, checks, settings
from house.sleeper.system import System
from midflight import ConfigError, Runtime


@asynccontextmanager
async def sleeper(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service, on this machine."""
    async with assembled(runtime) as agent:
        looking = asyncio.create_task(agent.run(), name=f"rounds of {agent.name}")
        try:
            yield [agent]
        finally:
            await _ended(looking)


@asynccontextmanager
async def assembled(
    runtime: Runtime,
    *,
    root: Path = Path("/"),
    clock: Clock | None = None,
    bus: str | None = None,
    ask_card: Ask = ethtool,
) -> AsyncIterator[Sleeper]:
    """The agent and all that it stands on, which ends with the block. It makes no rounds by itself."""
    given = settings(runtime.settings)
    name = runtime.host
    async with AsyncExitStack() as stack:
        logind = await stack.enter_async_context(Logind(bus)) if given.logind else None
        system = System(root, clock or SystemClock(), logind)

        def interface() -> str:
            return given.interface or default_interface(system)

        async def fall_by_hand() -> None:
            await agent.fall_by_hand()

        async def wake_by_hand() -> None:
            await agent.wake_by_hand()

        delay = None if logind is None else Delay(logind, fall_by_hand, wake_by_hand)
        method = _method(given, system, delay)

        async def ready() -> None:
            if delay is not None:
                await delay.hold()
            await method.check()
            if given.wake_on_lan:
                flag.arm(interface(), ask_card)

        agent = Sleeper(
            Looker(checks(given), system, given.unclear_seconds),
            Falling(name, ready, runtime.asleep, root, system.clock),
            method,
            given,
            runtime.context,
            lambda context: enrol(context, name, interface(), system),
            lambda: flag.armed(interface(), ask_card),
        )
        if delay is not None:
            listening = asyncio.create_task(delay.run(), name=f"delay lock of {name}")
            stack.callback(delay.let_go)
            stack.push_async_callback(_ended, listening)
        yield agent


def _method(given: Settings, system: System, delay: Delay | None) -> Method:
    """Raises ConfigError for one that needs what is not there."""
    if given.method in VERBS:
        if system.logind is None or delay is None:
            reason = f"received {given.method!r} with logind = false; expected 'systemctl' or 'command'"
            raise ConfigError(path="the configuration", where=f"{WHERE} method", reason=reason)
        return ByLogind(given.method, system.logind, delay)
    command = ["systemctl", "suspend"] if given.method == "systemctl" else given.command
    return ByCommand(given.method, command, system.clock, delay)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
