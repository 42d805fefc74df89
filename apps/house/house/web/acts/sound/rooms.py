"""Say where a room is played and how, name several rooms together, and forget either."""

from __future__ import annotations

from shlex import quote
from typing import Any

from house.errors import NotFound
from house.objects.player import Player
from house.playing import Engine
from house.sound_operator import engine_of, engines_of
from house.web.acts.sound.fields import rooms_named
from house.web.sources import BAY
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight import InvalidValue
from midflight.web import Act, Field, Question, Tell

GOOD_FOR = {
    Engine.PULSE_RTP: "multicast, for a wired network",
    Engine.SNAPCAST: "unicast, for Wi-Fi",
    Engine.GST_NETCLOCK: "the best sync",
}


def _meant(scene: HouseScene) -> Player:
    wanted = scene.field("room")
    for room in scene.bay.players:
        if room.name == wanted:
            return room
    raise NotFound("room", wanted)


def _ask(scene: HouseScene) -> Question:
    room, fields = _meant(scene), scene.fields
    offered = dict.fromkeys([room.engine, *engines_of(scene.bay)])
    return Question(
        words=f"How {room.name} is played on {room.host}.",
        command=f"house sound room {room.name} --engine {room.engine.value} --offset {room.offset_ms:g}",
        confirm="Set it",
        fields=[
            Field("room", value=room.name, hidden=True),
            Field(
                "engine", "Engine", fields.get("engine", room.engine.value),
                [(each.value, f"{each.value}: {GOOD_FOR.get(each, 'not known here')}") for each in offered],
            ),
            Field(
                "offset", "Offset in ms", fields.get("offset", f"{room.offset_ms:g}"),
                hint="It plays so much later than others, or earlier where that is negative: -1000 to 1000",
            ),
        ],
    )  # fmt: skip


async def _set(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    room = _meant(scene)
    text, offset = scene.field("engine"), scene.field("offset")
    engine = room.engine if text == room.engine else engine_of(scene.bay, text)
    try:
        values: dict[str, Any] = {"engine": engine, "offset_ms": float(offset)}
    except ValueError:
        raise InvalidValue(path="offset", received=repr(offset), expected="milliseconds, -1000 to 1000") from None
    changed = await visitor.do(lambda operator: operator.sound.change_room(room.name, values))
    tell(f"{room.name} is played by {changed.engine.value}, {changed.offset_ms:+g} ms")


def _ask_to_forget(scene: HouseScene) -> Question:
    room = _meant(scene)
    return Question(
        words=f"{room.name} is gone, also from groups and scenes. An agent that still has it makes it known again.",
        command=f"house sound forget {room.name}",
        confirm="Forget it",
        fields=[Field("room", value=room.name, hidden=True)],
    )


async def _forget(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    room = _meant(scene).name
    await visitor.do(lambda operator: operator.sound.forget_room(room))
    tell(f"{room} is forgotten")


def _ask_group(scene: HouseScene) -> Question:
    name = scene.fields.get("name", "")
    known = next((group.players for group in scene.bay.groups if group.name == name), None)
    rooms = known if known is not None else [room.name for room in scene.bay.players]
    return Question(
        words="Rooms that are patched, and made loud or quiet, by one name.",
        command=f"house sound group {quote(name or 'downstairs')} {' '.join(rooms)}",
        confirm="Group them",
        fields=[
            Field("name", "Name", name, hint="A group that has this name gets these rooms."),
            Field("rooms", "Rooms", scene.fields.get("rooms", ", ".join(rooms))),
        ],
    )


async def _group(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name, rooms = scene.field("name"), rooms_named(scene.field("rooms"))
    made = await visitor.do(lambda operator: operator.sound.set_group(name, rooms))
    tell(f"{made.name} is {', '.join(made.players)}")


def _ask_to_ungroup(scene: HouseScene) -> Question:
    name = scene.field("group")
    if name not in {group.name for group in scene.bay.groups}:
        raise NotFound("group", name)
    return Question(
        words=f"{name} is no group any more. Its rooms stay as they are.",
        command=f"house sound group {name} --remove",
        confirm="Take it apart",
        fields=[Field("group", value=name, hidden=True)],
    )


async def _ungroup(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name = scene.field("group")
    await visitor.do(lambda operator: operator.sound.remove_group(name))
    tell(f"{name} is no group any more")


ROOM = Act("room", "Set up a room", _ask, _set, (BAY,))
FORGET_ROOM = Act("forget-room", "Forget a room", _ask_to_forget, _forget, (BAY,))
GROUP = Act("group", "Group rooms", _ask_group, _group, (BAY,))
UNGROUP = Act("ungroup", "Take a group apart", _ask_to_ungroup, _ungroup, (BAY,))
