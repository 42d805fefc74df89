"""Scenes, by their names and by their times."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any

import pytest

from house.errors import NotFound, NotNow, StaysAwake
from house.objects.away import Away
from house.objects.machine import Machine
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.scene import Scene, Setting, due
from house.objects.stream import Stream
from house.objects.wiring import SoundHost, Wiring
from midflight import Context, InvalidValue
from tests.jumping import JumpingClock

MONDAY_NOON = datetime.fromisoformat("2026-03-02T12:00:00+00:00")


@pytest.fixture
async def bay(context: Context, time: JumpingClock) -> Context:
    """A news channel, and two rooms that hear music."""
    await report(context)
    for name in ("news", "music"):
        await Stream(context=context, name=name, host="nas").create()
    for name in ("kitchen", "bath"):
        await Player(context=context, name=name, host="nas", stream="music", volume=50).create()
    return context


async def report(context: Context) -> None:
    await Wiring.report(context, SoundHost(name="nas"), [], [])


async def rooms(context: Context) -> list[tuple[str | None, int, bool]]:
    return [(each.stream, each.volume, each.muted) for each in (await PatchBay.get(context)).players]


async def test_a_scene_sets_its_rooms_and_no_others(bay: Context) -> None:
    """What it does not say of a room is left as it is; and what has changed in it counts from then on."""
    morning = Scene(context=bay, name="news in the kitchen", settings=[Setting(player="kitchen", stream="news")])
    await morning.create()
    assert await Scene.play(bay, "news in the kitchen") == ["kitchen"]
    assert await rooms(bay) == [("news", 50, False), ("music", 50, False)]
    morning.settings = [Setting(player="bath", volume=20, muted=True)]
    await morning.save()
    assert await Scene.play(bay, "news in the kitchen") == ["bath"]
    assert await rooms(bay) == [("news", 50, False), (None, 20, True)]
    await morning.destroy()
    with pytest.raises(NotFound, match="no scene 'news in the kitchen'"):
        await Scene.play(bay, "news in the kitchen")


async def test_a_scene_with_a_disabled_stream_is_refused_whole(bay: Context) -> None:
    """By its name: nobody would know why a room is silent."""
    party = [Setting(player="kitchen", stream="music"), Setting(player="bath", stream="news")]
    await Scene(context=bay, name="party", settings=party).create()
    news = await Stream.get(bay, "news")
    news.enabled = False
    await news.save()
    with pytest.raises(NotNow, match="news: it is disabled, and the scene 'party' plays it"):
        await Scene.play(bay, "party")
    assert await rooms(bay) == [("music", 50, False), ("music", 50, False)]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"settings": [Setting(player="bath"), Setting(player="bath")]}, "received 'bath' twice, expected each room"),
        ({"settings": [Setting(player="pool")]}, "no room 'pool'"),
        ({"settings": [Setting(player="bath", stream="redio")]}, "no stream 'redio'"),
        ({"settings": []}, "received no rooms, expected one at least"),
        ({"at": clock_time(7)}, "received a time without days, expected both, or neither"),
        ({"days": [0]}, "received days without a time"),
        ({"zone": "Mars/Olympus"}, "expected a time zone like Europe/Berlin"),
    ],
)
async def test_what_is_no_scene_is_refused(bay: Context, values: dict[str, object], reason: str) -> None:
    """One message each, and nothing is kept."""
    given: dict[str, Any] = {"settings": [Setting(player="bath")], **values}
    with pytest.raises((InvalidValue, NotFound), match=reason):
        await Scene(context=bay, name="x", **given).create()
    assert (await PatchBay.get(bay)).scenes == []


async def test_a_scene_is_played_at_its_time_once(bay: Context, time: JumpingClock) -> None:
    """By whichever report comes first after it; what somebody chooses then stays chosen. In its own zone."""
    await Scene(
        context=bay, name="news", settings=[Setting(player="bath", stream="news")], days=[0],
        at=clock_time(14, 30), zone="Europe/Berlin",
    ).create()  # fmt: skip
    time.pass_(hours=1, minutes=29, seconds=59)
    await report(bay)
    assert (await rooms(bay))[1] == ("music", 50, False)
    time.pass_(seconds=2)
    await report(bay)
    assert (await rooms(bay))[1] == ("news", 50, False)
    await PatchBay.patch(bay, "bath", "music")
    time.pass_(seconds=5)
    await report(bay)
    assert (await rooms(bay))[1] == ("music", 50, False)


async def test_while_nobody_is_at_home_no_scene_plays_by_its_time(bay: Context, time: JumpingClock) -> None:
    """Nor afterwards, when it is long over."""
    at = time.now() + timedelta(minutes=1)
    await Scene(
        context=bay, name="news", settings=[Setting(player="bath", stream="news")], days=[at.weekday()], at=at.time()
    ).create()
    await Away(context=bay, until=time.now() + timedelta(hours=1), who="ada").create()
    time.pass_(minutes=2)
    await report(bay)
    assert (await rooms(bay))[1] == ("music", 50, False)
    time.pass_(hours=1)
    await report(bay)
    assert (await rooms(bay))[1] == ("music", 50, False)


@pytest.mark.parametrize(
    ("now", "heeded", "is_due"),
    [
        ("2026-03-02T12:00:00", "2026-03-02T11:00:00", True),
        ("2026-03-02T12:09:59", "2026-03-02T11:00:00", True),
        ("2026-03-02T12:10:01", "2026-03-02T11:00:00", False),
        ("2026-03-02T12:05:00", "2026-03-02T12:00:00", False),
        ("2026-03-02T11:59:59", "2026-03-01T12:00:00", False),
        ("2026-03-03T12:00:00", "2026-03-02T12:00:00", False),
    ],
)
def test_a_time_is_heeded_once_and_not_too_late(now: str, heeded: str, is_due: bool) -> None:
    """On its days; up to ten minutes late, as after a conductor's restart."""
    scene = Scene(name="x", days=[0], at=clock_time(12), heeded_at=datetime.fromisoformat(f"{heeded}+00:00"))
    assert due(scene, datetime.fromisoformat(f"{now}+00:00")) is is_due


def test_a_time_just_before_midnight_is_heeded_after_it() -> None:
    """It is yesterday's by then."""
    scene = Scene(name="x", days=[0], at=clock_time(23, 59), heeded_at=MONDAY_NOON)
    assert due(scene, datetime.fromisoformat("2026-03-03T00:01:00+00:00"))
    assert not due(scene, datetime.fromisoformat("2026-03-04T00:01:00+00:00"))


async def test_a_machine_is_awake_for_what_is_heard_there(bay: Context, desk: Machine, time: JumpingClock) -> None:
    """It does not sleep while it plays, or sends what another room hears; and it wakes before a scene that needs it."""
    attic = Player(context=bay, name="attic", host="desk", stream="music")
    await attic.create()
    for host in ("nas", "desk"):
        if host == "nas":
            await Machine(context=bay, name="nas", mac="52:54:00:00:00:09").create()
        with pytest.raises(StaysAwake, match="attic hears music"):
            await (await Machine.get(bay, host)).ask_leave(("idle",))
    await PatchBay.patch(bay, "all", None)
    at = time.now() + timedelta(hours=8)
    settings = [Setting(player="kitchen"), Setting(player="attic", stream="news")]
    scene = Scene(context=bay, name="wake up", settings=settings, days=[at.weekday()], at=at.time())
    await scene.create()
    assert await desk.ask_leave(("idle",)) == at
    await desk.stay(())
    scene.settings = settings[:1]
    await scene.save()
    assert await desk.ask_leave(("idle",)) is None
