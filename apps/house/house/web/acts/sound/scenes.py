"""Play a scene, keep one, and drop it."""

from __future__ import annotations

from shlex import quote

from house.errors import NotFound
from house.hours import read_clock, read_days, zone_here
from house.objects.scene import Scene
from house.web.acts.sound.fields import rooms_named
from house.web.acts.sound.hearing import tell_all
from house.web.sources import BAY
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Field, Question, Tell

WHEN = "Only when somebody plays it"


def _meant(scene: HouseScene) -> Scene:
    wanted = scene.field("scene")
    for each in scene.bay.scenes:
        if each.name == wanted:
            return each
    raise NotFound("scene", wanted)


def _the_scene(scene: Scene) -> Field:
    return Field("scene", value=scene.name, hidden=True)


def _ask_to_play(scene: HouseScene) -> Question:
    meant = _meant(scene)
    return Question(
        words=f"{meant.rooms_in_words or 'No room'}.",
        command=f"house sound scene {quote(meant.name)}",
        confirm="Play it",
        fields=[_the_scene(meant)],
    )


async def _play(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name = _meant(scene).name
    patched = await visitor.do(lambda operator: operator.sound.play(name))
    tell_all(patched, f"{name}: {', '.join(patched.rooms) or 'no room'}", tell)


def _ask_to_save(scene: HouseScene) -> Question:
    rooms = scene.fields.get("rooms", ", ".join(room.name for room in scene.bay.players))
    fields = scene.fields
    return Question(
        words="Rooms are kept as they are now: what they hear, how loud, and whether they are muted.",
        command="house sound save 'a quiet evening' --at 20:15 --days Sat,Sun",
        confirm="Keep it",
        fields=[
            Field("name", "Name", fields.get("name", ""), hint="A scene of this name is replaced."),
            Field("rooms", "Rooms", rooms, hint="Or groups. Others are left as they are when it plays."),
            Field("timed", "When", fields.get("timed", "no"), [("no", WHEN), ("yes", "Also by itself, at this time")]),
            Field("at", "Time", fields.get("at", "07:00")),
            Field("days", "Days", fields.get("days", "daily"), hint="Mon-Fri, or Mon, Wed, Sat, or daily"),
            Field("zone", "Time zone", fields.get("zone", zone_here()), hint="Europe/Berlin, UTC, …"),
        ],
    )


async def _save(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name, rooms = scene.field("name"), rooms_named(scene.field("rooms"))
    timed = scene.field("timed") == "yes"
    at, days = (read_clock("at", scene.field("at")), read_days(scene.field("days"))) if timed else (None, [])
    zone = scene.field("zone")
    kept, patched = await visitor.do(lambda operator: operator.sound.save_scene(name, rooms, days, at, zone))
    tell_all(patched, f"{kept.name}: {kept.rooms_in_words}{f'; {kept.in_words}' if kept.in_words else ''}", tell)


def _ask_to_drop(scene: HouseScene) -> Question:
    meant = _meant(scene)
    return Question(
        words=f"{meant.name}: {meant.rooms_in_words or 'no room'}. Rooms stay as they are.",
        command=f"house sound drop {quote(meant.name)}",
        confirm="Drop it",
        fields=[_the_scene(meant)],
    )


async def _drop(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name = _meant(scene).name
    await visitor.do(lambda operator: operator.sound.drop_scene(name))
    tell(f"the scene {name} is dropped")


PLAY = Act("play", "Play a scene", _ask_to_play, _play, (BAY,))
SAVE_SCENE = Act("save-scene", "Keep a scene", _ask_to_save, _save, (BAY,))
DROP_SCENE = Act("drop-scene", "Drop a scene", _ask_to_drop, _drop, (BAY,))
