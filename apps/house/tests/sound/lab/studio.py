"""A house full of music: a host whose programs play tunes into streams, and rooms that are listened to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np

from house.playing import Playing, Sent
from house.sound.driver import Driver
from house.sound.errors import EngineError
from house.sound.heard import Heard
from house.sound.wanted import Feed, Room, Wanted
from tests.sound.lab import tunes
from tests.sound.lab.cards import BLOCK, PIPE_BYTES, Card, cards
from tests.sound.lab.netclock import GstNetclockLab
from tests.sound.lab.pulse import CARD, PulseRtpLab
from tests.sound.lab.snapcast import SnapcastLab
from tests.sound.lab.switch import Host, hosts

T = TypeVar("T")
STATION = "station"
ROOMS = ("kitchen", "office", "bedroom")
TUNES = ("radio", "news")
"""The tunes, and the streams into which the station plays them."""
PATIENCE = 180.0
"""What a test waits for has long happened by then, whatever else the machine does."""


class EngineLab(Protocol):
    """An engine on the laboratory's hosts."""

    def configure(self, host: Host, card: Card | None) -> None:
        """Before it is started; with the sound card, for a room."""

    def driver(self, host: Host) -> Driver:
        """A new one."""

    def programs(self, host: Host) -> tuple[str, ...]:
        """What is killed where the engine is."""

    def playing(self, tune: Path, feed: Feed) -> list[str]:
        """What plays a tune into a stream for ever, also into one that comes later or comes again."""

    async def traces(self, host: Host) -> list[str]:
        """What of the house is in the engine."""


ENGINES: dict[str, EngineLab] = {
    "pulse-rtp": PulseRtpLab(),
    "snapcast": SnapcastLab(),
    "gst-netclock": GstNetclockLab(),
}


@dataclass
class Studio:
    """All of it; what is wanted is in ``feeds`` and ``rooms``."""

    engine: EngineLab
    folder: Path
    hosts: dict[str, Host]
    cards: dict[str, Card]
    drivers: dict[str, Driver]
    feeds: dict[str, Feed] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    has_agents: bool = False
    """Whether agents keep the engines running. Where there are none, whoever waits for something does it meanwhile."""
    _playing: list[tuple[Host, asyncio.subprocess.Process]] = field(default_factory=list)

    # What is wanted.

    async def reset(self) -> None:
        """Streams with a tune each, and rooms that are silent."""
        self.feeds = {name: Feed(name, "sink", "", STATION, f"239.255.12.{n}", 5004) for n, name in enumerate(TUNES, 1)}
        self.rooms = {name: Room(name, CARD) for name in ROOMS}
        for host, process in self._playing:
            await host.stop(process)
        self._playing.clear()
        for name in TUNES:
            await self.play(name, name)

    def wanted(self, host: str) -> Wanted:
        """Of one host."""
        feeds = tuple(feed for feed in self.feeds.values() if feed.host == host)
        return Wanted(host, feeds, tuple(room for name, room in self.rooms.items() if name == host))

    def set(self, room: str, **changes: Any) -> None:
        """Want something else of a room."""
        self.rooms[room] = msgspec.structs.replace(self.rooms[room], **changes)

    async def patch(self, **feeds: str | None) -> None:
        """Each of these rooms hears that stream, or none."""
        for name, feed in feeds.items():
            self.set(name, feed=feed and self.feeds[feed])
            await self.apply(name)

    async def apply(self, *names: str) -> None:
        """Have the engines of these hosts do it, or those of all."""
        for name in names or self.hosts:
            await self.drivers[name].ready()
            await self.drivers[name].apply(self.wanted(name))

    # What is done to it.

    async def play(self, tune: str, feed: str) -> None:
        """Play a tune into a stream, on its host, until the next test."""
        host = self.hosts[self.feeds[feed].host]
        self._playing.append((host, await host.start(*self.engine.playing(self.folder / tune, self.feeds[feed]))))

    async def kill(self, name: str, program: str = "") -> None:
        """The engine of a host, or this program, ends at once, and its driver sees it."""
        stirred = asyncio.create_task(self.drivers[name].stirred())
        killed = self.hosts[name].processes(program) if program else self.engines(name)
        assert killed, f"no engine runs on {name}"
        for process in killed:
            os.kill(process, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            await stirred

    def engines(self, name: str) -> list[int]:
        """The processes of a host's engine."""
        host = self.hosts[name]
        return sorted(process for program in self.engine.programs(host) for process in host.processes(program))

    async def renew(self, name: str) -> None:
        """Another driver takes the place of this one."""
        await self.drivers[name].close()
        self.drivers[name] = self.engine.driver(self.hosts[name])

    # What comes of it.

    def heard(self, room: str) -> set[str]:
        """Which tunes the room has played for the last half a second."""
        return tunes.heard(self.cards[room].latest(), TUNES)

    async def hear(self, **expected: str | None) -> None:
        """Wait until each of these rooms plays that tune and no other, or nothing."""
        wanted = {room: {tune} if tune else set[str]() for room, tune in expected.items()}

        async def heard() -> dict[str, set[str]]:
            await self.tend()
            return {room: self.heard(room) for room in wanted}

        await until(heard, wanted.__eq__, wanted)

    async def plays_at(self, room: str, loudness: float) -> None:
        """Wait until a room is as loud as that, give or take a quarter."""

        async def loud() -> float:
            await self.tend()
            return self.loudness(room)

        await until(loud, lambda found: 0.75 * loudness < found < 1.25 * loudness, loudness)

    def loudness(self, room: str) -> float:
        """Of the last half a second: the root of the mean square."""
        return float(np.sqrt(np.mean(self.cards[room].latest().astype(np.float64) ** 2)))

    async def stands(self, room: str, state: Playing) -> None:
        """Wait until the engine says so of a room."""

        async def heard() -> Playing | None:
            found = (await self.tend()).get(room)
            return found and found.rooms[room].state

        await until(heard, state.__eq__, state)

    async def sends(self, feed: str, state: Sent) -> str:
        """Wait until the engine says so of a stream; and why that is."""
        host, why = self.feeds[feed].host, list[str]()

        async def sent() -> Sent | None:
            found = (await self.tend()).get(host)
            why.append(found.feeds[feed].why if found else "")
            return found and found.feeds[feed].state

        await until(sent, state.__eq__, state)
        return why[-1]

    async def tend(self) -> dict[str, Heard]:
        """Start engines that have ended, as agents do, and see how all stands by host: PulseAudio ends now and then,
        and a room takes its stream anew when its driver sees that nothing comes."""
        looks = dict[str, Heard]()
        for name, driver in {} if self.has_agents else self.drivers.items():
            with suppress(EngineError):  # it has ended just now, and is started the next time
                if await driver.ready():
                    await driver.apply(self.wanted(name))
                looks[name] = await driver.look(self.wanted(name))
        return looks

    def aborts(self, name: str) -> int:
        """How often engines of a host have ended by a fault of their own: PulseAudio does it on a machine so busy that
        a room does not come to take its packets for a third of a second."""
        return sum(log.read_bytes().count(b"Aborting.") for log in self.hosts[name].home.glob("*.log*"))

    @contextmanager
    def but_for_aborts(self, *names: str) -> Iterator[None]:
        """What the block expects of these hosts holds, unless one of their engines has aborted meanwhile."""
        before = [self.aborts(name) for name in names]
        try:
            yield
        except (AssertionError, EngineError):
            if [self.aborts(name) for name in names] == before:
                raise

    async def look(self, name: str) -> Heard:
        """What the engine of a host says."""
        return await self.drivers[name].look(self.wanted(name))


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], expected: object) -> T:
    """Wait for an answer that is as it should be, and fail with the latest one."""
    found: object = None
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds(answer := await ask()):
                found = answer
                await asyncio.sleep(0.5)
            return answer
    except TimeoutError:
        raise AssertionError(f"expected {expected}, found {found}") from None


@asynccontextmanager
async def studio(
    folder: Path,
    engine: EngineLab,
    *,
    ppm: Mapping[str, float] = MappingProxyType({}),
    pipe_bytes: int = PIPE_BYTES,
    block: int = BLOCK,
) -> AsyncIterator[Studio]:
    """The house: nothing is wanted of it, and nothing runs. ``ppm`` is how much too fast the rooms' cards are."""
    async with hosts(STATION, *ROOMS) as built:
        by_name = {
            name: Card(name, built[0].home.parent / f"{name}.card", folder / f"{name}.raw", ppm.get(name, 0.0))
            for name in ROOMS
        }
        async with cards(list(by_name.values()), pipe_bytes, block):
            for host in built:
                engine.configure(host, by_name.get(host.name))
            drivers = {host.name: engine.driver(host) for host in built}
            tune_folder = built[0].home.parent
            for name in TUNES:
                tunes.write(name, tune_folder / name)
            try:
                yield Studio(engine, tune_folder, {host.name: host for host in built}, by_name, drivers)
            finally:
                for driver in drivers.values():
                    await driver.close()
