"""A whole upgrade of the miniature cloud, by somebody who sits before its console and clicks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from demo import road
from demo.size import parse
from demo.stage import Stage, staged
from playwright.async_api import Browser, CDPSession, async_playwright

from midflight.web.access import secret_digest
from tests.console.conftest import CHROMIUM, FLAGS
from tests.console.tab import Tab, open_tab

SMALL = ["--instances=4", "--agents=2", "--apis=1", "--conductors=1"]
WHO = {"ann": "operator", "bob": "viewer"}
LOGINS = "".join(
    f"""
[[console.tokens]]
name = "{name}"
role = "{role}"
sha256 = "{secret_digest(name)}"
expires = 2999-01-01
"""
    for name, role in WHO.items()
)
"""Each signs in with their name."""
SLOW = {"offline": False, "latency": 300, "downloadThroughput": 64_000, "uploadThroughput": 64_000}
"""Milliseconds, and bytes a second."""
TIMES_SLOWER = 4
"""Its processor. It is not for long, for what the browser takes away from itself it burns."""


async def signed_in(browser: Browser, stage: Stage, name: str, **how: str) -> Tab:
    """A tab at the home page, with nothing else in reach."""
    assert stage.console is not None
    tab = await open_tab(browser, stage.console.url, "/signin", **how)
    await tab.page.fill("#token", name)
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url("**/upgrade")
    return tab


async def behind_a_bad_line(tab: Tab) -> CDPSession:
    """From now on; what is returned makes it a slow machine, too."""
    devtools = await tab.context.new_cdp_session(tab.page)
    await devtools.send("Network.enable")
    await devtools.send("Network.emulateNetworkConditions", SLOW)
    return devtools


async def act(tab: Tab, at: str, button: str, confirm: str, done: str, **fields: str) -> None:
    """Go to a page, press a button there, fill in what is asked, confirm, and read what became of it."""
    await tab.page.goto(f"{tab.home}{at}")
    await tab.page.click(f"main a[href^='/act/']:has-text('{button}')")
    for name, value in fields.items():
        await tab.page.fill(f"#field-{name}", value)
    await tab.page.click(f"main button:has-text('{confirm}')")
    await tab.reads("#outcome", done)


async def control_becomes_kilo(stage: Stage) -> None:
    """All at once: each new process is ready before its old one leaves."""

    async def replace(name: str, service: str) -> None:
        old = stage.fleet.members[name]
        await stage.fleet.start(name, service, "kilo")
        await stage.fleet.stop(old)

    await asyncio.gather(*(replace(*member) for member in stage.members() if member[1] != "compute"))


async def agent_becomes_kilo(stage: Stage, name: str) -> None:
    """There is one agent on a host."""
    await stage.fleet.stop(stage.fleet.members[name])
    await stage.fleet.start(name, "compute", "kilo")


@asynccontextmanager
async def a_fleet_of_juno(folder: Path) -> AsyncIterator[tuple[Stage, Browser]]:
    """With instances on its first agent, a console of kilo at which people sign in, and a browser."""
    size = parse([*SMALL, f"--build={folder}"])
    async with staged(size, folder / "run", lambda _: None) as stage, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        await road.start(stage)
        await stage.load.do("populate", instances=size.instances, hosts=size.hosts[:1])
        await stage.show("kilo", LOGINS)
        yield stage, browser
        await browser.close()


async def test_a_whole_upgrade_is_made_in_a_browser(tmp_path: Path) -> None:
    """Pins, a member that is lost, a data migration and the one-way door are clicked at, and happen, in the name of who
    clicked. A page that stands open, in a slow browser that reaches nothing but the console, follows all of it without
    being loaded again: a red gate and its way out, and a console that is killed in the middle of the roll. It takes a
    while: the cloud consists of processes."""
    async with a_fleet_of_juno(tmp_path) as (stage, browser):
        ann, bob = await signed_in(browser, stage, "ann"), await signed_in(browser, stage, "bob", theme="dark")
        slow = await behind_a_bad_line(bob)
        await slow.send("Emulation.setCPUThrottlingRate", {"rate": TIMES_SLOWER})
        await road.KILO.expand(stage)
        await bob.reads(".where", "Step 2 of 8: pin")
        await act(ann, "/upgrade", "Set the pin", "Set the pin", "is acknowledged by all active members")
        await bob.reads(".where", "Step 3 of 8: control")
        await slow.send("Emulation.setCPUThrottlingRate", {"rate": 1})

        await stage.fleet.kill(stage.fleet.members["agent-2"])
        await control_becomes_kilo(stage)
        await bob.page.goto(f"{bob.home}/upgrade?step=roll")
        await bob.reads("#gate[data-status=fail]", "compute@agent-2 is lost")
        await bob.reads("#gate .ways", "midflight fleet retire")
        await bob.keep_picture("clicked-1-red")
        await act(ann, "/fleet?state=lost", "Retire", "Retire it", "compute@agent-2 (juno) is retired")
        await bob.has("#gate[data-status=fail]", 0)

        await ann.page.goto(f"{ann.home}/fleet")
        await ann.reads("#pulse", "live")
        stage.console.process.kill()
        for each in (ann, bob):
            await each.reads("#pulse", "not connected")
        await agent_becomes_kilo(stage, "agent-1")
        await stage.show("kilo", LOGINS)
        await bob.reads(".where", "Step 6 of 8: unpin")
        await ann.reads(".legend", "4 kilo")
        await bob.reads("#pulse", "live")
        await ann.reads("#pulse", "live")

        await act(ann, "/upgrade", "Clear the pin", "Clear the pin", "is acknowledged by all active members")
        await bob.reads(".where", "Step 7 of 8: data")
        await act(ann, "/data", "Start", "Start", "migrate_flavor_data runs")
        await bob.reads(".where", "Step 8 of 8: finalize")
        await act(ann, "/upgrade", "Finalize", "Finalize", "kilo is finalized", word="kilo")
        await bob.reads(".where", "The fleet is upgraded")
        await bob.keep_picture("clicked-2-done")

        assert await bob.page.locator("main a[href^='/act/']").count() == 0
        complaints = [wrong for each in (ann, bob) for wrong in each.complaints]
        assert [wrong for wrong in complaints if "sse:error" not in wrong] == []  # of the console that was killed
        told = await stage.operator.command("upgrade", "journal", "-n", "1000", "--json", release="kilo")
    entries = json.loads("\n".join(told.lines))
    kinds = [entry["kind"] for entry in entries if (entry["by"] or "").startswith("ann, through operator@")]
    assert list(dict.fromkeys(kinds)) == [
        "pin.set", "member.retired", "pin.cleared", "migration.start", "migration.proved", "form.advanced",
        "store_floor.raised",
    ]  # fmt: skip
