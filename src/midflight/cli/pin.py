"""``midflight pin``: the wire floor, in whose versions the fleet speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cyclopts import App

from midflight.cli.options import ConfigFile, Duration, Json, Wait
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.conductor.contract import contract_of
from midflight.conductor.interface import Fleet, Member
from midflight.conductor.pins import AUTO, EVERY_TOPIC
from midflight.errors import UsageError
from midflight.project import Project
from midflight.spelling import meant
from midflight.upgrade import roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.floors import floors, named_topic, spoken
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.roster import ago, named

app = App(name="pin", help="The wire floor: in whose versions the fleet speaks.")

TEN_SECONDS = Duration(10)


@app.command(name="set")
async def set_(
    release: str,
    /,
    *,
    topic: str = EVERY_TOPIC,
    wait: Wait = TEN_SECONDS,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Let everyone speak as a release understands, and wait until all active members have acknowledged it.

    Parameters
    ----------
    release
        A frozen release; a bare version of --topic; or auto, for what all members of a topic understand.
    topic
        One interface; else all.
    wait
        How long to wait, like 10s.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        if release == AUTO:
            [pinned] = await _to_clear(operator, place.project, topic)
            return await _settled(operator, await operator.clear_pin(pinned), wait, out, {pinned: AUTO})
        epoch = await operator.set_pin(topic, release)
        wanted = {topic: release}
        older = _older(await operator.fleet(), place.project, topic, release)
        for member in older:
            out.mark(
                "warn", f"{named(member)} runs {member.release}, older than the pin: it will reject what it is sent"
            )
        return await _settled(operator, epoch, wait, out, wanted) or (1 if older else 0)


def _older(fleet: Fleet, project: Project, topic: str, release: str) -> list[Member]:
    """The members that a pin is too new for, as far as this copy of the project knows the releases."""
    latest = Aim.latest(project)
    aim = replace(latest, target=latest.pinned_to(topic, release) or release)
    served = [member for member in fleet.members if topic in (EVERY_TOPIC, *member.topics)]
    return [member for member in served if aim.knows(aim.target) and aim.precedes(member.release)]


@app.command
async def clear(
    *, topic: str | None = None, wait: Wait = TEN_SECONDS, config: ConfigFile = None, json: Json = False
) -> int:
    """Take pins away, and wait until all active members have acknowledged it.

    Parameters
    ----------
    topic
        The pin of one interface, or * for the one of all; else every pin that is set.
    wait
        How long to wait, like 10s.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        wanted = dict.fromkeys(await _to_clear(operator, place.project, topic), AUTO)
        epochs = [await operator.clear_pin(each) for each in wanted]
        if not epochs:
            out.say("nothing is pinned")
            out.document({"epoch": None, "unacknowledged": []})
            return 0
        return await _settled(operator, epochs[-1], wait, out, wanted)


async def _to_clear(operator: Operator, project: Project, topic: str | None) -> list[str]:
    """The topic, or all that are pinned. Raises UsageError for a topic that is neither pinned nor known."""
    pinned = (await operator.fleet()).pins
    if topic is None:
        return sorted(pinned)
    known = sorted({EVERY_TOPIC, *pinned, *contract_of(project).interfaces})
    if topic not in known:
        reason = f"received topic {topic!r}, expected one of {', '.join(known)}{meant(topic, known)}"
        raise UsageError(reason=reason)
    return [topic]


async def _settled(operator: Operator, epoch: int, wait: float, out: Output, wanted: Mapping[str, str]) -> int:
    """Wait for the acknowledgements; 2 when some are missing, by name, or when another operator has set other pins."""
    late = await operator.wait_for(epoch, wait)
    found = await operator.fleet()
    changed = {topic: found.pins.get(topic, AUTO) for topic in wanted if found.pins.get(topic, AUTO) != wanted[topic]}
    out.document({"epoch": epoch, "unacknowledged": late, "changed": changed})
    for topic, release in changed.items():
        words = f"another operator has set {named_topic(topic)} to {release} since then, in epoch {found.epoch}"
        out.mark("fail", f"{words}: epoch {epoch} holds no more. See midflight upgrade journal")
    if changed:
        return 2
    if not late:
        out.mark("done", f"epoch {epoch} is acknowledged by all active members")
        return 0
    out.mark("fail", f"epoch {epoch} is set, but these have not acknowledged it within {ago(wait)}:")
    for member in late:
        out.say(f"  {named(member)} ({member.release}) obeys epoch {member.epoch}, last heard {ago(member.age)} ago")
    return 2


@app.command
async def show(*, config: ConfigFile = None, json: Json = False) -> int:
    """What is pinned, by the fleet and by members' own configurations, who has not acknowledged it yet, and who holds
    down what is spoken where nothing is pinned."""
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
        found = floors(fleet, await operator.manifests(fleet), place.project.contract.interfaces)
    if not fleet.pins:
        out.say("nothing is pinned: each message goes out in what all members of its topic understand (auto)")
    automatic = [] if EVERY_TOPIC in fleet.pins else [each for each in found if each.topic not in fleet.pins]
    if rows := [(each.topic, each.pin, each.by) for each in spoken(fleet, found)]:
        out.table(("topic", "pin", "set by"), rows)
    late = roster.behind(fleet, fleet.epoch)
    out.say(f"epoch {fleet.epoch}: " + (f"not acknowledged by {roster.names(late)}" if late else "acknowledged by all"))
    overrides = {member.id: member.overrides for member in fleet.members if member.overrides}
    told = {"epoch": fleet.epoch, "pins": fleet.pins, "overrides": overrides, "unacknowledged": late}
    held = {each.topic: {"version": each.version, "held_by": [named(m) for m in each.holders]} for each in automatic}
    out.document({**told, "auto": held})
    return 0
