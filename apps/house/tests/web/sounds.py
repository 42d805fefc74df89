"""Patch bays worth looking at, and one that answers what an operator asks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from ipaddress import IPv4Address
from typing import Any

from house.names import ALL
from house.objects.group import Group
from house.objects.hearing import Hearing, Sending
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.scene import Scene, Setting
from house.objects.stream import Stream
from house.objects.trial import Trial
from house.objects.wiring import SoundHost
from house.playing import Kind, Playing, Sent
from house.sound_operator import Live, Patched
from house.trying import Try

NOW = datetime.now(UTC).replace(microsecond=0)
QUEUE = ["Nina Simone – Feeling Good", "Ella Fitzgerald, Louis Armstrong – Summertime"]


class SoundKeeper:
    """What is asked of the sound: rooms play what is patched to them, at once."""

    def __init__(self, shown: PatchBay, hearings: Sequence[Hearing] = (), sendings: Sequence[Sending] = ()) -> None:
        self.shown, self.heard, self.sent = shown, {each.player: each for each in hearings}, list(sendings)
        self.acts: list[str] = []
        self.held: asyncio.Event | None = None
        """The next patch is done when this is set."""
        self.wrong: Exception | None = None

    async def bay(self) -> PatchBay:
        return self.shown

    async def live(self, bay: PatchBay) -> Live:
        return Live([*self.heard.values()], self.sent)

    async def patch(self, target: str, stream: str | None) -> Patched:
        self._did(f"patch {target} {stream}")
        held, self.held = self.held, None
        if held is not None:
            await held.wait()
        rooms = self._rooms(target)
        for room in rooms:
            room.stream = stream
            self.heard[room.name] = Hearing(
                player=room.name, state=Playing.PLAYING if stream else Playing.SILENT, stream=stream, level_db=-20.0
            )
        return Patched([room.name for room in rooms])

    async def play(self, scene: str) -> Patched:
        self._did(f"play {scene}")
        return Patched(["kitchen"])

    async def set_volume(self, target: str, volume: int) -> Sequence[str]:
        self._did(f"volume {target} {volume}")
        for room in self._rooms(target):
            room.volume = volume
        return [target]

    async def mute(self, target: str, muted: bool = True) -> Sequence[str]:
        self._did(f"{'mute' if muted else 'unmute'} {target}")
        for room in self._rooms(target):
            room.muted = muted
        return [target]

    async def turn_off_at(self, target: str, at: datetime | None) -> Sequence[str]:
        self._did(
            f"turn off {target} {'never' if at is None else f'in {(at - datetime.now(UTC)).seconds / 60:.0f} min'}"
        )
        return [target]

    async def change_room(self, room: str, values: Mapping[str, Any]) -> Player:
        self._did(f"change {room} {values['engine'].value} {values['offset_ms']:g}")
        return Player(name=room, host="pi", **values)

    async def forget_room(self, room: str) -> None:
        self._did(f"forget {room}")

    async def add_stream(self, name: str, kind: Kind, source: str, host: str) -> Stream:
        self._did(f"add {name} {kind.value} {source!r} {host}")
        return Stream(name=name, kind=kind, source=source, host=host, address=IPv4Address("239.255.12.9"))

    async def enable(self, stream: str, enabled: bool = True) -> Patched:
        self._did(f"{'enable' if enabled else 'disable'} {stream}")
        return Patched([])

    async def remove_stream(self, stream: str) -> None:
        self._did(f"remove {stream}")

    async def set_group(self, name: str, rooms: Sequence[str]) -> Group:
        self._did(f"group {name}: {', '.join(rooms)}")
        return Group(name=name, players=[*rooms])

    async def remove_group(self, name: str) -> None:
        self._did(f"ungroup {name}")

    async def save_scene(
        self, name: str, rooms: Collection[str], days: Sequence[int] = (), at: time | None = None, zone: str = "UTC"
    ) -> tuple[Scene, Patched]:
        scene = Scene(name=name, settings=[Setting(player=room) for room in rooms], days=[*days], at=at, zone=zone)
        self._did(f"save {name}: {', '.join(rooms)}; {scene.in_words}")
        return scene, Patched([*rooms])

    async def drop_scene(self, name: str) -> None:
        self._did(f"drop {name}")

    async def test(self, tried: Try, sender: str, seconds: float) -> list[Trial]:
        rooms = [room for each in tried.rooms.values() for room in each]
        self._did(f"test {', '.join(rooms)} by {tried.engine} from {sender} for {seconds:g} s")
        return [Trial(player=room, engine=tried.engine, seconds=seconds, level_db=-6.0) for room in rooms]

    def _rooms(self, target: str) -> list[Player]:
        groups = {group.name: group.players for group in self.shown.groups}
        names = groups.get(target, [target])
        return [room for room in self.shown.players if target == ALL or room.name in names]

    def _did(self, what: str) -> None:
        self.acts.append(what)
        if self.wrong is not None:
            raise self.wrong


def _stream(name: str, kind: Kind, number: int, **more: Any) -> Stream:
    return Stream(name=name, kind=kind, address=IPv4Address(f"239.255.12.{number}"), **{"host": "nas", **more})


def _room(name: str, stream: str | None, volume: int, **more: Any) -> Player:
    return Player(name=name, stream=stream, volume=volume, **{"host": f"pi-{name}", **more})


def loud_house() -> SoundKeeper:
    """A room in each state, and streams of each kind."""
    bay = PatchBay(
        at=NOW,
        streams=[
            _stream("music", Kind.SINK, 1),
            _stream("news", Kind.RADIO, 2, source="https://radio.example/news.ogg"),
            _stream("tv", Kind.CAPTURE, 3, source="hw:1", host="pi-living-room"),
            _stream("rain", Kind.FILE, 4, source="/music/rain.flac", enabled=False),
        ],
        players=[
            _room("kitchen", "news", 45),
            _room("living-room", "music", 70),
            _room("office", "music", 30, muted=True),
            _room("bedroom", "tv", 55, off_at=NOW + timedelta(minutes=25), offset_ms=-12.5),
            _room("deck", "music", 80),
            _room("attic", "news", 60),
            _room("bath", None, 40),
        ],
        groups=[Group(name="downstairs", players=["kitchen", "living-room", "office"])],
        scenes=[
            Scene(name="party", settings=[Setting(player=n, stream="music") for n in ("kitchen", "deck")]),
            Scene(
                name="news in the kitchen", settings=[Setting(player="kitchen", stream="news")], days=[0, 1, 2, 3, 4],
                at=time(7), zone="Europe/Berlin",
            ),
            Scene(name="good night", settings=[Setting(player=n) for n in ("kitchen", "bedroom", "living-room")]),
        ],
        hosts=[
            *(SoundHost(name=f"pi-{n}", seen_at=NOW) for n in ("kitchen", "living-room", "office", "bedroom")),
            SoundHost(name="pi-bath", seen_at=NOW, engines=["snapcast"]),
            SoundHost(name="nas", seen_at=NOW, engines=["pulse-rtp", "snapcast"]),
            SoundHost(name="pi-deck", seen_at=NOW, troubles=("the switch floods multicast: patch it by snapcast",)),
            SoundHost(name="pi-attic", seen_at=NOW - timedelta(hours=1)),
        ],
    )  # fmt: skip
    playing = [
        ("kitchen", "news", -21.0),
        ("living-room", "music", -12.0),
        ("office", "music", -14.0),
        ("bedroom", "tv", -30.0),
    ]
    hearings = [
        Hearing(
            player=n, state=Playing.PLAYING, stream=s, level_db=db, buffer_ms=498, drift_ppm=12, lost=3, jitter_ms=2.1
        )
        for n, s, db in playing
    ]
    hearings.append(Hearing(player="deck", state=Playing.UNPLUGGED, why="its sound card is gone", restarts=2))
    hearings.append(Hearing(player="bath", state=Playing.SILENT))
    sendings = [
        Sending(stream="music", state=Sent.SENDING, level_db=-13.0, title="Nina Simone – Sinnerman", queue=QUEUE),
        Sending(stream="news", state=Sent.SENDING, level_db=-22.0),
        Sending(stream="tv", state=Sent.SENDING, level_db=-31.0),
    ]
    return SoundKeeper(bay, hearings, sendings)


def silent_house() -> SoundKeeper:
    """Rooms that hear nothing, and nothing to be heard."""
    hosts = [SoundHost(name="pi-kitchen", seen_at=NOW)]
    return SoundKeeper(PatchBay(at=NOW, players=[_room("kitchen", None, 70)], hosts=hosts))
