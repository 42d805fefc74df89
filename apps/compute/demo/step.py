"""One step of the road."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from demo.stage import Stage


@dataclass(frozen=True, slots=True)
class Step:
    """Its name in the report, its title, and what is done."""

    name: str
    title: str
    act: Callable[[Stage], Awaitable[None]]
