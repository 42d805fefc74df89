"""How the page asks the house: as a guest of its fleet, in a thread, so that no browser waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from house.operator import Operator
from house.project import project
from midflight import Guest, connect

R = TypeVar("R")


class Visitor:
    """Asks in the name of ``who``."""

    def __init__(self, guest: Guest, who: str) -> None:
        self._guest, self._who = guest, who

    def in_the_name_of(self, user: str) -> Self:
        """The same, for somebody who has signed in."""
        return type(self)(self._guest, user)

    async def do(self, work: Callable[[Operator], Coroutine[Any, Any, R]]) -> R:
        """What an operator's method answers. Raises what it raises."""
        operator = Operator(self._guest.context, self._who)
        return await asyncio.to_thread(self._guest.run, work(operator))


@asynccontextmanager
async def visiting(config: Path, who: str) -> AsyncIterator[Visitor]:
    """A visitor for as long as the block runs. Raises ConfigError, BrokerUnreachable and NoConductor."""
    guest = await asyncio.to_thread(connect, project, config)
    try:
        yield Visitor(guest, who)
    finally:
        await asyncio.to_thread(guest.close)
