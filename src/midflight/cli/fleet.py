"""``midflight fleet``: the members, as the conductors see them."""

from __future__ import annotations

from collections.abc import Mapping

from cyclopts import App

from midflight.cli.options import ConfigFile, Duration, Json, Wait
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.conductor.interface import Fleet, Member
from midflight.errors import StepBlocked, UsageError
from midflight.spelling import meant
from midflight.upgrade import draining, roster
from midflight.upgrade.operator import operating
from midflight.upgrade.roster import ago, named
from midflight.versions import Manifest

app = App(name="fleet", help="The members: who runs what, where, and how lately it was heard.")

TEN_MINUTES = Duration(600)
MOST_SHOWN = 5

COLUMNS = ("service", "host", "release", "state", "epoch", "heard", "own pins", "member")


@app.command(name="list")
async def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """Every member that is not retired, and one line that sums it up."""
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
    if fleet.members:
        out.table(COLUMNS, [_row(member) for member in fleet.members])
    out.say(summary(fleet))
    out.document(fleet)
    return 0


def _row(member: Member) -> tuple[str, ...]:
    pins = ", ".join(f"{topic}={release}" for topic, release in sorted(member.overrides.items()))
    heard = f"{ago(member.age)} ago"
    return member.service, member.host, member.release, member.state, str(member.epoch), heard, pins or "-", member.id


def summary(fleet: Fleet) -> str:
    """``9 members: 5 juno, 4 kilo · 8 active, 1 lost · epoch 4, acknowledged by all · pinned: all to juno``."""
    late = roster.behind(fleet, fleet.epoch)
    pins = ", ".join(
        f"{'all' if topic == '*' else topic} to {release}" for topic, release in sorted(fleet.pins.items())
    )
    parts = [
        f"{len(fleet.members)} members: {roster.counted(member.release for member in fleet.members)}",
        roster.counted(member.state for member in fleet.members),
        f"epoch {fleet.epoch}, " + (f"{len(late)} behind" if late else "acknowledged by all"),
        f"pinned: {pins}" if pins else "nothing is pinned",
    ]
    return " · ".join(parts)


@app.command
async def show(member: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """All that is known of one member.

    Parameters
    ----------
    member
        Its id, or service@host, as in `midflight fleet list`.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
        found = _named(fleet, member)
        manifest = (await operator.manifests(fleet)).get(found.manifest)
    understood = manifest.to_wire() if manifest else {}
    out.table(("fact", "value"), _facts(found, fleet, manifest))
    out.document({"member": found, "understands": understood})
    return 0


def _facts(member: Member, fleet: Fleet, manifest: Manifest | None) -> list[tuple[str, str]]:
    pins = ", ".join(f"{topic}={release}" for topic, release in sorted(member.overrides.items()))
    late = "" if member.epoch >= fleet.epoch else f", not {fleet.epoch}"
    understands: Mapping[str, object] = manifest or {}
    understood = ", ".join(f"{topic} {understands.get(topic, '?')}" for topic in member.topics)
    return [
        ("member", member.id), ("service", member.service), ("host", member.host), ("release", member.release),
        ("state", member.state), ("heard", f"{ago(member.age)} ago, at a beat of {member.beat_seconds:g} s"),
        ("joined", str(member.joined_at or "-")), ("takes work on", understood or "nothing"),
        ("opens the database", "yes" if member.database else "no"), ("obeys epoch", f"{member.epoch}{late}"),
        ("own pins", pins or "none"), ("code", member.code or "-"),
    ]  # fmt: skip


@app.command
async def drain(
    host: str,
    /,
    *,
    undo: bool = False,
    wait: Wait = TEN_MINUTES,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Let the members on a host take no new work, and have the application move away what lives there.

    Exits 0 when nothing is left, and 1 when there is and the time is over; it goes on there, and may be asked again.

    Parameters
    ----------
    host
        The host, as in `midflight fleet list`.
    undo
        Let them take work again, and leave what is still there.
    wait
        How long to wait, like 10m.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
        there = [member for member in fleet.members if member.host == host]
        if not there:
            near = meant(host, {member.host for member in fleet.members})
            raise UsageError(reason=f"there is no member on host {host!r}: see midflight fleet list{near}")
        away = [member for member in there if not roster.lives(member)]
        awake = [member for member in there if member not in away]
        ids = [member.id for member in awake]
        if undo:
            left: draining.Left = {member: await operator.drain(member, undo=True) for member in ids}
        else:
            left = await draining.drain(operator, ids, wait)
    for member in away:
        out.mark("warn", f"{named(member)} is {member.state}, last heard {ago(member.age)} ago: it was not asked")
    for member in awake:
        _tell_drained(out, member, left[member.id], undo=undo)
    out.document({"host": host, "undo": undo, "left": left, "not_asked": [member.id for member in away]})
    return 0 if not away and draining.is_empty(left) else 1


def _tell_drained(out: Output, member: Member, left: list[str] | None, *, undo: bool) -> None:
    if undo:
        out.mark("done", f"{named(member)} takes work again")
    elif left is None:
        out.mark("warn", f"{named(member)} takes no new work; what is still there is not known yet")
    elif left:
        more = f" and {len(left) - MOST_SHOWN} more" if len(left) > MOST_SHOWN else ""
        out.mark("warn", f"{named(member)}: {len(left)} left: {', '.join(left[:MOST_SHOWN])}{more}")
    else:
        out.mark("done", f"{named(member)} takes no new work, and nothing is left there")


@app.command
async def retire(member: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Take a dead member out of all counts. If it lives after all, it joins again at its next beat.

    Parameters
    ----------
    member
        Its id, or service@host, as in `midflight fleet list`.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        found = _meant(await operator.fleet(), member)
        await operator.retire(found.id)
    out.mark("retired", f"{named(found)} ({found.release}), last heard {ago(found.age)} ago")
    out.document(found)
    return 0


def _meant(fleet: Fleet, name: str) -> Member:
    """The one member of that name. Raises UsageError, and StepBlocked for one that lives."""
    found = _named(fleet, name)
    if roster.lives(found):
        raise StepBlocked(step=f"Retiring {name}", reason=f"it is alive, heard {ago(found.age)} ago. Stop it first")
    return found


def _named(fleet: Fleet, name: str) -> Member:
    """The one member of that id, or of that service and host. Raises UsageError."""
    found = [member for member in fleet.members if name in (member.id, named(member))]
    if not found:
        near = meant(name, map(named, fleet.members))
        raise UsageError(reason=f"there is no member {name!r}: see midflight fleet list{near}")
    if len(found) > 1:
        raise UsageError(reason=f"{name!r} are {len(found)} members; give the id: {', '.join(m.id for m in found)}")
    return found[0]
