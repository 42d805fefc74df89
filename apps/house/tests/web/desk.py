"""A page on a free port, for a house that a test makes up; and a browser that looks at it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, Route

from house.errors import HouseError
from house.web.site import SITE
from midflight.config import ConsoleSettings, Token
from midflight.web import Access, App, Gatherer
from tests.web.houses import Keeper

ROOT = Path(__file__).parents[4]
AXE = ROOT / "tests" / "console" / "vendor" / "axe.min.js"
PICTURES = ROOT / "build" / "house"
SOON = 30.0
"""Seconds within which something has to have happened, on a machine that has much else to do."""


def token(name: str, role: Any) -> Token:
    """Its secret is ``NAME's secret``."""
    return Token(name=name, role=role, sha256=sha256(f"{name}'s secret".encode()).hexdigest(), expires=date(2999, 1, 1))


TOKENS = ConsoleSettings(tokens=[token("ann", "operator"), token("bob", "viewer")])


def app_of(keeper: Keeper, settings: ConsoleSettings, shortest: float = 0.05) -> tuple[App, Gatherer]:
    """The page in front of a keeper."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Keeper]:
        yield keeper

    gatherer = Gatherer(connect, SITE.always, errors=(HouseError,), shortest=shortest)
    return App(SITE, gatherer, Access(settings, b"the key of all pages of the tests"), []), gatherer


@dataclass
class Desk:
    """A page that is served, and who is asked."""

    keeper: Keeper
    settings: ConsoleSettings = field(default_factory=ConsoleSettings)
    port: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        app, _ = app_of(self.keeper, self.settings)
        config = uvicorn.Config(app.app(), log_config=None, proxy_headers=False, timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Cut every connection."""
        self._server.should_exit = True
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await self._task


@dataclass
class Tab:
    """A tab of the browser, and what it complained of."""

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

    async def violations(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA and its own best practices, each with where it is."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate(
            "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
            ".flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target} ${node.failureSummary}`))"
        )
        return [str(each) for each in found]


async def open_tab(
    browser: Browser, home: str, path: str, *, theme: str = "light", width: int = 1280, **more: Any
) -> Tab:
    """Open a page at ``home``. Nothing else can be reached from it."""
    context = await browser.new_context(
        color_scheme=theme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
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
