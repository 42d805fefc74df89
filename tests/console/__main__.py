"""``python -m tests.console``: draw the pictures of the documents anew, into ``docs/pictures``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import async_playwright

from tests.console.conftest import CHROMIUM, FLAGS
from tests.console.desk import Conductors, Desk
from tests.console.looks import LOOKS
from tests.console.tab import open_tab

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SHOWN = (
    ("upgrade", "light", 1280, 860),
    ("upgrade", "dark", 1280, 860),
    ("fleet", "light", 1280, 720),
    ("traffic", "dark", 1280, 860),
    ("data", "light", 1280, 800),
    ("chronicle", "dark", 1280, 800),
)
"""Which look, by day or by night, and how large."""


async def draw() -> None:
    """Each picture is of a console that runs, in a browser."""
    PICTURES.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, theme, width, height in SHOWN:
            path, shown = LOOKS[name]
            desk = Desk(shown if isinstance(shown, Conductors) else Conductors(shown))
            await desk.start()
            tab = await open_tab(browser, desk.url, path, theme=theme, width=width, height=height)
            await tab.reads("#pulse", "live")
            await tab.page.wait_for_timeout(500)  # fonts and curves
            await tab.page.screenshot(path=PICTURES / f"console-{name}-{theme}-{width}.png")
            await tab.context.close()
            await desk.stop()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw())
