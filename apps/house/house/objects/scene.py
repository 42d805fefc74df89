"""Scenes: how several rooms shall be, by one name, or at one time of the day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Self, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Meta
from sqlalchemy import Connection, delete, insert, update

from house import clock, rows
from house.errors import NotNow
from house.objects.player import Volume
from house.objects.rule import DAYS, Day, check_zone
from house.rights import PEOPLE
from house.rows import Row
from house.tables import players, scenes, settings, streams
from midflight import Context, InvalidValue, VersionedObject, field, from_row, remotable, to_row

WHAT = "scene"
LATE = timedelta(minutes=10)
"""A scene whose time was missed by more, because no conductor ran, is not played any more."""
S = TypeVar("S", bound="Scene")
SceneName = Annotated[str, Meta(pattern=r"^[^\W_]([\w '-]{0,61}\w)?$")]


class Setting(VersionedObject, version="1.0"):
    """How one room is in a scene: what it hears, None for silence; its volume and whether it is muted are left as they
    are where they are None."""

    player: str
    stream: str | None = None
    volume: Volume | None = None
    muted: bool | None = None


class Scene(VersionedObject, version="1.0"):
    """Rooms and what they hear. Rooms without a setting are left as they are. Where it has a time, it is played ``at``
    that time of ``zone`` on ``days`` (0 is Monday), unless nobody is at home. Times until ``heeded_at`` are over."""

    id: int | None = None
    name: SceneName = field(read_only=True)
    settings: list[Setting] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    at: time | None = None
    zone: str = "UTC"
    heeded_at: datetime | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        """One scene. Raises NotFound."""
        found: Self = await context.db.read(_get, cls, name, context)
        return found

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Let it be known. Raises AlreadyExists, NotFound for a room or a stream that is none, and InvalidValue for a
        room that is named twice, for a time without days, and for a zone that nobody knows."""
        _check(self)
        self.heeded_at = clock.now()
        self.id = await self.context.db.write(_insert, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed. Raises what ``create`` does."""
        _check(self)
        self.heeded_at = clock.now()
        await self.context.db.write(_save, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Rooms stay as they are. Raises NotFound."""
        await self.context.db.write(_delete, self.id, self.name)

    @classmethod
    @remotable(allow=PEOPLE)
    async def play(cls, context: Context, name: str) -> list[str]:
        """Set its rooms as it says; answers which these are. Raises NotFound, and NotNow, before anything has changed,
        where one of its streams is disabled."""
        played: list[str] = await context.db.write(_play, name)
        return played

    @property
    def in_words(self) -> str:
        """When it plays by itself, for people; empty where it does not."""
        if self.at is None:
            return ""
        return f"{', '.join(DAYS[day] for day in sorted(self.days))} {self.at:%H:%M} {self.zone}"


def due(scene: Scene, now: datetime) -> bool:
    """Whether one of its times has come since they were heeded last, and not too long ago."""
    since = max(now - LATE, scene.heeded_at or now)
    return any(since < moment <= now for moment in _moments(scene, now))


def next_time(scene: Scene, after: datetime) -> datetime | None:
    """When it plays by itself next; None where it does not."""
    return next((moment for moment in _moments(scene, after) if moment > after), None)


def _moments(scene: Scene, around: datetime) -> Iterator[datetime]:
    """Its times from yesterday to a week from today, in the days of its zone."""
    if scene.at is not None:
        zone = ZoneInfo(scene.zone)
        today = around.astimezone(zone).date()
        for day in (today + timedelta(days=n) for n in range(-1, 9)):
            if day.weekday() in scene.days:
                yield datetime.combine(day, scene.at, zone).astimezone(UTC)


# What happens in a transaction.


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


def _play(connection: Connection, name: str) -> list[str]:
    scene = _get(connection, Scene, name)
    for stream in {setting.stream for setting in scene.settings if setting.stream is not None}:
        if not rows.one(connection, streams, "stream", {"name": stream})["enabled"]:
            raise NotNow(stream, f"it is disabled, and the scene {name!r} plays it: enable it first")
    apply(connection, scene.settings)
    return [setting.player for setting in scene.settings]


def _get(connection: Connection, kind: type[S], name: str, context: Context | None = None) -> S:
    return _of_row(connection, kind, rows.one(connection, scenes, WHAT, {"name": name}), context)


def _of_row(connection: Connection, kind: type[S], row: Row, context: Context | None = None) -> S:
    found = rows.every(connection, settings, {"scene": row["name"]})
    return from_row(kind, row, settings=[from_row(Setting, each) for each in found], context=context)


def _insert(connection: Connection, scene: Scene) -> int:
    id = rows.add(connection, scenes, WHAT, scene.name, _of_its_own(to_row(scene)))
    _keep_settings(connection, scene)
    return id


def _save(connection: Connection, scene: Scene) -> None:
    rows.change(connection, scenes, WHAT, scene.id, _of_its_own(to_row(scene, only_changes=True)))
    _keep_settings(connection, scene)


def _delete(connection: Connection, id: int | None, name: str) -> None:
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


def _check(scene: Scene) -> None:
    check_zone("Scene.zone", scene.zone)
    if (scene.at is None) != (not scene.days):
        received = "a time without days" if scene.at else "days without a time"
        raise InvalidValue(path="Scene.at", received=received, expected="both, or neither")
    named = [setting.player for setting in scene.settings]
    for name in named:
        if named.count(name) > 1:
            raise InvalidValue(path="Scene.settings", received=f"{name!r} twice", expected="each room once")
