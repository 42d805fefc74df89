"""The page Traffic: curves, what becomes older, what was rejected, what is parked, and what is decided about it."""

from __future__ import annotations

import itertools
import json

import pytest

from midflight.console.pages.traffic import rejected, series
from midflight.transports.base import Address, ParkedMessage
from tests.console import sights
from tests.console.conftest import Desks, Tabs
from tests.console.desk import Conductors
from tests.console.looks import BUSY, seen
from tests.console.test_access import TOKENS
from tests.console.test_acts import signed_in
from tests.console.test_frame import EVIL
from tests.upgrade.fleets import cloud, rejection

POINTS = "document.querySelector('#chart-calls').getAttribute('aria-valuemax')"


def test_a_minute_that_nobody_counted_is_a_gap() -> None:
    """And no line is drawn over it, nor is it taken for silence."""
    curves = series(sights.minutes(10, gap=range(3, 5)))
    assert [curves["calls"].index(None), curves["calls"].count(None), len(curves["at"])] == [3, 1, 9]
    assert {len(curve) for curve in curves.values()} == {9}
    assert steps(curves) == [60.0, 60.0, 60.0, 120.0, 60.0, 60.0, 60.0, 60.0]
    json.dumps(curves)


def steps(curves: dict[str, list[float | None]]) -> list[float]:
    """The seconds from point to point."""
    return [later - earlier for earlier, later in itertools.pairwise(curves["at"])]  # type: ignore[operator]


def test_the_last_minutes_have_a_point_for_ten_seconds() -> None:
    """Whatever a piece is long, its rates are a second."""
    told = sights.in_pieces()
    curves = series(told)
    assert set(steps(curves)[-59:]) == {10.0}
    assert curves["calls"][-1] == told[-1].calls / 10
    assert curves["calls"][0] == pytest.approx(told[0].calls / 60, abs=0.01)


async def test_the_curves_go_back_an_hour_where_that_is_asked_for(desk: Desks, tab: Tabs) -> None:
    """Ten minutes, else; what is chosen stays."""
    page = await tab(await desk(BUSY), "/traffic")
    await page.has(".chart canvas", 2)
    assert await page.page.evaluate(POINTS) == "59"
    await page.page.click("text=An hour")
    await page.reads(".choices [aria-current]", "An hour")
    await page.has(".chart canvas", 2)
    assert await page.page.evaluate(POINTS) == str(len(series(sights.in_pieces())["at"]) - 1)


def test_rejections_of_one_kind_are_told_as_one() -> None:
    """With their number and the last one's time; the latest first."""
    found = rejected([rejection(90), rejection(60), rejection(30, "compute.reboot"), rejection(10)])
    assert [(each.fact("method"), each.number, each.last.age) for each in found] == [
        ("compute.build", 3, 10.0),
        ("compute.reboot", 1, 30.0),
    ]


async def test_the_curves_are_read_by_keyboard(desk: Desks, tab: Tabs) -> None:
    """Point by point, with their numbers in words; and they grow with what is pushed, without being drawn anew."""
    conductors = seen(cloud(), minutes=sights.minutes(10, gap=range(0)))
    page = await tab(await desk(conductors), "/traffic")
    await page.has(".chart canvas", 2)
    chart = page.page.locator("#chart-calls")
    await chart.focus()
    await page.page.keyboard.press("Home")
    first = sights.minutes(10, gap=range(0))[0]
    wanted = f"{first.since:%H:%M:%S} answered {first.calls / 60:.1f}/s, failed 0.0/s"
    await page.reads("#readout-calls", wanted)
    assert await chart.get_attribute("aria-valuetext") == wanted
    await page.page.keyboard.press("End")
    await page.reads("#readout-calls", f"{sights.minutes(1, gap=range(0))[0].since:%H:%M:%S}")


async def test_both_ends_of_a_translation_are_named(desk: Desks, tab: Tabs) -> None:
    """Object, versions, how often; and who is behind it."""
    page = await tab(await desk(BUSY), "/traffic")
    await page.reads("#pair-1", "Instance 1.17 1.16")
    await page.reads("#older", "compute@rack3-host03 (juno) 410")
    await page.reads("#rejected", "compute.build 4.0 3 times api@web (kilo, epoch 3) to compute@n1 (juno), which")
    assert await page.page.locator("#parked tbody tr").count() == len(sights.SOME_PARKED)
    assert await page.page.locator("a[href^='/act/']").count() == 0


async def test_a_message_is_replayed_and_another_discarded(desk: Desks, tab: Tabs) -> None:
    """In somebody's name, each asked first; what was held back behind the discarded one goes on."""
    here = await desk(seen(cloud(), kept=sights.SOME_PARKED), settings=TOKENS)
    page = await signed_in(here, tab)
    first, behind = sights.SOME_PARKED[0].message_id, sights.SOME_PARKED[2].message_id
    await page.page.goto(f"{here.url}/traffic")
    await page.page.click(f"a[href='/act/replay?message={first}']")
    await page.reads(".words", "compute.build_and_run_instance to compute@rack3-host03, sent by api@web-1, was parked")
    assert await page.violations() == []
    await page.page.click("text=Replay it")
    await page.reads("#outcome", f"{first} compute.build_and_run_instance to compute@rack3-host03 is sent again")
    killed = sights.SOME_PARKED[1].message_id
    await page.page.goto(f"{here.url}/act/discard?message={killed}")
    await page.reads(".know", f"{behind} compute.build_and_run_instance, which was held back, goes on")
    await page.page.click("text=Discard it")
    await page.reads("#outcome", f"{behind} compute.build_and_run_instance, which was held back, is sent again")
    assert here.conductors.acts == [
        "as ann", f"replay {first}", "as ann", f"discard {killed}", f"replay {behind}",
    ]  # fmt: skip


async def test_what_nobody_would_run_is_not_offered_for_replay(desk: Desks, tab: Tabs) -> None:
    """An expired one, and one behind another of its key; asked for all the same, it is refused with the reason."""
    here = await desk(seen(cloud(), kept=sights.SOME_PARKED), settings=TOKENS)
    page = await signed_in(here, tab)
    behind, expired = sights.SOME_PARKED[2].message_id, sights.SOME_PARKED[3].message_id
    await page.page.goto(f"{here.url}/traffic")
    await page.has("a[href^='/act/discard']", 5)
    assert await page.page.locator("a[href^='/act/replay']").count() == 3
    for message, why in (
        (behind, "came before it, with the same key"), (expired, "it has expired"), ("beef", "there is no parked"),
    ):  # fmt: skip
        await page.page.goto(f"{here.url}/act/replay?message={message}")
        await page.reads("main", why)
    assert here.conductors.acts == []


async def test_script_in_a_message_is_only_text(desk: Desks, tab: Tabs) -> None:
    """In its method, its sender, its reason and its id; in a rejection, and in an object's name."""
    facts = dict.fromkeys(("method", "sender", "sender_release", "reason", "understood", "parked_at", "expires"), EVIL)
    bad = ParkedMessage(Address("compute", "h1"), b"", f"{EVIL}1", facts)
    minute = sights.minutes(1, gap=range(0))[0]
    minute.pairs = {f"{EVIL.replace(' ', '')} 1.1 1.0": 3, "odd": 1}
    conductors: Conductors = seen(cloud(rejections=[rejection(5, EVIL)]), kept=[bad], minutes=[minute])
    here = await desk(conductors, settings=TOKENS)
    page = await signed_in(here, tab)
    for path in ("/traffic", f"/act/discard?message={EVIL}1", f"/traffic?x={EVIL}"):
        await page.page.goto(f"{here.url}{path}")
        await page.reads("main", "<script>")
        assert "owned" not in await page.page.title()
        assert await page.page.locator("main script, main img").count() == 0
