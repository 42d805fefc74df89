"""Fields that several acts of sound ask for. What is no room or stream is refused by the conductor, in its words."""

from __future__ import annotations

from collections.abc import Sequence

from house.errors import NotFound
from house.names import ALL
from house.web.view import HouseScene
from midflight.web import Field


def target_of(scene: HouseScene) -> str:
    """The room or the group that is meant, or all. Raises UsageError and NotFound."""
    target = scene.field("target")
    if target not in (ALL, *(room.name for room in scene.bay.players), *(group.name for group in scene.bay.groups)):
        raise NotFound("room or group", target)
    return target


def named(target: str) -> str:
    """For people."""
    return "every room" if target == ALL else target


def the_target(target: str) -> Field:
    """It goes with the form."""
    return Field("target", value=target, hidden=True)


def some_target(scene: HouseScene) -> Field:
    """One that is chosen."""
    names = [*(group.name for group in scene.bay.groups), *(room.name for room in scene.bay.players)]
    return Field("target", "Rooms", scene.fields.get("target", ALL), [(ALL, "every room"), *((n, n) for n in names)])


def stream_of(scene: HouseScene) -> str:
    """The stream that is meant. Raises UsageError and NotFound."""
    stream = scene.field("stream")
    if stream not in {each.name for each in scene.bay.streams}:
        raise NotFound("stream", stream)
    return stream


def the_stream(stream: str) -> Field:
    """It goes with the form."""
    return Field("stream", value=stream, hidden=True)


def some_host(scene: HouseScene, value: str = "") -> Field:
    """A host with sound that is chosen."""
    return Field("host", "Host", value, [(host.name, host.name) for host in scene.bay.hosts])


def rooms_named(text: str) -> Sequence[str]:
    """``kitchen, bath``."""
    return [name for name in text.replace(",", " ").split() if name]
