"""What gates decide on: each function looks at one kind of fact in a frozen fleet, and says in words what it found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from midflight.conductor.data_objects import MigrationState
from midflight.conductor.interface import Fleet, JournalEntry, Member, State
from midflight.db.forms import Form
from midflight.upgrade import roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import ago, named, names
from midflight.upgrade.verdict import Fact, bad, good, missing, warning


def path(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether the target is the next release after the oldest one that a member runs."""
    releases = {member.release for member in fleet.members}
    if not releases:
        yield missing("no member has joined the fleet", "midflight fleet list")
        return
    strangers = [member for member in fleet.members if not aim.knows(member.release)]
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
        yield good(f"{oldest} → {target} is one release ({roster.counted(member.release for member in fleet.members)})")


def _stranger(member: Member) -> Fact:
    words = f"{named(member)} runs {member.release!r}, which is no frozen release of this copy of the project"
    return bad(words, "run midflight from the newest copy of the project; freeze with midflight release freeze NAME")


def earlier_data(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether the data migrations of the releases before the target are done for good."""
    earlier = [state for state in fleet.migrations if aim.precedes(state.release)]
    for state in earlier:
        what = f"{state.name} of {state.release}"
        if not state.proven:
            yield bad(f"{what} is not proven: {_progress(state)}", f"midflight data run {state.name}")
        elif state.form != Form.NEW.value:
            yield bad(f"{what} is proven but not finalized", f"midflight upgrade finalize --to {state.release}")
        else:
            yield good(f"{what} is proven and finalized")
    if not earlier:
        yield good("no earlier release has data migrations")


def lost(fleet: Fleet) -> Iterator[Fact]:
    """Each lost member by name, host and age."""
    missed = roster.lost(fleet)
    yield from map(_lost_member, missed)
    if fleet.members and not missed:
        yield good(f"nobody is lost ({len(fleet.members)} members)")


def _lost_member(member: Member) -> Fact:
    words = f"{named(member)} is lost: last heard {ago(member.age)} ago, with {member.release}"
    return bad(words, f"start it again, or: midflight fleet retire {member.id}")


def overridden(fleet: Fleet) -> Iterator[Fact]:
    """Local pins that say something else than the fleet's. Without one of the fleet there is nothing to differ from."""
    for member in fleet.members:
        for topic, release in sorted(member.overrides.items()):
            pinned = _pin_of(fleet, topic)
            words = f"{named(member)} overrides {topic} with {release}"
            if pinned is None:
                yield warning(f"{words} in its own configuration")
            elif release != pinned:
                yield bad(f"{words}; the fleet's pin is {pinned}", f"take it out of {member.host}'s configuration")


def _pin_of(fleet: Fleet, topic: str) -> str | None:
    return fleet.pins.get(topic, fleet.pins.get("*"))


def pins(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Pins that hold the wire at a release before the target."""
    way_out = f"midflight pin set {aim.previous}" if aim.previous else None
    if not fleet.pins:
        yield warning("no pin is set: a message goes out in what all members of its topic understand (auto)", way_out)
    for topic, pinned in sorted(fleet.pins.items()):
        words = f"{'everything' if topic == '*' else topic} is pinned to {pinned}"
        release = aim.pinned_to(topic, pinned)
        if release is None:
            yield missing(f"{words}, which this copy of the project does not know", way_out)
        elif aim.reached(release):
            yield bad(f"{words}, which the release before {aim.target} does not understand", way_out)
        else:
            yield good(words)


def acknowledged(fleet: Fleet, members: Iterable[Member]) -> Iterator[Fact]:
    """Who obeys the present epoch. A draining member takes no new work, and is waited for without blocking."""
    everyone = list(members)
    late = [member for member in everyone if member.epoch < fleet.epoch]
    for member in late:
        obeys = f"obeys epoch {member.epoch}, not {fleet.epoch}"
        words = f"{named(member)} ({member.state}) {obeys}; last heard {ago(member.age)} ago"
        if member.state == State.DRAINING.value:
            yield warning(words)
        else:
            yield _lost_member(member) if member.state == State.LOST.value else bad(words, "midflight fleet list")
    if everyone and not late:
        yield good(f"epoch {fleet.epoch} is acknowledged by all {len(everyone)}")
    elif not everyone:
        yield missing("no member is there that could acknowledge", "midflight fleet list")


def expanded(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whose code expanded the schema last, and when."""
    way_out = f"midflight db expand, from a copy of {aim.target}"
    release = fleet.schema_release
    if release is None:
        yield bad("no expand of the schema is recorded", way_out)
    elif not aim.knows(release):
        yield missing(f"the schema was expanded by {release!r}, which is no frozen release of this project", way_out)
    elif aim.reached(release):
        yield good(f"the schema is expanded to {release}{_when(fleet)}")
    else:
        yield bad(f"the schema is that of {release}{_when(fleet)}", way_out)


def linted(aim: Aim) -> Iterator[Fact]:
    """What was found in the revisions when they were tried out. One that was not tried out is unknown."""
    way_out = "midflight db lint"
    alike: dict[str, list[str]] = defaultdict(list)
    for revision, reason in (aim.unlinted or {}).items():
        alike[reason].append(revision)
    for reason, revisions in alike.items():
        words = f"revision{'s' if len(revisions) > 1 else ''} {', '.join(revisions)}: {reason}"
        yield bad(words, way_out) if reason.startswith("has errors") else missing(words, way_out)
    if aim.unlinted == {}:
        yield good("all expand revisions are linted, as they stand")


def _when(fleet: Fleet) -> str:
    if fleet.schema_at is None:
        return ""
    return f", {ago((fleet.taken_at - fleet.schema_at).total_seconds())} ago"


def arrived(members: Iterable[Member], aim: Aim, what: str, left: Callable[[str, str], Fact]) -> Iterator[Fact]:
    """Who runs the target; ``left`` says what it means that somebody does not yet."""
    everyone = list(members)
    old = [member for member in everyone if aim.precedes(member.release)]
    for member in everyone:
        if not aim.knows(member.release):
            yield _stranger(member)
        elif member.state == State.LOST.value:
            yield _lost_member(member)
        elif member.state == State.DRAINING.value and member not in old:
            yield warning(f"{named(member)} is draining")
    if old:
        running = ", ".join(sorted(f"{named(member)} ({member.release})" for member in old))
        yield left(f"{len(old)} of {len(everyone)} {what}s left: {running}", f"deploy {aim.target} to {names(old)}")
    elif everyone and all(aim.knows(member.release) for member in everyone):
        yield good(f"all {len(everyone)} {what}s run {aim.target} or later")
    elif not everyone:
        yield missing(f"no {what} has joined the fleet", "midflight fleet list")


def watched(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether there is a mixed fleet to watch at all."""
    there = [member for member in fleet.members if aim.reached(member.release)]
    if there:
        yield good(f"running now: {roster.counted(member.release for member in fleet.members)}")
    else:
        yield missing(f"nobody runs {aim.target} yet: there is nothing to watch", f"deploy {aim.target}")


def rejections(fleet: Fleet, window: float) -> Iterator[Fact]:
    """Who had versions rejected in the last ``window`` seconds, by whom, and under which pin epoch."""
    recent = [entry for entry in fleet.rejections if entry.age <= window]
    alike: dict[str, list[JournalEntry]] = defaultdict(list)
    for entry in recent:
        alike[_told("{sender} {pin_epoch} {receiver} {requested} {understood}", entry)].append(entry)
    yield from map(_rejected, alike.values())
    if not recent:
        yield good(f"no version was rejected in the last {ago(window)}")


def clean(clean_for: float, window: float) -> Fact:
    """For how long every look has found nothing wrong."""
    words = f"clean in every look for {ago(min(clean_for, window))} of {ago(window)}"
    if clean_for >= window:
        return good(words)
    return missing(words, f"midflight upgrade check soak --window {window:.0f}s --wait {10 * window:.0f}s")


def _rejected(entries: list[JournalEntry]) -> Fact:
    """What one receiver rejected of one sender, in one line."""
    latest = min(entries, key=lambda entry: entry.age)
    methods = ", ".join(sorted({_told("{method}", entry) for entry in entries}))
    sender = _told("{sender} ({sender_release}, pin epoch {pin_epoch})", latest)
    number, last = ("a message", "") if len(entries) == 1 else (f"{len(entries)} messages", "the last ")
    receiver = _told("{receiver} ({receiver_release})", latest)
    versions = f"{methods} in {_told('{requested}, understood {understood}', latest)}"
    words = f"{receiver} rejected {number} of {sender}, {last}{ago(latest.age)} ago: {versions}"
    return bad(words, "midflight pin show, and mend the pin of the sender")


def _told(template: str, entry: JournalEntry) -> str:
    """The facts of a rejection put into words; an old member may not have told all of them."""
    known = {"sender": "somebody", "sender_release": "release unknown", "pin_epoch": "unknown"}
    return template.format_map(defaultdict(lambda: "?", known | entry.facts))


def kept_pins(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Who stays pinned to an older release by its own configuration, once the fleet's pin is cleared."""
    for member in fleet.members:
        for topic, release in sorted(member.overrides.items()):
            if not aim.reached(aim.pinned_to(topic, release) or "") and release != "auto":
                words = f"{named(member)} keeps {topic} at {release} by its own configuration, whatever the fleet does"
                yield warning(words, f"take it out of {member.host}'s configuration")


def migrations(fleet: Fleet, aim: Aim) -> list[MigrationState]:
    """The states of all data migrations up to the target."""
    return [state for state in fleet.migrations if _belongs(state.release, aim)]


def _belongs(release: str, aim: Aim) -> bool:
    return not aim.reached(release) or release == aim.target


def moved(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """How far each data migration has come."""
    yield from _untold(fleet, aim)
    for state in migrations(fleet, aim):
        way_out = f"midflight data run {state.name}"
        if state.proven:
            yield good(f"{state.name} is proven{_proven_when(state)}")
        elif state.failed:
            yield bad(f"{state.name}: {_progress(state)}", way_out)
        else:
            yield warning(f"{state.name}: {_progress(state)}", way_out)


def _untold(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Data migrations that the project has and the fleet's facts lack: an old conductor may have gathered them."""
    told = {state.name for state in fleet.migrations}
    expected = {name for name, release in aim.migrations.items() if _belongs(release, aim)}
    for name in sorted(expected - told):
        yield missing(f"{name}: the conductor {fleet.taken_by} knows nothing of it", "midflight data list")
    if not expected and not migrations(fleet, aim):
        yield good(f"{aim.target} has no data migrations")


def provable(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether each data migration is proven, or finalized already."""
    yield from _untold(fleet, aim)
    for state in migrations(fleet, aim):
        if state.form == Form.NEW.value:
            yield good(f"{state.name} is finalized")
        elif state.form == Form.OLD.value:
            yield bad(f"{state.name} is still written in its old form only")
        elif state.proven:
            yield good(f"{state.name} is proven{_proven_when(state)}; it will be proven again")
        else:
            yield bad(f"{state.name} is not proven: {_progress(state)}", f"midflight data run {state.name}")


def _progress(state: MigrationState) -> str:
    deferred = ", ".join(f"{reason} {rows}" for reason, rows in sorted(state.deferred_by.items()))
    parts = [
        f"{state.completed} rows completed so far",
        f"{state.deferred} deferred{deferred and f' ({deferred})'}" if state.deferred else "",
        f"{state.failed} failed" if state.failed else "",
    ]
    return ", ".join(part for part in parts if part)


def _proven_when(state: MigrationState) -> str:
    return "" if state.proven_age is None else f" ({ago(state.proven_age)} ago)"
