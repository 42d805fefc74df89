"""Guests: scripts and notebooks that call the fleet and wait, without an event loop of their own.

with midflight.connect(project, "midflight.toml") as fleet:
    fleet.on("h1").call(ComputeAPI.reboot, instance, hard=True)
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from midflight.conductor.visit import Visit
from midflight.config import Config
from midflight.context import Context
from midflight.errors import ConfigError
from midflight.project import Project
from midflight.rpc.client import Client
from midflight.rpc.endpoints import spec_of

P = ParamSpec("P")
R = TypeVar("R")


class _Loop:
    """An event loop in a thread of its own, so that it makes no difference whether one runs in ours."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="midflight guest", daemon=True)
        self._thread.start()
        self.closed = False

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Wait for the work. Whoever is interrupted meanwhile takes it back."""
        waited = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waited.result()
        except BaseException:
            waited.cancel()
            raise

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_all() -> None:
    """So that nobody waits in another thread for what will not come."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Guest:
    """A connection whose methods block. It may be used by several threads, and it ends with ``close`` or its block.

    It is no member: nobody counts it, and no step of an upgrade waits for it. It sends under the pins of the fleet.
    """

    def __init__(
        self,
        loop: _Loop,
        visit: Visit,
        values: Mapping[str, str],
        host: str | None = None,
        seconds: float | None = None,
    ) -> None:
        self._loop, self._visit, self._values = loop, visit, dict(values)
        self._host, self._seconds = host, seconds

    @property
    def context(self) -> Context:
        """A fresh context, for what ``run`` is given."""
        return self._visit.context(self._values)

    def on(self, host: str | None) -> Guest:
        """The same for the member on one host; with None, for any member."""
        return Guest(self._loop, self._visit, self._values, host, self._seconds)

    def within(self, seconds: float) -> Guest:
        """The same with another time limit for each call than the configuration's ``call_seconds``."""
        return Guest(self._loop, self._visit, self._values, self._host, seconds)

    def with_values(self, **values: str) -> Guest:
        """The same with more values (project, user, …) in each context."""
        return Guest(self._loop, self._visit, {**self._values, **values}, self._host, self._seconds)

    def call(
        self,
        endpoint: Callable[Concatenate[Any, Context, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Ask one member and wait for its answer; raises what Client.call raises. An interrupt cancels it."""
        return self.run(self._client(endpoint).call(endpoint, self.context, *args, **kwargs))

    def cast(
        self,
        endpoint: Callable[Concatenate[Any, Context, P], Awaitable[object]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Tell one member, durably; raises what Client.cast raises."""
        self.run(self._client(endpoint).cast(endpoint, self.context, *args, **kwargs))

    def fanout(
        self,
        endpoint: Callable[Concatenate[Any, Context, P], Awaitable[object]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Tell all members who listen now; raises what Client.fanout raises."""
        self.run(self._client(endpoint).fanout(endpoint, self.context, *args, **kwargs))

    def run(self, work: Awaitable[R]) -> R:
        """Wait for anything that is awaited: ``fleet.run(Instance.get(fleet.context, uuid))``."""
        if self._loop.closed:
            _forget(work)
            raise RuntimeError("the connection to the fleet is closed: connect again")
        return self._loop.run(self._looked(work))

    def each(self, items: AsyncIterator[R]) -> Generator[R, None, None]:
        """Go through anything that is gone through with ``async for``: ``for page in
        fleet.each(InstanceList.pages(InstanceList.all, fleet.context, key="uuid"))``."""
        end = object()
        try:
            while (item := self.run(_next(items, end))) is not end:
                yield cast("R", item)
        finally:
            if isinstance(items, AsyncGenerator) and not self._loop.closed:
                self.run(items.aclose())

    async def _looked(self, work: Awaitable[R]) -> R:
        try:
            await self._visit.look()
        except BaseException:
            _forget(work)
            raise
        return await work

    def _client(self, endpoint: Any) -> Client[Any]:
        return Client(spec_of(endpoint).interface, host=self._host, seconds=self._seconds)

    def close(self) -> None:
        """Leave. Closing it twice does no harm; those made from it by ``on`` and the like are closed with it."""
        if not self._loop.closed:
            self._loop.run(self._visit.close())
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _next(items: AsyncIterator[Any], end: object) -> Any:
    return await anext(items, end)


def _forget(work: Awaitable[Any]) -> None:
    """It will not be awaited, and that is no mistake."""
    if inspect.iscoroutine(work):
        work.close()


def connect(project: Project, config: Config | Path | str = "midflight.toml", **values: str) -> Guest:
    """Connect a script or a notebook to the fleet; ``values`` (project, user, …) go into each context.

    Blocks until a conductor has told how the fleet stands. Raises ConfigError, BrokerUnreachable and NoConductor; and
    UsageError for a pin to a release that neither the project nor a member knows.
    """
    found = config if isinstance(config, Config) else Config.load(Path(config))
    if found.broker.startswith("memory:"):
        reason = "memory: is for one event loop, and a guest has its own: give it nats://HOST:PORT"
        raise ConfigError(path=found.path, where="[midflight] broker", reason=reason)
    loop = _Loop()
    try:
        return Guest(loop, loop.run(_opened(project, found)), values)
    except BaseException:
        loop.close()
        raise


async def _opened(project: Project, config: Config) -> Visit:
    return await Visit(project, config).open()
