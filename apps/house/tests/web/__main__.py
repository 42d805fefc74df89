"""``python -m tests.web``: draw the pictures of the README anew, into ``pictures``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import async_playwright

from tests.web.conftest import CHROMIUM, FLAGS
from tests.web.desk import TOKENS, Desk, open_tab
from tests.web.houses import busy_house

PICTURES = Path(__file__).parents[2] / "pictures"
SHOWN = ("machines", "light"), ("history", "dark")
"""Which page, by day or by night."""


async def draw() -> None:
    """Each picture is of a page that is served, in a browser in which somebody has signed in."""
    PICTURES.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, theme in SHOWN:
            desk = Desk(busy_house(), TOKENS)
            await desk.start()
            tab = await open_tab(browser, desk.url, "/signin", theme=theme, width=1200)
            await tab.page.fill("#token", "ann's secret")
            await tab.page.keyboard.press("Enter")
            await tab.page.wait_for_url("**/machines")
            await tab.page.goto(f"{desk.url}/{name}")
            await tab.reads("#pulse", "live")
            await tab.page.wait_for_timeout(500)  # fonts
            await tab.page.screenshot(path=PICTURES / f"{name}-{theme}.png", full_page=True)
            await tab.context.close()
            await desk.stop()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw())
