"""Two releases of one interface whose casts have keys and ends; and services that note what they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from midflight.context import Context
from midflight.objects.registry import Registry
from midflight.rpc.interface import Contract, Interface, endpoint

PAUSE_EXPIRES = 2.0
"""Seconds: far more than it takes in memory to park a cast, and to see that it is."""


@dataclass(frozen=True)
class Release:
    name: str
    contract: Contract
    errors: tuple[type[Exception], ...] = ()


class Before(Interface, Protocol, topic="machines", version="1.0"):
    @endpoint(since="1.0", ordered_by="name")
    async def start(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.0")
    async def look(self, context: Context, name: str) -> None: ...


class After(Interface, Protocol, topic="machines", version="1.1"):
    @endpoint(since="1.0", ordered_by="name")
    async def start(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.0")
    async def look(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.1", replayable=True, ordered_by="name")
    async def stop(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.1", ordered_by="name")
    async def erase(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.1", replayable=True, expires=PAUSE_EXPIRES, ordered_by="name")
    async def pause(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.1", replayable=True)
    async def hint(self, context: Context, name: str) -> None: ...


class Unordered(Interface, Protocol, topic="machines", version="1.0"):
    """As a release says it that knows no keys yet."""

    @endpoint(since="1.0")
    async def start(self, context: Context, name: str) -> None: ...


BEFORE, AFTER, UNORDERED = (
    Release(name, Contract(Registry([], "cloud"), [api]))
    for name, api in (("before", Before), ("after", After), ("unordered", Unordered))
)


class _Noting:
    def __init__(self, done: list[Any], failing: list[str]) -> None:
        self.done, self.failing = done, failing

    async def _note(self, what: str) -> None:
        if what in self.failing:
            self.failing.remove(what)
            raise RuntimeError(what)
        self.done.append(what)

    async def start(self, context: Context, name: str) -> None:
        await self._note(f"start {name}")

    async def look(self, context: Context, name: str) -> None:
        await self._note(f"look {name}")


class BeforeService(_Noting, Before):
    pass


class AfterService(_Noting, After):
    async def stop(self, context: Context, name: str) -> None:
        await self._note(f"stop {name}")

    async def erase(self, context: Context, name: str) -> None:
        await self._note(f"erase {name}")

    async def pause(self, context: Context, name: str) -> None:
        await self._note(f"pause {name}")

    async def hint(self, context: Context, name: str) -> None:
        await self._note(f"hint {name}")
