"""The rows of scenes, and what happens when one is played. Each function runs inside a transaction, on its
connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, update

from house.errors import NotNow
from house.kept import rows
from house.kept.rows import Row
from house.kept.tables import players, scenes, settings, streams
from house.objects.scene import WHAT, Scene, Setting, due, next_time
from midflight import Context, from_row, to_row

S = TypeVar("S", bound="Scene")


def every(connection: Connection) -> list[Scene]:
    """All scenes, in the order in which they were made."""
    return [_of_row(connection, Scene, row) for row in rows.every(connection, scenes, {})]


def needed_on(connection: Connection, host: str, after: datetime) -> datetime | None:
    """When the next scene needs this host, to hear something there or to send it; None where none does."""
    rooms = {row["name"] for row in rows.every(connection, players, {"host": host})}
    sent = {row["name"] for row in rows.every(connection, streams, {"host": host})}
    times = [
        next_time(scene, after)
        for scene in every(connection)
        if any(each.stream is not None and (each.player in rooms or each.stream in sent) for each in scene.settings)
    ]
    return min((moment for moment in times if moment is not None), default=None)


def heed(connection: Connection, now: datetime) -> None:
    """Play those whose time has come. One whose stream is disabled sets its rooms all the same: they play it when it is
    enabled."""
    for scene in every(connection):
        if due(scene, now):
            apply(connection, scene.settings)
            rows.change(connection, scenes, WHAT, scene.id, {"heeded_at": now})


def apply(connection: Connection, wanted: Iterable[Setting]) -> None:
    """Set rooms so. Whoever chooses anew has no sleep timer any more."""
    for setting in wanted:
        values = {"stream": setting.stream, "off_at": None, "volume": setting.volume, "muted": setting.muted}
        given = {name: value for name, value in values.items() if value is not None or name in ("stream", "off_at")}
        connection.execute(update(players).filter_by(name=setting.player).values(given))


def play(connection: Connection, name: str) -> list[str]:
    """Answers its rooms. Raises NotFound, and NotNow for a stream that is disabled."""
    scene = get(connection, Scene, name)
    for stream in {setting.stream for setting in scene.settings if setting.stream is not None}:
        if not rows.one(connection, streams, "stream", {"name": stream})["enabled"]:
            raise NotNow(stream, f"it is disabled, and the scene {name!r} plays it: enable it first")
    apply(connection, scene.settings)
    return [setting.player for setting in scene.settings]


def get(connection: Connection, kind: type[S], name: str, context: Context | None = None) -> S:
    """With its settings. Raises NotFound."""
    return _of_row(connection, kind, rows.one(connection, scenes, WHAT, {"name": name}), context)


def _of_row(connection: Connection, kind: type[S], row: Row, context: Context | None = None) -> S:
    found = rows.every(connection, settings, {"scene": row["name"]})
    return from_row(kind, row, settings=[from_row(Setting, each) for each in found], context=context)


def add(connection: Connection, scene: Scene) -> int:
    """Answers its id. Raises AlreadyExists, and NotFound for a room or a stream."""
    id = rows.add(connection, scenes, WHAT, scene.name, _of_its_own(to_row(scene)))
    _keep_settings(connection, scene)
    return id


def change(connection: Connection, scene: Scene) -> None:
    """Raises NotFound, also for a room or a stream."""
    rows.change(connection, scenes, WHAT, scene.id, _of_its_own(to_row(scene, only_changes=True)))
    _keep_settings(connection, scene)


def remove(connection: Connection, id: int | None, name: str) -> None:
    """With its settings. Raises NotFound."""
    rows.remove(connection, scenes, WHAT, id)
    connection.execute(delete(settings).filter_by(scene=name))


def _of_its_own(values: Row) -> Row:
    """What its own row has; settings have theirs."""
    return {name: value for name, value in values.items() if name != "settings"}


def _keep_settings(connection: Connection, scene: Scene) -> None:
    connection.execute(delete(settings).filter_by(scene=scene.name))
    for setting in scene.settings:
        rows.one(connection, players, "room", {"name": setting.player})
        if setting.stream is not None:
            rows.one(connection, streams, "stream", {"name": setting.stream})
        connection.execute(insert(settings).values({"scene": scene.name, **to_row(setting)}))
