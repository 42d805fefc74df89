"""The patch bay in a browser on the laboratory's station."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import async_playwright

from tests.sound.lab.cards import HERE
from tests.sound.lab.house import SOURCES, House
from tests.sound.lab.studio import STATION
from tests.web.conftest import CHROMIUM, FLAGS
from tests.web.desk import Tab, open_tab, token


@asynccontextmanager
async def page(home: House, folder: Path) -> AsyncIterator[str]:
    """``house page`` on the station, where ann may act; its address."""
    station, ann = home.studio.hosts[STATION], token("ann", "operator")
    entry = f'[[console.tokens]]\nname = "ann"\nrole = "operator"\nsha256 = "{ann.sha256}"\nexpires = {ann.expires}\n'
    config = folder / "house.toml"
    config.write_text(f"{(station.home / 'house.toml').read_text()}{entry}")
    serving = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", station.namespace, sys.executable, "-m", "house", "page", "--listen", "127.0.0.1:0",
        "--config", str(config), cwd=HERE, env={**os.environ, "PYTHONPATH": SOURCES},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert serving.stdout is not None
    try:
        said = (await serving.stdout.readline()).decode()
        assert said.startswith("page: http://127.0.0.1:"), said
        yield said.removeprefix("page: ").strip()
    finally:
        serving.terminate()
        await serving.wait()


@asynccontextmanager
async def patch_bay(home: House, folder: Path) -> AsyncIterator[Tab]:
    """In a browser on the station, in which ann has signed in."""
    browser = folder / "chromium"
    inside = f"ip netns exec {home.studio.hosts[STATION].namespace}"
    browser.write_text(f'#!/bin/sh\nexec {inside} {CHROMIUM} "$@"\n')
    browser.chmod(0o755)
    async with page(home, folder) as url, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser, args=FLAGS)
        try:
            tab = await open_tab(chromium, url, "/signin")
            await tab.page.fill("#token", "ann's secret")
            await tab.page.keyboard.press("Enter")
            await tab.page.wait_for_url("**/machines")
            await tab.page.goto(f"{url}/sound")
            await tab.reads("#pulse", "live")
            yield tab
        finally:
            await chromium.close()
        assert tab.complaints == []
