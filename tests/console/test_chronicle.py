"""The page Chronicle: what changed from release to release, and the journal to scrub through."""

from __future__ import annotations

from midflight.conductor.interface import JournalEntry
from midflight.console.pages.chronicle import columns
from midflight.console.sources import ASKED, JOURNAL, Journal
from midflight.web.gatherer import Picture, Sight
from tests.console import sights
from tests.console.conftest import Desks, Tabs
from tests.console.desk import Conductors
from tests.console.looks import seen
from tests.console.test_frame import EVIL
from tests.upgrade.fleets import cloud

ENTRIES = sights.journal()


async def asked(conductors: Conductors, known: Journal | None = None) -> Journal:
    """What a look at the journal finds, by who knows some of it."""
    picture = Picture() if known is None else Picture(1, {JOURNAL: Sight(known, sights.NOW)})
    return await JOURNAL.ask(conductors, picture)  # type: ignore[arg-type]


def entries(first: int, last: int) -> list[JournalEntry]:
    """So many entries, of which each third id was never given out."""
    return [JournalEntry(id=n, at=sights.NOW, kind="pin.set", facts={"n": n}) for n in range(first, last + 1) if n % 3]


async def test_the_journal_is_read_piece_by_piece_and_each_entry_once() -> None:
    """The latest first, then what is older, and what is new each time; gaps between ids are none in it."""
    conductors = seen(cloud(), entries=entries(1, 3 * ASKED))
    known = await asked(conductors)
    assert (len(known.entries), known.is_whole) == (ASKED, False)
    conductors.entries += entries(3 * ASKED + 1, 3 * ASKED + 30)
    for _ in range(4):
        known = await asked(conductors, known)
    assert [entry.id for entry in known.entries] == [entry.id for entry in conductors.entries]
    assert known.is_whole


async def test_an_empty_journal_is_whole_and_is_asked_again() -> None:
    """What is written first is found."""
    conductors = seen(cloud(), entries=[])
    known = await asked(conductors)
    assert (list(known.entries), known.is_whole) == ([], True)
    conductors.entries = entries(1, 2)
    assert len((await asked(conductors, known)).entries) == 2


def test_a_single_entry_is_seen_beside_a_storm() -> None:
    """Each part of the time has a bar; those that are asked for stand out in it."""
    bars = columns(ENTRIES, [entry for entry in ENTRIES if entry.kind == "pin.set"])
    assert max(bar.height for bar in bars) == 100.0
    assert min(bar.height for bar in bars) > 5.0
    assert sum(bar.chosen > 0 for bar in bars) == 1
    assert columns([], []) == []


async def test_the_journal_is_scrubbed_by_keyboard(desk: Desks, tab: Tabs) -> None:
    """Back to the first entry and forth to the present, which it then follows."""
    here = await desk(seen(cloud(), entries=list(ENTRIES)))
    page = await tab(here, "/chronicle")
    await page.reads(".found", "119 entries")
    await page.page.locator("#scrub").focus()
    await page.page.keyboard.press("Home")
    await page.reads("#journal-title", "As of")
    await page.reads("#journal .entries", "schema.applied")
    assert "at=" in page.page.url
    await page.page.keyboard.press("PageUp")
    await page.reads("#journal .entries", "pin.set")
    assert await page.page.evaluate("document.activeElement.id") == "scrub"
    await page.page.keyboard.press("End")
    await page.reads("#journal-title", "The journal")
    await page.reads("#scrubbed", "now")
    here.conductors.entries.append(JournalEntry(id=500, at=sights.NOW, kind="pin.cleared", facts={"topic": "compute"}))
    await page.reads("#journal .entries", "pin.cleared")


async def test_the_journal_is_filtered_by_kind_and_by_who(desk: Desks, tab: Tabs) -> None:
    """Families of kinds too; entries in a row that say the same are one line."""
    page = await tab(await desk(seen(cloud(), entries=list(ENTRIES))), "/chronicle")
    await page.reads("#journal .entries", "rpc.version_rejected 80 times api@web-1")
    await page.page.select_option("select[name=kind]", "schema")
    await page.reads(".found", "3 entries")
    await page.page.select_option("select[name=kind]", "")
    await page.page.select_option("select[name=who]", "ann, through operator@desk (kilo)")
    await page.reads(".found", "4 entries")
    await page.reads("#journal .entries", "a backup runs until noon")
    await page.page.goto(f"{page.home}/chronicle?kind=nothing&page=99&at=x")
    await page.reads("#journal .empty", "No entry is like that")


async def test_a_named_backport_is_shown_with_its_docstring(desk: Desks, tab: Tabs) -> None:
    """For the upgrade that is under way, and for an earlier one where that is chosen."""
    page = await tab(await desk(seen(cloud(), entries=list(ENTRIES))), "/chronicle")
    await page.reads("#releases-title", "juno to kilo")
    await page.reads(".rewrites", "crashed_was_called_shutdown Before 1.17 a machine that died by itself")
    await page.page.click(".choices a >> nth=0")
    await page.reads("#releases-title", "icehouse to juno")
    assert await page.page.locator(".rewrites").count() == 0


async def test_script_in_the_journal_is_only_text(desk: Desks, tab: Tabs) -> None:
    """In a kind, in a fact's name and words, and in who did it."""
    entry = JournalEntry(id=1, at=sights.NOW, kind=EVIL, facts={"by": EVIL, EVIL: {EVIL: [EVIL]}})
    for path in ("/chronicle", f"/chronicle?kind={EVIL}&who={EVIL}&to={EVIL}&at={EVIL}"):
        page = await tab(await desk(seen(cloud(), entries=[entry])), path)
        await page.reads("#journal", "<script>")
        assert "owned" not in await page.page.title()
        assert await page.page.locator("main script, main img").count() == 0
