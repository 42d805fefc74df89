"""What is seen: the cards and why, the plots, the rules; looked at with a real browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from house.operator import House
from house.states import State
from tests.web.conftest import Desks, Tabs
from tests.web.desk import PICTURES, TOKENS, Desk, Tab
from tests.web.houses import LOOKS, MAIN, Keeper, busy_house, machine, quiet_house, wake

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


async def signed_in(here: Desk, tabs: Tabs, name: str = "ann", **options: int | str) -> Tab:
    """A tab in which somebody has signed in."""
    seen = await tabs(here, "/signin", **options)
    await seen.page.fill("#token", f"{name}'s secret")
    await seen.page.keyboard.press("Enter")
    await seen.page.wait_for_url("**/machines")
    return seen


DAY, NIGHT = ("light", 1280), ("dark", 360)
SEEN = [
    (name, *by) for n, name in enumerate(LOOKS) for by in ((DAY, NIGHT) if name in MAIN else ((DAY, NIGHT)[n % 2],))
]


@pytest.mark.parametrize(("name", "theme", "width"), SEEN)
async def test_every_look_passes_axe(desk: Desks, tab: Tabs, name: str, theme: str, width: int) -> None:
    """No violation of WCAG AA, by day on a wide screen and by night on a narrow one, and nobody scrolls sideways. Where
    there is little to show, one of the two is looked at."""
    path, house = LOOKS[name]
    here = await tab(await desk(house()), path, theme=theme, width=width)
    await here.reads("#pulse", "live")
    assert await here.violations() == []
    assert await here.page.evaluate("document.documentElement.scrollWidth") <= width
    await here.page.screenshot(path=PICTURES / f"{name}-{theme}-{width}.png", full_page=True)


async def test_a_card_says_how_it_stands_and_why(desk: Desks, tab: Tabs) -> None:
    """Asleep with the reasons of its sleep, awake with what its agent finds, unknown with what somebody should see to;
    and when one will sleep if nothing comes between."""
    seen = await tab(await desk(busy_house()))
    await seen.reads("#machine-theobromine", "asleep for 3 h Asleep because nobody is logged in")
    await seen.reads("#machine-nas", "Awake because 12.3 MB moved on port 445 in the last minute")
    await seen.reads("#machine-nas", "Last wake television asked for port 445,")
    await seen.reads("#machine-builder", "by ada@builder: make check")
    await seen.reads("#machine-attic", "not armed")
    await seen.reads("#machine-attic", "It has not woken when it was asked for last, after 4 tries.")
    await seen.reads("#away-until", "Nobody is at home until")
    quiet = await tab(await desk(quiet_house()))
    await quiet.reads("#machine-nas", "it sleeps in 9 h")


async def test_what_has_changed_is_pushed(desk: Desks, tab: Tabs) -> None:
    """A machine that falls asleep does so on the page, without a request; what was open stays open."""
    keeper = quiet_house()
    seen = await tab(await desk(keeper))
    await seen.reads("#machine-nas", "awake for")
    await seen.page.click("#more-nas summary")
    assert keeper.shown is not None
    fallen = machine("nas", State.ASLEEP, 0, because=("nobody needs it",))
    keeper.shown = replace(keeper.shown, machines=[keeper.shown.machines[0], fallen])
    await seen.reads("#machine-nas", "Asleep because nobody needs it")
    await seen.reads("#summary", "2 of 2 asleep")
    assert await seen.page.evaluate("document.getElementById('more-nas').open")


async def test_while_nobody_answers_the_last_picture_stays(desk: Desks, tab: Tabs) -> None:
    """With its age and the reason, and in grey."""
    keeper = quiet_house()
    seen = await tab(await desk(keeper))
    await seen.reads("#summary", "1 of 2 asleep")
    keeper.shown = None
    await seen.reads(".stale", "no conductor listens")
    await seen.reads("#summary", "1 of 2 asleep")


async def test_somebody_who_signed_in_wakes_a_machine_and_ignores_who_woke_another(desk: Desks, tab: Tabs) -> None:
    """From the card, over a question, to an outcome; on a narrow screen, and without a violation on the way."""
    keeper = busy_house()
    seen = await signed_in(await desk(keeper, TOKENS), tab, width=360, theme="dark")
    await seen.page.click("#machine-theobromine a[href^='/act/wake']")
    await seen.reads(".command", "house wake theobromine")
    assert await seen.violations() == []
    await seen.page.click("text=Wake it")
    await seen.reads("#outcome", "theobromine is awake, after 2.1 s and 1 try")
    assert await seen.violations() == []
    await seen.page.goto(f"{seen.home}/machines")
    assert await seen.violations() == []
    await seen.page.screenshot(path=PICTURES / "operator-dark-360.png", full_page=True)
    await seen.page.click("#machine-nas a[href^='/act/ignore']")
    await seen.reads(".words", "Nothing wakes any more for 52:54:00:aa:00:01")
    await seen.page.click("text=Ignore it")
    await seen.reads("#outcome", "nas does not wake for 52:54:00:aa:00:01 any more")
    assert keeper.acts == [
        "as ann", "wake theobromine", "as ann", "ignore 52:54:00:aa:00:01 for nas as television",
    ]  # fmt: skip


async def test_no_question_is_wider_than_a_phone(desk: Desks, tab: Tabs) -> None:
    """However long the words are that somebody chooses from."""
    seen = await signed_in(await desk(busy_house(), TOKENS), tab, width=360)
    for act in ("rule", "hold", "ignore"):
        await seen.page.goto(f"{seen.home}/act/{act}")
        assert await seen.page.locator(".question select").count() > 0
        assert await seen.page.evaluate("document.documentElement.scrollWidth") == 360, act


async def test_a_viewer_sees_no_act(desk: Desks, tab: Tabs) -> None:
    """Nor does one whom nobody has asked to sign in."""
    seen = await signed_in(await desk(busy_house(), TOKENS), tab, "bob")
    for path in ("machines", "history", "rules"):
        await seen.page.goto(f"{seen.home}/{path}")
        await seen.reads("#pulse", "live")
        assert await seen.page.locator("main a[href^='/act/']").count() == 0
    assert await (await tab(await desk(busy_house()))).page.locator("main a[href^='/act/']").count() == 0


async def test_keys_lead_to_the_pages_and_from_card_to_card(desk: Desks, tab: Tabs) -> None:
    """g and a letter, j and k."""
    seen = await tab(await desk(busy_house()))
    await seen.reads("#pulse", "live")
    await seen.page.keyboard.press("j")
    await seen.page.keyboard.press("j")
    assert await seen.page.evaluate("document.activeElement.id") == "machine-nas"
    await seen.page.keyboard.press("g")
    await seen.page.keyboard.press("h")
    await seen.page.wait_for_url("**/history")
    await seen.reads("#plot-asleep", "Hours asleep 144 h")


async def test_script_in_a_name_is_only_text(desk: Desks, tab: Tabs) -> None:
    """A requester chooses its name, and somebody types a reason."""
    bad = wake("nas", 3, requester_name=EVIL)
    house = House([machine("nas", because=(EVIL,))])
    here = await desk(Keeper(house, wakes=[bad]), TOKENS)
    seen = await signed_in(here, tab)
    for path in ("machines", "history", f"history?machine={EVIL}&days={EVIL}", f"act/hold?machine=nas&reason={EVIL}"):
        await seen.page.goto(f"{here.url}/{path}")
        assert "<script>" in await seen.page.locator("main").inner_text() or "act/hold" in path
        assert await seen.page.title() != "owned"
        assert await seen.page.locator("main script, main img").count() == 0
