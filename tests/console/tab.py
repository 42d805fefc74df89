"""What a test does with a tab of the browser."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, Page, Route

PICTURES = Path(__file__).parents[2] / "build" / "console"
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SOON = 30.0
"""Seconds within which something has to have happened, on a machine that has much else to do."""


@dataclass
class Tab:
    """A page of the console, and what it complained of: an error in a script, a resource that the policy forbids, a
    request to anywhere but the console."""

    page: Page
    context: BrowserContext
    home: str
    complaints: list[str] = field(default_factory=list)

    async def text(self, selector: str) -> str:
        """What somebody reads there."""
        return " ".join((await self.page.locator(selector).first.inner_text()).split())

    async def reads(self, selector: str, wanted: str) -> None:
        """Wait until a text is there."""
        until = time.monotonic() + SOON
        while wanted not in (found := await self.text(selector)):
            assert time.monotonic() < until, f"still {found!r}, and not {wanted!r}"
            await self.page.wait_for_timeout(20)

    async def titled(self, wanted: str) -> None:
        """Wait until this is the title of the page."""
        until = time.monotonic() + SOON
        while wanted != (found := await self.page.title()):
            assert time.monotonic() < until, f"still {found!r}, and not {wanted!r}"
            await self.page.wait_for_timeout(20)

    async def has(self, selector: str, number: int) -> None:
        """Wait until so many of them are there."""
        until = time.monotonic() + SOON
        while (found := await self.page.locator(selector).count()) != number:
            assert time.monotonic() < until, f"still {found} of {selector}, and not {number}"
            await self.page.wait_for_timeout(20)

    async def seen_on(self, theme: Literal["light", "dark"], width: int) -> None:
        """Let the system be of this theme, and the screen so wide."""
        await self.page.emulate_media(color_scheme=theme)
        await self.page.set_viewport_size({"width": width, "height": width * 9 // 16 if width > 1000 else 800})

    async def keep_picture(self, name: str) -> None:
        """Keep what is seen, for people, in build/console."""
        await self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    async def violations(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA and its own best practices, each with where it is."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate(
            "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
            ".flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target} ${node.failureSummary}`))"
        )
        return [str(each) for each in found]


async def open_tab(
    browser: Browser, home: str, path: str, *, theme: str = "light", width: int = 1280, height: int = 800, **more: Any
) -> Tab:
    """Open a page of the console at ``home``. Nothing else can be reached from it."""
    context = await browser.new_context(
        color_scheme=theme,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        **more,
    )
    page = await context.new_page()
    tab = Tab(page, context, home)

    async def away(route: Route) -> None:
        if route.request.url.startswith(f"{home}/"):
            await route.continue_()
        else:
            tab.complaints.append(f"asked for {route.request.url}")
            await route.abort()

    await context.route("**/*", away)
    page.on("pageerror", lambda error: tab.complaints.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: (
            tab.complaints.append(message.text)
            if message.type in ("error", "warning") and "Failed to load resource" not in message.text
            else None
        ),
    )
    await page.goto(home + path)
    return tab
