"""What is around every page: the policy, the connection, the keys, both themes; looked at with a real browser."""

from __future__ import annotations

import asyncio
import re

import pytest

from midflight.console.pages import PAGES
from tests.console.conftest import Desks, Tabs
from tests.console.looks import LOOKS, ROLL
from tests.upgrade.fleets import cloud, fleet, member

SCREENS = (("light", 1280), ("dark", 360), ("light", 360), ("dark", 3840))
"""Themes, and how wide it is."""
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.mark.parametrize("name", LOOKS)
async def test_every_look_passes_axe(desk: Desks, tab: Tabs, name: str) -> None:
    """No violation of WCAG AA, by day on a wide screen and by night on a narrow one; pages the other way round, too,
    by night on a wall. And nobody scrolls sideways."""
    path, shown = LOOKS[name]
    here = await tab(await desk(shown), path)
    await here.reads("#pulse", "live")
    for theme, width in SCREENS if name in {page.name for page in PAGES} else SCREENS[:2]:
        await here.seen_on(theme, width)
        assert (theme, width, await here.violations()) == (theme, width, [])
        assert await here.page.evaluate("document.documentElement.scrollWidth") <= width
        await here.keep_picture(f"{name}-{theme}-{width}")


async def test_what_has_changed_is_pushed(desk: Desks, tab: Tabs) -> None:
    """Without a request, and what was open and focused stays so."""
    here = await desk(cloud())
    seen = await tab(here, "/upgrade")
    await seen.reads(".where", "Step 3 of 8")
    await seen.page.locator("#step-soak a").focus()
    here.conductors.shown = cloud("kilo")
    await seen.reads(".where", "Step 4 of 8")
    await seen.titled("soak, unknown · cloud")
    assert await seen.page.evaluate("document.activeElement.closest('li').id") == "step-soak"


async def test_one_gathering_serves_all_browsers(desk: Desks, tab: Tabs) -> None:
    """However many look, the conductors are asked no more often."""
    here = await desk(cloud(), shortest=0.5)
    tabs = [await tab(here, "/fleet") for _ in range(4)]
    for each in tabs:
        await each.reads("#pulse", "live")
    before, start = here.conductors.asked, here.gatherer.picture.number
    await here.gatherer.after(start + 3, 30)
    assert here.conductors.asked - before <= here.gatherer.picture.number - start + 1


async def test_a_console_that_is_killed_is_missed_and_found_again(desk: Desks, tab: Tabs) -> None:
    """The page says that it is old, and goes on by itself once a console answers at the same address."""
    here = await desk(cloud())
    seen = await tab(here, "/upgrade")
    await seen.reads("#pulse", "live")
    await here.stop()
    await seen.reads("#pulse", "not connected")
    await seen.reads("#away", "What you see is old")
    await seen.titled("not connected: control, fail · cloud")
    here.conductors.shown = cloud("kilo")
    await here.start()
    await seen.reads("#pulse", "live")
    await seen.reads(".where", "Step 4 of 8")
    assert await seen.page.locator("#away").is_hidden()
    seen.complaints = [each for each in seen.complaints if "sse:error" not in each]


async def test_while_no_conductor_answers_the_last_picture_stays(desk: Desks, tab: Tabs) -> None:
    """With its age, the reason, and in grey; what comes next is whole again."""
    here = await desk(cloud())
    seen = await tab(here, "/fleet")
    await seen.reads(".total", "4 members")
    here.conductors.shown = None
    await seen.reads(".stale", "Last known picture, of")
    assert re.search(r"of \d+ s ago No conductor of project cloud answers", await seen.text(".stale"))
    assert "4 members" in await seen.text(".total")
    assert await seen.page.locator(".sheet.is-stale").count() == 3
    assert await seen.violations() == []
    here.conductors.shown = cloud()
    await seen.has(".stale", 0)


async def test_a_network_that_swallows_everything_is_noticed(desk: Desks, tab: Tabs) -> None:
    """No connection breaks, and nothing comes any more: the page says so by itself, and goes on when it can."""
    here = await desk(cloud())
    seen = await tab(here, "/upgrade")
    await seen.reads("#pulse", "live")
    await seen.page.clock.install()
    cut = await here.swallow()
    await seen.page.clock.fast_forward(10_000)
    await seen.reads("#pulse", "not connected")
    await seen.reads("#away", "has not answered for")
    cut.set()
    await seen.reads("#pulse", "live")


async def test_a_slow_browser_holds_nobody_up(desk: Desks, tab: Tabs) -> None:
    """One that reads nothing of what is pushed costs the console nothing, while another is pushed on."""
    here = await desk(ROLL, shortest=0.02)
    address = here.url.removeprefix("http://").split(":")
    _reader, writer = await asyncio.open_connection(*address, limit=1024)
    writer.write(b"GET /fleet/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    seen = await tab(here, "/fleet")
    for number in range(30):
        here.conductors.shown = fleet(*ROLL.members[number:])
        await seen.reads(".total", f"{len(ROLL.members) - number} members")
    writer.close()


async def test_a_fleet_of_thousands_is_paged(desk: Desks, tab: Tabs) -> None:
    """What a browser is sent does not grow with the fleet; it is found on the server."""
    crowd = fleet(*(member("compute", f"h{n:04}", "kilo" if n % 3 else "juno") for n in range(5000)))
    here = await desk(crowd, shortest=1.0)
    seen = await tab(here, "/fleet?page=100")
    await seen.reads(".pager", "4,951–5,000 of 5,000")
    assert await seen.page.locator(".members tbody tr").count() == 50
    assert len(await seen.page.content()) < 100_000
    await seen.page.fill("[data-find]", "h4999")
    await seen.reads("#members-title", "1 found")
    await seen.page.goto(f"{here.url}/upgrade")
    await seen.reads("#gate-title", "Gate")
    assert len(await seen.page.content()) < 100_000


async def test_a_console_that_has_seen_nothing_says_so(desk: Desks, tab: Tabs) -> None:
    """And shows no empty fleet, which would be a lie."""
    here = await desk(cloud())
    here.conductors.shown = None
    here.gatherer.picture = type(here.gatherer.picture)()
    seen = await tab(here, "/upgrade")
    await seen.reads(".stale", "Nothing was seen yet")
    assert await seen.page.locator(".road").count() == 0


async def test_a_script_in_a_name_is_only_text(desk: Desks, tab: Tabs) -> None:
    """In a host, a release, a state and a pin: it is shown as it is, and runs nowhere."""
    bad = member("api", EVIL, EVIL, id="api.x.1", state=EVIL, overrides={EVIL: EVIL})
    for path in ("/fleet", "/upgrade", f"/fleet?host={EVIL}&service={EVIL}&sort={EVIL}", f"/upgrade?step={EVIL}"):
        seen = await tab(await desk(fleet(bad, pins={EVIL: EVIL})), path)
        await seen.reads("#pulse", "live")
        assert "owned" not in await seen.page.title()
        assert await seen.page.locator("main script, main img").count() == 0
    assert "<script>" in await seen.text("#journey")


async def test_keys_lead_to_the_pages_and_to_the_field(desk: Desks, tab: Tabs) -> None:
    """g and a letter, / to find, ? for all of them; in a field they are letters."""
    seen = await tab(await desk(ROLL), "/upgrade")
    await seen.page.keyboard.press("g")
    await seen.page.keyboard.press("f")
    await seen.page.wait_for_url("**/fleet")
    await seen.page.keyboard.press("/")
    await seen.page.keyboard.type("rack5")
    await seen.reads("#members-title", "16 found")
    assert "host=rack5&" in seen.page.url
    await seen.page.keyboard.press("Escape")
    await seen.page.keyboard.press("?")
    await seen.reads("#help", "These keys")


async def test_the_theme_is_the_system_s_until_one_is_chosen(desk: Desks, tab: Tabs) -> None:
    """The choice is kept."""
    seen = await tab(await desk(ROLL), theme="dark")
    theme = "document.documentElement.dataset.theme"
    assert await seen.page.evaluate(theme) == "dark"
    await seen.page.locator("#theme").click()
    await seen.page.reload()
    assert await seen.page.evaluate(theme) == "light"


async def test_without_scripts_the_page_is_there(desk: Desks, tab: Tabs) -> None:
    """It is written by the server, and times are times."""
    seen = await tab(await desk(ROLL), "/fleet?host=rack1", java_script_enabled=False)
    assert "16 found" in await seen.text("#members-title")
    assert re.fullmatch(r"[\d:-]+( [\d:]+)?", await seen.text("time"))
