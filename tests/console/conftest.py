"""One Chromium for all tests of the console, and a console for each.

All of them share one event loop: a browser and a server outlive a test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from midflight.conductor.interface import Fleet
from tests.console.desk import Conductors, Desk
from tests.console.tab import Tab, open_tab

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
"""Without them, Chromium wants privileges, a screen, and its maker's servers."""

HERE = Path(__file__).parent

Desks = Callable[..., Awaitable[Desk]]
Tabs = Callable[..., Awaitable[Tab]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is asynchronous here runs in the loop of the session."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A running browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desks]:
    """Start a console for a fleet; it ends with the test."""
    started: list[Desk] = []

    async def start(fleet: Fleet | Conductors, **options: Any) -> Desk:
        made = Desk(fleet if isinstance(fleet, Conductors) else Conductors(fleet), **options)
        await made.start()
        started.append(made)
        return made

    yield start
    for each in started:
        await each.stop()
        each.held.release()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(chromium: Browser) -> AsyncIterator[Tabs]:
    """Open a tab at a console, in a browser that knows nothing of other tests. All that its pages complained of is an
    error in the end, and so is a request to anywhere else."""
    opened: list[Tab] = []

    async def open_at(desk: Desk, path: str = "/", **options: Any) -> Tab:
        made = await open_tab(chromium, desk.url, path, **options)
        opened.append(made)
        return made

    yield open_at
    for each in opened:
        await each.context.close()
    assert [wrong for each in opened for wrong in each.complaints] == []
