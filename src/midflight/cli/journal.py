"""``midflight upgrade journal``: what was done to the fleet, by whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from midflight.cli.options import ConfigFile, Json, MaybeWait, Rows
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.conductor.interface import JournalEntry
from midflight.conductor.record import MOST_ENTRIES
from midflight.db.journal import FAMILIES, KINDS
from midflight.errors import UsageError
from midflight.spelling import meant
from midflight.upgrade.documents import EntryDocument
from midflight.upgrade.operator import Operator, operating

LOOK_SECONDS = 1.0
"""How often who follows the journal asks for more."""
LATEST = 50
_HIDDEN = ("by",)


async def journal(
    *kinds: str,
    rows: Rows = None,
    since: MaybeWait = None,
    about: str | None = None,
    follow: bool = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """What was done to the fleet and what happened to it, oldest first; entries are only added.

    Parameters
    ----------
    kinds
        Whole kinds or their beginnings, like pin or member.lost; else all.
    rows
        How many of the latest; else 50, or with --since all that there are.
    since
        Only those of the last so long; like 2h.
    about
        Only those that name this: a member, a topic, a migration, who did it.
    follow
        Go on with what is written from now on, until interrupted; with --json one object a line.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        await _refuse_slips(operator, kinds)
        found = await _latest(operator, kinds, rows, since)
        chosen = [entry for entry in found if _names(entry, about)]
        if not chosen and not follow:
            out.say("no such entry")
        _say(out, chosen, lines=follow)
        newest = found[-1:] or await operator.journal(None, kinds, 1)
        last = newest[-1].id if newest else 0
        while follow:
            await asyncio.sleep(LOOK_SECONDS)
            more = await operator.journal(last, kinds, MOST_ENTRIES)
            _say(out, [entry for entry in more if _names(entry, about)], lines=True)
            last = more[-1].id if more else last
    return 0


async def _refuse_slips(operator: Operator, kinds: Sequence[str]) -> None:
    """Raises UsageError for a kind that is none. Newer conductors write some of which this copy has never heard."""
    for kind in kinds:
        if kind in KINDS or kind in FAMILIES or await operator.journal(None, [kind], 1):
            continue
        expected = f"{', '.join(sorted(FAMILIES))}, or one of these with its end, like pin.set"
        raise UsageError(reason=f"received kind {kind!r}, expected {expected}{meant(kind, KINDS | FAMILIES)}")


async def _latest(
    operator: Operator, kinds: Sequence[str], rows: int | None, since: float | None
) -> list[JournalEntry]:
    """So many of the latest, or all of the last so long. What one answer does not hold is asked for page by page, going
    back."""
    wanted = rows or (LATEST if since is None else None)
    found = await operator.journal(None, kinds, min(wanted or MOST_ENTRIES, MOST_ENTRIES))
    lowest = found[0].id if found else 1
    while lowest > 1 and (wanted is None or len(found) < wanted) and (since is None or found[0].age <= since):
        after = max(0, lowest - 1 - MOST_ENTRIES)
        page = await operator.journal(after, kinds, MOST_ENTRIES)
        found, lowest = [*(entry for entry in page if entry.id < lowest), *found], after + 1
    recent = [entry for entry in found if since is None or entry.age <= since]
    return recent[-wanted:] if wanted else recent


def _names(entry: JournalEntry, about: str | None) -> bool:
    return about is None or any(about in str(value) for value in entry.facts.values())


def _say(out: Output, entries: Sequence[JournalEntry], *, lines: bool) -> None:
    for entry in entries:
        out.say(told(entry))
    documents = [EntryDocument.of(entry) for entry in entries]
    if not lines:
        out.document(documents)
    else:
        for document in documents:
            out.line(document)


def told(entry: JournalEntry) -> str:
    """One line: when, what, its facts, and who did it."""
    facts = " ".join(f"{name}={_short(value)}" for name, value in entry.facts.items() if name not in _HIDDEN)
    by = f" by {entry.facts['by']}" if entry.facts.get("by") else ""
    return f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.kind}  {facts}{by}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
