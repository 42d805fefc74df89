"""The page Data: how far rows have come, how fast, why they wait; and who steers them."""

from __future__ import annotations

from midflight.console.pages.data import REASONS, histogram
from midflight.console.speeds import STANDS, Speeds
from tests.console import sights
from tests.console.conftest import Desks, Tabs
from tests.console.looks import moving, seen
from tests.console.test_access import TOKENS
from tests.console.test_acts import signed_in
from tests.console.test_frame import EVIL
from tests.upgrade.fleets import cloud


def test_a_histogram_ends() -> None:
    """The most frequent first; thousands of reasons are one line more."""
    lines = histogram({f"reason {n}": n for n in range(1, 101)})
    assert [lines[0].words, lines[0].rows, lines[0].width] == ["reason 100", 100, 100.0]
    assert (len(lines), lines[-1].words) == (REASONS + 1, f"{100 - REASONS} others")
    assert sum(line.rows for line in lines) == 5050


def test_a_migration_that_stands_has_no_speed() -> None:
    """What it did a while ago says nothing of when it will be done; a new pass begins anew."""
    now = [0.0]
    speeds = Speeds(lambda: now[0])
    for looked in (0, 100, 200, 300, 400, 400):
        speeds.look(cloud(migrations=[sights.sweeping(looked=looked)]))
        now[0] += 1.0
    name = sights.sweeping().name
    speed = speeds.of(name)
    assert speed is not None
    assert (speed.rate, speed.left(500)) == (100.0, (5.0, 5.0))
    now[0] += STANDS
    assert (speeds.of(name), speeds.of("another")) == (None, None)


async def test_rows_on_their_way_are_told_with_their_speed(desk: Desks, tab: Tabs) -> None:
    """As a range; and why some of them wait, and which failed."""
    here = await desk(moving(), shortest=0.05)
    page = await tab(here, "/data")
    await page.reads("#migration-1", "61,240 of about 184,000 rows looked at")
    await page.reads("#migration-1 .reasons", "resizing 700 migrating 402 task_state is deleting 87")
    await page.page.click("summary")
    await page.reads(".keys-of", "i-04711 ValueError: vcpus is -1")
    for looked in range(62_000, 68_000, 1_000):
        here.conductors.shown = moving(migrations=[sights.sweeping(looked=looked)]).shown
        await here.gatherer.after(here.gatherer.picture.number, 30)  # type: ignore[union-attr]
    await page.reads(".progress", "rows a second")
    await page.reads(".progress", " left")
    assert await page.page.locator("details").get_attribute("open") == ""


async def test_the_schema_says_what_is_hidden(desk: Desks, tab: Tabs) -> None:
    """Held contracts with the way back, and what was done to the schema."""
    page = await tab(await desk(moving()), "/data")
    await page.reads("#schema .held", "0002c, hidden")
    await page.reads("#schema .history", "held 0002c, which takes away instances.type_id, by kilo")


async def test_a_data_migration_is_steered_and_braked(desk: Desks, tab: Tabs) -> None:
    """By who may act: paused, and stopped with all others. Acts that make no sense now are not offered."""
    here = await desk(moving(), settings=TOKENS)
    page = await signed_in(here, tab)
    await page.page.goto(f"{here.url}/data")
    offered = [await each.inner_text() for each in await page.page.locator("#migration-1 .button").all()]
    assert [each.split()[0] for each in offered] == ["Pause", "Cancel"]
    await page.page.click("#migration-1 .button >> nth=0")
    await page.reads(".command", "midflight data pause migrate_flavor_data")
    assert await page.violations() == []
    await page.page.click("button.primary")
    await page.reads("#outcome", "migrate_flavor_data is paused behind its last chunk")
    await page.page.goto(f"{here.url}/data")
    await page.page.click("#pace .button")
    await page.page.click("text=Put the brake on")
    await page.reads("#outcome", "the brake is on: each chunk that runs ends, and none begins")
    assert here.conductors.acts == ["as ann", "pause migrate_flavor_data", "as ann", "brake True"]
    await page.page.goto(f"{here.url}/act/brake?on=no")
    await page.reads("main", "it is not on")
    await page.page.goto(f"{here.url}/act/data-start?name=nothing")
    await page.reads("main", "there is no data migration 'nothing'; there are migrate_flavor_data")


async def test_script_in_a_reason_is_only_text(desk: Desks, tab: Tabs) -> None:
    """In a migration's name, its reasons and errors, its failed keys, a throttle, a reading and a revision."""
    state = sights.sweeping(name=EVIL, table=EVIL, state=EVIL, form=EVIL, wanted=EVIL, deferred_by={EVIL: 3})
    told = sights.detail(state)
    told.errors, told.failed, told.holder, told.needs = {EVIL: 1}, {EVIL: EVIL}, EVIL, {EVIL: False}
    shown = cloud(migrations=[state], held=EVIL, health={EVIL: [3.0, 2.0]}, hidden={EVIL: sights.NOW})
    page = await tab(await desk(seen(shown, details={EVIL: told})), "/data")
    await page.reads("#pulse", "live")
    await page.reads("#migration-1", "<script>")
    assert "owned" not in await page.page.title()
    assert await page.page.locator("main script, main img").count() == 0
