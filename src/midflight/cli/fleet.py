"""``midflight fleet``: the members, as the conductors see them."""

from __future__ import annotations

from cyclopts import App

from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.conductor.interface import Fleet, Member, State
from midflight.errors import StepBlocked, UsageError
from midflight.upgrade import roster
from midflight.upgrade.operator import operating
from midflight.upgrade.roster import ago, named

app = App(name="fleet", help="The members: who runs what, where, and how lately it was heard.")

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
    """The one member of that id, or of that service and host. Raises UsageError, and StepBlocked for one that lives."""
    found = [member for member in fleet.members if name in (member.id, named(member))]
    if not found:
        raise UsageError(reason=f"there is no member {name!r}: see midflight fleet list")
    if len(found) > 1:
        raise UsageError(reason=f"{name!r} are {len(found)} members; give the id: {', '.join(m.id for m in found)}")
    if found[0].state == State.ACTIVE:
        raise StepBlocked(step=f"Retiring {name}", reason=f"it is alive, heard {ago(found[0].age)} ago. Stop it first")
    return found[0]
