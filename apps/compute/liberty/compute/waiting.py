"""Waiting for what sends no event: other processes, and the insides of libraries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until something is so, but no longer than this. Whether it is so in the end."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True
