"""Add a stream, enable and disable it, and remove it."""

from __future__ import annotations

from house.playing import Kind
from house.web.acts.sound.fields import some_host, stream_of, the_stream
from house.web.acts.sound.hearing import tell_all
from house.web.sources import BAY
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight import InvalidValue
from midflight.web import Act, Field, Question, Tell

KINDS = [
    (Kind.SINK.value, "what programs play into, like MPD"), (Kind.CAPTURE.value, "a capture device, like a TV's"),
    (Kind.MONITOR.value, "what another sink plays"), (Kind.FILE.value, "a file"),
    (Kind.RADIO.value, "an internet radio"),
]  # fmt: skip
OWN = "-"
"""Stands for no source, in a form whose fields cannot be empty."""


def _ask(scene: HouseScene) -> Question:
    fields = scene.fields
    return Question(
        words="It can be patched to any room.",
        command="house sound stream radio --kind radio --source https://… --host nas",
        confirm="Add the stream",
        fields=[
            Field("name", "Name", fields.get("name", "")),
            Field("kind", "What it is", fields.get("kind", Kind.RADIO.value), KINDS),
            Field("source", "Source", fields.get("source", OWN), hint="A URL, path, device or sink; - for a new sink"),
            some_host(scene, fields.get("host", "")),
        ],
    )  # fmt: skip


async def _add(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name, source, host = scene.field("name"), scene.field("source"), scene.field("host")
    kind = _kind(scene.field("kind"))
    made = await visitor.do(
        lambda operator: operator.sound.add_stream(name, kind, "" if source == OWN else source, host)
    )
    tell(f"{made.name} comes from {made.host}, to {made.address}")


def _kind(text: str) -> Kind:
    if text not in {value for value, _ in KINDS}:
        raise InvalidValue(
            path="kind", received=repr(text), expected=f"one of {', '.join(value for value, _ in KINDS)}"
        )
    return Kind(text)


def _ask_to_enable(scene: HouseScene) -> Question:
    stream = stream_of(scene)
    return Question(
        words=f"{stream} is sent again, and rooms that are patched to it play it.",
        command=f"house sound enable {stream}",
        confirm="Enable it",
        fields=[the_stream(stream)],
    )


def _ask_to_disable(scene: HouseScene) -> Question:
    stream = stream_of(scene)
    return Question(
        words=f"{stream} is not sent any more. Rooms stay patched to it, and are silent until it is enabled.",
        command=f"house sound disable {stream}",
        confirm="Disable it",
        fields=[the_stream(stream)],
        know=_heard_in(scene, stream),
    )


async def _enable(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    stream = stream_of(scene)
    patched = await visitor.do(lambda operator: operator.sound.enable(stream))
    tell_all(patched, f"{stream} is enabled", tell)


async def _disable(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    stream = stream_of(scene)
    await visitor.do(lambda operator: operator.sound.enable(stream, False))
    tell(f"{stream} is disabled")


def _ask_to_remove(scene: HouseScene) -> Question:
    stream = stream_of(scene)
    return Question(
        words=f"{stream} is gone, also from scenes, and rooms that hear it fall silent.",
        command=f"house sound stream {stream} --remove",
        confirm="Remove it",
        fields=[the_stream(stream)],
        know=_heard_in(scene, stream),
    )


async def _remove(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    stream = stream_of(scene)
    await visitor.do(lambda operator: operator.sound.remove_stream(stream))
    tell(f"{stream} is removed")


def _heard_in(scene: HouseScene, stream: str) -> list[str]:
    return [f"{room.name} hears it." for room in scene.bay.players if room.stream == stream]


STREAM = Act("stream", "Add a stream", _ask, _add, (BAY,))
ENABLE = Act("enable", "Enable a stream", _ask_to_enable, _enable, (BAY,))
DISABLE = Act("disable", "Disable a stream", _ask_to_disable, _disable, (BAY,))
REMOVE_STREAM = Act("remove-stream", "Remove a stream", _ask_to_remove, _remove, (BAY,))
