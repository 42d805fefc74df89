"""Facts about a fleet that is watched: what was rejected, and since when all looks were clean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from midflight.conductor.interface import Fleet, JournalEntry
from midflight.upgrade import kinds
from midflight.upgrade.roster import ago
from midflight.upgrade.verdict import Fact, bad, good, missing, tells


@tells(kinds.REJECTED)
def rejections(fleet: Fleet, window: float) -> Iterator[Fact]:
    """Who had versions rejected in the last ``window`` seconds, by whom, and under which pin epoch."""
    recent = [entry for entry in fleet.rejections if entry.age <= window]
    alike: dict[str, list[JournalEntry]] = defaultdict(list)
    for entry in recent:
        alike[_told("{sender} {pin_epoch} {receiver} {requested} {understood}", entry)].append(entry)
    yield from map(_rejected, alike.values())
    if not recent:
        yield good(f"no version was rejected in the last {ago(window)}")


def _rejected(entries: list[JournalEntry]) -> Fact:
    """What one receiver rejected of one sender, in one line."""
    latest = min(entries, key=lambda entry: entry.age)
    methods = ", ".join(sorted({_told("{method}", entry) for entry in entries}))
    sender = _told("{sender} ({sender_release}, pin epoch {pin_epoch})", latest)
    number, last = ("a message", "") if len(entries) == 1 else (f"{len(entries)} messages", "the last ")
    receiver = _told("{receiver} ({receiver_release})", latest)
    versions = f"{methods} in {_told('{requested}, understood {understood}', latest)}"
    words = f"{receiver} rejected {number} of {sender}, {last}{ago(latest.age)} ago: {versions}"
    return bad(words, "midflight pin show, and mend the pin of the sender", _told("{sender}", latest))


def _told(template: str, entry: JournalEntry) -> str:
    """The facts of a rejection put into words; an old member may not have told all of them."""
    known = {"sender": "somebody", "sender_release": "release unknown", "pin_epoch": "unknown"}
    return template.format_map(defaultdict(lambda: "?", known | entry.facts))


@tells(kinds.CLEAN)
def clean(clean_for: float, window: float) -> Iterator[Fact]:
    """For how long every look has found nothing wrong."""
    words = f"clean in every look for {ago(min(clean_for, window))} of {ago(window)}"
    if clean_for >= window:
        yield good(words)
    else:
        yield missing(words, f"midflight upgrade check soak --window {window:.0f}s --wait {10 * window:.0f}s")
