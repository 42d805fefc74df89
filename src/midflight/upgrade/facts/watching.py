"""Facts about a fleet that is watched: what was rejected, and since when all looks were clean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from midflight.conductor.interface import Fleet, JournalEntry
from midflight.conductor.record import SOAK_GAP
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
def clean(fleet: Fleet, target: str, clean_for: float | None, window: float) -> Iterator[Fact]:
    """For how long every look has found nothing wrong: by the journal, unless who asks knows it better."""
    if clean_for is None:
        clean_for = soaked(fleet, target)
    words = f"clean in every look for {ago(min(clean_for, window))} of {ago(window)}"
    if clean_for >= window:
        yield good(words)
    else:
        yield missing(words, f"midflight upgrade check soak --window {window:.0f}s --wait {10 * window:.0f}s")


def soaked(fleet: Fleet, target: str) -> float:
    """For how many seconds all looks of a soak have found the fleet clean, this one included, as the journal knows.

    Those of a command that was killed count too, if the last of them is not long ago.
    """
    for look in fleet.soaks:
        if look.facts["target"] == target and look.facts["clean_for"] is not None and look.age <= SOAK_GAP:
            return float(look.facts["clean_for"]) + look.age
    return 0.0
