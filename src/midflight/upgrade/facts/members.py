"""Facts about members: who is there, who runs what, and who obeys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from midflight.conductor.interface import Fleet, Member, State
from midflight.upgrade import kinds, roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import ago, named
from midflight.upgrade.verdict import Fact, Status, bad, good, missing, tells, warning

MOST_NAMED = 20
BATCH = timedelta(minutes=10)
"""Agents that joined within so long of the last one are one batch with it."""


@tells(kinds.PATH)
def path(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether the target is the next release after the oldest one that a member runs."""
    present = roster.awake(fleet.members)
    releases = {member.release for member in present}
    if not releases:
        yield missing("no member has joined the fleet", "midflight fleet list")
        return
    strangers = [member for member in present if not aim.knows(member.release)]
    if strangers:
        yield from map(_stranger, strangers)
        return
    oldest, target = aim.oldest(releases), aim.target
    way = aim.path_from(oldest)
    if aim.reached(oldest):
        yield good(f"everyone runs {target} or later already")
    elif len(way) > 1:
        yield bad(f"{oldest} → {target} skips {', '.join(way[:-1])}", f"midflight upgrade plan {way[0]}")
    else:
        yield good(f"{oldest} → {target} is one release ({roster.counted(member.release for member in present)})")


def _stranger(member: Member) -> Fact:
    words = f"{named(member)} runs {member.release!r}, which is no frozen release of this copy of the project"
    way_out = "run midflight from the newest copy of the project; freeze with midflight release freeze NAME"
    return Fact(Status.FAIL, words, way_out, named(member), kinds.STRANGER)


@tells(kinds.LOST)
def lost(fleet: Fleet) -> Iterator[Fact]:
    """Each lost member by name, host and age."""
    missed = roster.lost(fleet)
    yield from map(_lost_member, missed)
    if fleet.members and not missed:
        yield good(f"nobody is lost ({len(fleet.members)} members)")


def _lost_member(member: Member) -> Fact:
    words = f"{named(member)} is lost: last heard {ago(member.age)} ago, with {member.release}"
    way_out = f"start it again, or: midflight fleet retire {member.id}"
    return Fact(Status.FAIL, words, way_out, named(member), kinds.LOST)


@tells(kinds.EPOCH)
def acknowledged(fleet: Fleet, members: Iterable[Member]) -> Iterator[Fact]:
    """Who obeys the present epoch. A draining member takes no new work, and is waited for without blocking."""
    everyone = roster.awake(members)
    late = [member for member in everyone if member.epoch < fleet.epoch]
    for member in late:
        obeys = f"obeys epoch {member.epoch}, not {fleet.epoch}"
        words = f"{named(member)} ({member.state}) {obeys}; last heard {ago(member.age)} ago"
        if member.state == State.DRAINING.value:
            yield warning(words, about=named(member))
        else:
            is_lost = member.state == State.LOST.value
            yield _lost_member(member) if is_lost else bad(words, "midflight fleet list", named(member))
    if everyone and not late:
        number = f"all {len(everyone)}" if len(everyone) > 1 else "the only member"
        yield good(f"epoch {fleet.epoch} is acknowledged by {number}")
    elif not everyone:
        yield missing("no member is there that could acknowledge", "midflight fleet list")


@tells(kinds.ARRIVED)
def arrived(members: Iterable[Member], aim: Aim, what: str, left: Callable[[str, str, str], Fact]) -> Iterator[Fact]:
    """Who runs the target; ``left`` says what it means that somebody does not yet."""
    counted = list(members)
    asleep = (member for member in roster.aside(counted) if not aim.reached(member.release))
    yield from (_left_behind(member, aim) for member in asleep)
    everyone = roster.awake(counted)
    old = [member for member in everyone if aim.precedes(member.release)]
    for member in everyone:
        if not aim.knows(member.release):
            yield _stranger(member)
        elif member.state == State.LOST.value:
            yield _lost_member(member)
        elif member.state == State.DRAINING.value and member not in old:
            yield Fact(Status.WARN, f"{named(member)} is draining", None, named(member), kinds.DRAINING)
    if old:
        running = _some(f"{named(member)} ({member.release})" for member in old)
        where = _some(map(named, old))
        yield left(f"{len(old)} of {len(everyone)} {what}s left: {running}", f"deploy {aim.target} to {where}", what)
    elif everyone and all(aim.knows(member.release) for member in everyone):
        run = f"all {len(everyone)} {what}s run" if len(everyone) > 1 else f"the only {what} runs"
        yield good(f"{run} {aim.target} or later", what)
    elif not everyone:
        yield missing(f"no {what} has joined the fleet", "midflight fleet list", what)


def _some(words: Iterable[str]) -> str:
    """The first of them, sorted: a fleet may have thousands."""
    everything = sorted(words)
    more = f" and {len(everything) - MOST_NAMED} more" if len(everything) > MOST_NAMED else ""
    return ", ".join(everything[:MOST_NAMED]) + more


def _left_behind(member: Member, aim: Aim) -> Fact:
    """Nobody waits for who sleeps: it is told to upgrade when it wakes, and gets no work before."""
    words = f"{named(member)} ({member.release}) is {member.state}: it gets no work before it is upgraded"
    return Fact(Status.WARN, words, f"deploy {aim.target} to {named(member)}", named(member), kinds.OUTDATED)


@tells(kinds.WATCHED)
def watched(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether there is a mixed fleet to watch at all."""
    there = [member for member in fleet.members if aim.reached(member.release)]
    if there:
        yield good(f"running now: {roster.counted(member.release for member in fleet.members)}")
    else:
        yield missing(f"nobody runs {aim.target} yet: there is nothing to watch", f"deploy {aim.target}")


@tells(kinds.ARRIVED)
def rolled(agents: Iterable[Member], aim: Aim) -> Iterator[Fact]:
    """How far the agents have come; a project may have none."""
    if aim.agents:
        yield from arrived(agents, aim, "agent", warning)
    else:
        yield good("the project has no agents")


@tells(kinds.BATCH)
def last_batch(agents: Iterable[Member], fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether the agents that came to the target last are alive, and had nothing rejected."""
    new = [member for member in agents if aim.reached(member.release) and member.joined_at is not None]
    if not new:
        return
    latest = max(member.joined_at for member in new if member.joined_at is not None)
    batch = [member for member in new if member.joined_at is not None and latest - member.joined_at <= BATCH]
    lost = [member for member in batch if member.state == State.LOST.value]  # ``arrived`` has named them
    troubled = [member for member in batch if _had_rejected(member, fleet)]
    for member in troubled:
        yield bad(f"{named(member)}, of the last batch, had messages rejected", "midflight pin show", named(member))
    if not lost and not troubled:
        number, are = (f"{len(batch)}", "are") if len(batch) > 1 else ("one", "is")
        yield good(f"the last {number} that came to {aim.target} {are} alive, and had nothing rejected")


def _had_rejected(member: Member, fleet: Fleet) -> bool:
    """As sender or receiver, since it joined."""
    since = member.joined_at or fleet.taken_at
    ends = ("sender", "receiver")
    return any(
        entry.at >= since and named(member) in (entry.facts.get(end) for end in ends) for entry in fleet.rejections
    )
