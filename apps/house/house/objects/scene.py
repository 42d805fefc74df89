"""Scenes: how several rooms shall be, by one name, or at one time of the day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Self, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Meta

from house import clock, kept
from house.objects.player import Volume
from house.objects.rule import Day, check_zone, days_in_words
from house.rights import PEOPLE
from midflight import Context, InvalidValue, VersionedObject, field, remotable

WHAT = "scene"
LATE = timedelta(minutes=10)
"""A scene whose time was missed by more, because no conductor ran, is not played any more."""
S = TypeVar("S", bound="Scene")
SceneName = Annotated[str, Meta(pattern=r"^[^\W_]([\w '-]{0,61}\w)?\Z")]


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
        found: Self = await context.db.read(kept.scenes.get, cls, name, context)
        return found

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Let it be known. Raises AlreadyExists, NotFound for a room or a stream that is none, and InvalidValue where
        it has no room or one twice, for a time without days, and for a zone that nobody knows."""
        _check(self)
        self.heeded_at = clock.now()
        self.id = await self.context.db.write(kept.scenes.add, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed. Raises what ``create`` does."""
        _check(self)
        self.heeded_at = clock.now()
        await self.context.db.write(kept.scenes.change, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Rooms stay as they are. Raises NotFound."""
        await self.context.db.write(kept.scenes.remove, self.id, self.name)

    @classmethod
    @remotable(allow=PEOPLE)
    async def play(cls, context: Context, name: str) -> list[str]:
        """Set its rooms as it says; answers which these are. Raises NotFound, and NotNow, before anything has changed,
        where one of its streams is disabled."""
        played: list[str] = await context.db.write(kept.scenes.play, name)
        return played

    @property
    def rooms_in_words(self) -> str:
        """How its rooms are, for people; empty where it has none."""
        return ", ".join(f"{each.player}: {each.stream or 'silent'}" for each in self.settings)

    @property
    def in_words(self) -> str:
        """When it plays by itself, for people; empty where it does not."""
        if self.at is None:
            return ""
        return f"{days_in_words(self.days)} {self.at:%H:%M} {self.zone}"


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


def _check(scene: Scene) -> None:
    check_zone("Scene.zone", scene.zone)
    if (scene.at is None) != (not scene.days):
        received = "a time without days" if scene.at else "days without a time"
        raise InvalidValue(path="Scene.at", received=received, expected="both, or neither")
    if not scene.settings:
        raise InvalidValue(path="Scene.settings", received="no rooms", expected="one at least")
    named = [setting.player for setting in scene.settings]
    for name in named:
        if named.count(name) > 1:
            raise InvalidValue(path="Scene.settings", received=f"{name!r} twice", expected="each room once")
