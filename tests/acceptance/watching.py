"""Somebody who watches a run of the demo in its console, and keeps pictures of it in build/console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.console.conftest import CHROMIUM, FLAGS
from tests.console.tab import Tab, open_tab

LOOK_SECONDS = 1.0
OTHERS = {"roll": "fleet", "soak": "traffic", "data": "data", "finalize": "chronicle"}
"""While the fleet is at a step, one more page is looked at."""


@dataclass
class Watched:
    """What somebody saw."""

    steps: list[str] = field(default_factory=list)
    """Where the fleet was said to be, one after the other."""
    shares: list[float] = field(default_factory=list)
    """How much of the bar of releases was the target's, whenever that had changed."""
    violations: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def watching(run: Path) -> AsyncIterator[Watched]:
    """Watch the console of this run for as long as the block goes on, in a browser that reaches nothing else."""
    found = Watched()
    task = asyncio.create_task(_watch(run, found))
    try:
        yield found
    finally:
        task.cancel()
        ended = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended[0], Exception):
            raise ended[0]


async def _watch(run: Path, found: Watched) -> None:
    address = run / "console.url"
    while not address.exists() or not (url := address.read_text()):
        await asyncio.sleep(LOOK_SECONDS)
    written = address.stat().st_mtime_ns
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_modest(run), args=FLAGS)
        try:
            road = await open_tab(browser, url, "/upgrade")
            said: list[str] = []
            while await _look(browser, road, found):
                await asyncio.sleep(LOOK_SECONDS)
                # It is another one for the next upgrade, and a page complains when its console ends.
                said = list(road.complaints) if _is_there(address, written) else said
            found.complaints += said
            await road.keep_picture("story-9-done")
        finally:
            await browser.close()


def _is_there(address: Path, written: int) -> bool:
    """Whether the console at this address is the one that wrote it there."""
    return address.exists() and address.stat().st_mtime_ns == written


def _modest(run: Path) -> Path:
    """Chromium that takes only the time which nobody else wants: the fleet that it watches has promised some."""
    modest = run / "chromium"
    modest.write_text(f'#!/bin/sh\nexec nice -n 15 {CHROMIUM} "$@"\n')
    modest.chmod(0o755)
    return modest


async def _look(browser: Browser, road: Tab, found: Watched) -> bool:
    """One look; whether there is more to come, for behind the last step the run ends, and its console with it. A step
    that was not seen before is worth a picture, and at some of them one more page is, which axe reads."""
    step, share = await road.page.evaluate(
        "[document.querySelector('.road [data-progress=here] .name')?.firstChild.textContent.trim(),"
        " Number(document.querySelector('.journey .bar [data-kind=target]')?.getAttribute('width') ?? 0)]"
    )
    if not found.shares or found.shares[-1] != share:
        found.shares.append(share)
    if step is None or step in found.steps:
        return step is not None or "finalize" not in found.steps
    found.steps.append(step)
    await road.keep_picture(f"story-{len(found.steps)}-{step}")
    if step in OTHERS:
        other = await open_tab(browser, road.home, f"/{OTHERS[step]}", theme="dark")
        await other.reads("#pulse", "live")
        found.violations += await other.violations()
        found.complaints += other.complaints
        await other.keep_picture(f"story-{len(found.steps)}-{step}-{OTHERS[step]}")
        await other.context.close()
    return True
