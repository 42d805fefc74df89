"""What gates read out of the journal: what people acknowledged, and how soaks stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from midflight.conductor.interface import JournalEntry
from midflight.context import Context
from midflight.db import journal
from midflight.errors import UsageError
from midflight.rpc.rights import OPERATOR
from midflight.spelling import meant

ACKNOWLEDGED: Final = "gate.acknowledged"
WITHDRAWN: Final = "gate.withdrawn"
SOAKED: Final = "gate.soaked"
CHECKED: Final = "gate.checked"

LONGEST_ACKNOWLEDGEMENT = timedelta(days=30)
SOAK_GAP = 120.0
"""Seconds: looks further apart than this do not belong to one soak."""
SOAKS_WITHIN = timedelta(days=2)
MOST_LOOKS = 2_000
MOST_WORDS = 2_000
MOST_LETTERS = 300
MOST_ENTRIES = 500
MOST_FACTS = 50

USER = "midflight.user"
"""The value of a context that says in whose name an operator's process asks, like a console at which somebody signed
in. It is that process's word."""
LONGEST_USER = 100


def who(context: Context, here: str) -> str:
    """Who asks, for the journal: by the word of the broker, and, where that is an operator, in whose name. ``here`` is
    the member itself, where nobody else asks."""
    if context.caller is None:
        return here
    user = context.values.get(USER) if context.caller.service == OPERATOR else None
    return f"{user[:LONGEST_USER]}, through {context.caller}" if user else str(context.caller)


def entry_of(entry: journal.Entry, at: datetime) -> JournalEntry:
    """An entry as it travels, with its age."""
    age = max(0.0, (at - entry.at).total_seconds())
    return JournalEntry(id=entry.id, at=entry.at, kind=entry.kind, facts=entry.facts, age=age)


def page(
    connection: Connection, at: datetime, after: int | None, kinds: Iterable[str], limit: int
) -> list[JournalEntry]:
    """Entries as an operator reads them. See db.journal.page."""
    if not 1 <= limit <= MOST_ENTRIES:
        raise UsageError(reason=f"received limit {limit}, expected 1 to {MOST_ENTRIES} entries")
    return [entry_of(entry, at) for entry in journal.page(connection, after, kinds, limit)]


def acknowledge(connection: Connection, fact: str, reason: str, seconds: float, at: datetime) -> datetime:
    """Write down that a person takes the risk of a fact for so long; until when that is. Raises UsageError."""
    longest = LONGEST_ACKNOWLEDGEMENT.total_seconds()
    if not reason.strip() or len(reason) > MOST_WORDS:
        raise UsageError(reason=f"received a reason of {len(reason)} letters, expected 1 to {MOST_WORDS}")
    if not 0 < seconds <= longest:
        raise UsageError(reason=f"received an expiry in {seconds:g} s, expected more than 0 and at most {longest:g} s")
    if not 0 < len(fact) <= MOST_LETTERS:
        raise UsageError(reason=f"received a fact's name of {len(fact)} letters, expected 1 to {MOST_LETTERS}")
    expires = at + timedelta(seconds=seconds)
    journal.write(connection, ACKNOWLEDGED, {"fact": fact, "reason": reason, "expires": expires.isoformat()})
    return expires


def withdraw(connection: Connection, fact: str, at: datetime) -> None:
    """Take the risk of a fact no longer. Raises UsageError where nobody takes it."""
    taken = {entry.facts["fact"] for entry in acknowledgements(connection, at)}
    if fact not in taken:
        reason = f"nobody has acknowledged {fact!r}, or that has expired: see midflight upgrade ack"
        raise UsageError(reason=f"{reason}{meant(fact, taken)}")
    journal.write(connection, WITHDRAWN, {"fact": fact})


def acknowledgements(connection: Connection, at: datetime) -> list[JournalEntry]:
    """Those that hold at a moment: the last of each fact, unless it was withdrawn or has expired."""
    holding: dict[str, JournalEntry] = {}
    since = at - LONGEST_ACKNOWLEDGEMENT
    said = [entry for kind in (ACKNOWLEDGED, WITHDRAWN) for entry in journal.read(connection, since, kind)]
    for entry in sorted(said, key=lambda entry: entry.id):
        holding.pop(entry.facts["fact"], None)
        if entry.kind == ACKNOWLEDGED and datetime.fromisoformat(entry.facts["expires"]) > at:
            holding[entry.facts["fact"]] = entry_of(entry, at)
    return list(holding.values())


def note_verdict(
    connection: Connection, step: str, target: str, status: str, because: dict[str, str], *, soaks: bool
) -> None:
    """Write down what a gate said. A look of a soak is clean where nothing failed and nothing was unknown."""
    facts: dict[str, Any] = {"step": step, "target": target, "status": status, "because": _cut(because)}
    if soaks:
        facts["clean"] = status in ("pass", "warn")
    journal.write(connection, SOAKED if soaks else CHECKED, facts)


def _cut(because: dict[str, str]) -> dict[str, str]:
    """Bounded: a fleet of thousands may be lost at once."""
    return {name: words[:MOST_WORDS] for name, words in list(because.items())[:MOST_FACTS]}


def soaks(connection: Connection, at: datetime) -> list[JournalEntry]:
    """The last look of the soak to each release. ``clean_for``: for how many seconds before it all looks were clean,
    none further from the next than may be; None where it was not clean itself."""
    last: dict[str, journal.Entry] = {}
    since: dict[str, datetime] = {}
    for entry in journal.read(connection, at - SOAKS_WITHIN, SOAKED, MOST_LOOKS):
        target, before = entry.facts["target"], last.get(entry.facts["target"])
        together = before is not None and (entry.at - before.at).total_seconds() <= SOAK_GAP
        if not entry.facts["clean"]:
            since.pop(target, None)
        elif target not in since or not together:
            since[target] = entry.at
        last[target] = entry
    return [_soak(entry, since.get(target), at) for target, entry in last.items()]


def _soak(last: journal.Entry, since: datetime | None, at: datetime) -> JournalEntry:
    clean_for = None if since is None else (last.at - since).total_seconds()
    return entry_of(replace(last, facts={**last.facts, "clean_for": clean_for}), at)
