"""Set a pin, and take it away; each waits until all active members have acknowledged it."""

from __future__ import annotations

from midflight.console.scene import FleetScene
from midflight.errors import StepBlocked, UsageError
from midflight.upgrade import roster
from midflight.upgrade.operator import Operator
from midflight.web import Act, Field, Question, Tell

EVERY_TOPIC = "*"
WAIT_SECONDS = 15.0


def _topics(scene: FleetScene) -> list[str]:
    served = {topic for member in scene.fleet.members for topic in member.topics}
    return [EVERY_TOPIC, *sorted(served | set(scene.fleet.pins) - {EVERY_TOPIC})]


def _named(topic: str) -> str:
    return "all topics" if topic == EVERY_TOPIC else topic


def _ask_to_set(scene: FleetScene) -> Question:
    releases, topics = scene.aim.releases, _topics(scene)
    release = scene.fields.get("release", scene.aim.previous or scene.aim.target)
    topic = scene.fields.get("topic", EVERY_TOPIC)
    if release not in releases or topic not in topics:
        reason = (
            f"received {topic!r} to {release!r}, expected one of {', '.join(topics)} to one of {', '.join(releases)}"
        )
        raise UsageError(reason=reason)
    older = [member for member in scene.fleet.members if _rejects(member.release, release, scene)]
    know = [f"{roster.names(older)} run releases before {release}, and will reject what they are sent"] if older else []
    return Question(
        words="Everyone speaks as this release understands, until the pin is cleared.",
        command=f"midflight pin set {release}" + ("" if topic == EVERY_TOPIC else f" --topic {topic}"),
        confirm="Set the pin",
        fields=[
            Field("release", "Release", release, [(name, name) for name in reversed(releases)]),
            Field("topic", "Topic", topic, [(name, _named(name)) for name in topics]),
        ],
        know=know,
    )


def _rejects(running: str, pinned: str, scene: FleetScene) -> bool:
    aim = scene.aim
    return aim.knows(running) and aim.place(running) < aim.place(pinned)


async def _set(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    topic, release = scene.field("topic"), scene.field("release")
    epoch = await operator.set_pin(topic, release)
    tell(f"{_named(topic)} pinned to {release}, with epoch {epoch}")
    await _acknowledged(operator, epoch, tell)


def _ask_to_clear(scene: FleetScene) -> Question:
    pins = scene.fleet.pins
    if not pins:
        raise StepBlocked(step="Clearing the pin", reason="nothing is pinned")
    topic = scene.fields.get("topic", sorted(pins)[0])
    if topic not in pins:
        raise UsageError(reason=f"received topic {topic!r}, expected one of {', '.join(sorted(pins))}")
    return Question(
        words="Each message goes out in what all members of its topic understand.",
        command="midflight pin clear" + ("" if topic == EVERY_TOPIC else f" --topic {topic}"),
        confirm="Clear the pin",
        fields=[Field("topic", "Pin", topic, [(name, f"{_named(name)} to {pins[name]}") for name in sorted(pins)])],
    )


async def _clear(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    topic = scene.field("topic")
    epoch = await operator.clear_pin(topic)
    tell(f"the pin of {_named(topic)} is cleared, with epoch {epoch}")
    await _acknowledged(operator, epoch, tell)


async def _acknowledged(operator: Operator, epoch: int, tell: Tell) -> None:
    late = await operator.wait_for(epoch, WAIT_SECONDS)
    if late:
        reason = f"{roster.names(late)} have not acknowledged it within {WAIT_SECONDS:.0f} s. It is set all the same"
        raise StepBlocked(step=f"Epoch {epoch}", reason=reason)
    tell(f"epoch {epoch} is acknowledged by all active members")


SET_PIN = Act("pin-set", "Set a pin", _ask_to_set, _set)
CLEAR_PIN = Act("pin-clear", "Clear a pin", _ask_to_clear, _clear)
