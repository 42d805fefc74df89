"""Why a gate is red: the fewest things to do that turn it green, and what the journal knows of how it came to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from midflight.conductor.interface import JournalEntry
from midflight.upgrade import kinds
from midflight.upgrade.kinds import Kind
from midflight.upgrade.verdict import Fact, Status, Verdict

STORIES: Mapping[Kind, tuple[str, ...]] = {
    kinds.PATH: ("member",),
    kinds.LOST: ("member",),
    kinds.ARRIVED: ("member",),
    kinds.EPOCH: ("pin", "form", "store_floor"),
    kinds.PIN: ("pin",),
    kinds.OVERRIDE: ("pin",),
    kinds.EARLIER_DATA: ("migration", "form"),
    kinds.MOVED: ("migration", "sweeper"),
    kinds.PROVEN: ("migration", "form"),
    kinds.SCHEMA: ("schema",),
    kinds.CATALOGUE: ("schema",),
    kinds.CODE: ("schema", "member.tested"),
    kinds.REJECTED: ("rpc.version_rejected", "pin"),
    kinds.BATCH: ("rpc.version_rejected", "member"),
    kinds.SELF_TEST: ("member.tested",),
    kinds.PROBE: ("sweeper",),
    kinds.CLEAN: ("gate.soaked",),
}
"""Of which kinds the entries are that tell how a fact came to be."""
OF_ALL = (kinds.PATH, kinds.EPOCH, kinds.SCHEMA, kinds.CATALOGUE, kinds.PROBE, kinds.CLEAN, kinds.PIN, kinds.ARRIVED)
"""Facts that are about the whole fleet: all entries of their kinds belong to them."""
MOST_TOLD = 5
"""So many entries tell the story of one fact, the latest ones."""


@dataclass(frozen=True)
class Remedy:
    """One thing to do, and the facts that it mends. Without a command, a person has to see to it, or to wait."""

    do: str | None
    mends: tuple[Fact, ...]


@dataclass(frozen=True)
class Why:
    """What keeps a gate from passing. ``story`` are entries of the journal, oldest first."""

    verdict: Verdict
    remedies: tuple[Remedy, ...]
    story: tuple[JournalEntry, ...]


def why(verdict: Verdict, entries: Sequence[JournalEntry]) -> Why:
    """From the verdict and what the journal said lately."""
    open_ones = [fact for fact in verdict.because if not fact.is_settled]
    remedies = _remedies(open_ones)
    told = [entry for fact in open_ones for entry in _story(fact, entries)]
    unique = {entry.id: entry for entry in told}
    return Why(verdict, tuple(remedies), tuple(unique[number] for number in sorted(unique)))


def _remedies(facts: Sequence[Fact]) -> list[Remedy]:
    """The worst first. What follows from another fact goes away with it, and is mended there."""
    causes = [fact for fact in facts if not _follows(fact, facts)]
    grouped: dict[str | None, list[Fact]] = {}
    for fact in causes:
        grouped.setdefault(fact.way_out, []).append(fact)
    mended = [Remedy(do, tuple(mends)) for do, mends in grouped.items()]
    return sorted(mended, key=lambda remedy: -max(fact.status.weight for fact in remedy.mends))


def _follows(fact: Fact, facts: Iterable[Fact]) -> bool:
    """The clock of a soak starts when all else is well; who is lost needs no second remedy."""
    others = [other for other in facts if other is not fact]
    if fact.kind is kinds.CLEAN:
        return any(other.status in (Status.FAIL, Status.UNKNOWN) for other in others)
    lost = {other.about for other in others if other.kind is kinds.LOST}
    return fact.kind is not kinds.LOST and bool(fact.about) and fact.about in lost


def _story(fact: Fact, entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    wanted = STORIES.get(fact.kind, ())
    found = [
        entry
        for entry in entries
        if any(entry.kind == kind or entry.kind.startswith(f"{kind}.") for kind in wanted)
        and (fact.kind in OF_ALL or _is_about(entry, fact.about))
    ]
    return found[-MOST_TOLD:]


def _is_about(entry: JournalEntry, about: str) -> bool:
    """Whether an entry names the member, the topic or the migration; members of themselves by their ids."""
    said = {str(value) for value in entry.facts.values() if isinstance(value, str)}
    member = str(entry.facts.get("member", "")).split(".")
    return about in said or (len(member) > 1 and f"{member[0]}@{member[1]}" == about) or not about


def families(verdict: Verdict) -> list[str]:
    """The kinds of entries that can tell a verdict's story, as the journal is asked for them."""
    return sorted({kind for fact in verdict.because if not fact.is_settled for kind in STORIES.get(fact.kind, ())})
