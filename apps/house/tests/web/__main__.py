"""``python -m tests.web``: draw the pictures of the README anew, into ``pictures``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import async_playwright

from tests.web.conftest import CHROMIUM, FLAGS
from tests.web.desk import TOKENS, Desk, open_tab
from tests.web.houses import busy_house, loud

PICTURES = Path(__file__).parents[2] / "pictures"
PHONE = 390
"""Pixels."""
SHOWN = (
    ("machines", "light", 1200, busy_house),
    ("history", "dark", 1200, busy_house),
    ("sound", "dark", 1200, loud),
    ("sound", "light", PHONE, loud),
)
"""Which page, by day or by night, how wide, and of which house."""


async def draw() -> None:
    """Each picture is of a page that is served, in a browser in which somebody has signed in."""
    PICTURES.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, theme, width, house in SHOWN:
            desk = Desk(house(), TOKENS)
            await desk.start()
            tab = await open_tab(browser, desk.url, "/signin", theme=theme, width=width)
            await tab.page.fill("#token", "ann's secret")
            await tab.page.keyboard.press("Enter")
            await tab.page.wait_for_url("**/machines")
            await tab.page.goto(f"{desk.url}/{name}")
            await tab.reads("#pulse", "live")
            await tab.page.wait_for_timeout(500)  # fonts
            whole = width > PHONE
            file = f"{name}-{theme}.png" if whole else f"{name}-phone.png"
            await tab.page.screenshot(path=PICTURES / file, full_page=whole)
            await tab.context.close()
            await desk.stop()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw())
