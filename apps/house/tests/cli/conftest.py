"""A fleet of the house: a broker, a conductor with a database, and a watcher and an agent that note what they are
asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from logging import ERROR
from pathlib import Path
from typing import Any

import pytest
import structlog

from house import clock
from house.cli import main
from house.errors import NotClaimed, NotFound, NotNow, StaysAwake
from house.interfaces import SleeperAPI, SoundAPI, WatcherAPI
from house.objects.hearing import Hearing, Sending
from house.objects.look import Look
from house.objects.machine import Machine
from house.objects.player import Player
from house.objects.trial import Trial
from house.objects.wake import Wake
from house.objects.wiring import SoundHost, Wiring
from house.playing import Engine, Playing, Sent
from house.project import project
from house.states import Cause
from midflight import Context
from midflight.testing import LocalFleet
from midflight.transports.embedded import EmbeddedBroker

BUSY_SECONDS, ENDING_SECONDS = 7, 8
"""Whoever is to be listened to for so long cannot be, for another test is under way, or only when asked twice."""
TOML = """
[midflight]
project = "house.project:project"
broker = "{broker}"
state = "{state}"
"""


@dataclass
class Watcher(WatcherAPI):
    """One of whose machines the dead ones never wake."""

    asked: list[str]
    told: list[str]

    async def claim(self, context: Context, machine: Machine) -> None:
        raise NotClaimed(machine.name, "this one only notes")

    async def release(self, context: Context, machine: str) -> None:
        raise NotFound("machine", machine)

    async def wake(self, context: Context, machine: str) -> Wake:
        return await self._wake(context, machine, Cause.ASKED)

    async def test_wake(self, context: Context, machine: str) -> Wake:
        return await self._wake(context, machine, Cause.TEST)

    async def _wake(self, context: Context, machine: str, cause: Cause) -> Wake:
        self.asked.append(f"{cause.value} {machine}")
        now, dead = clock.now(), machine.startswith("dead")
        wake = Wake(context=context, machine=machine, cause=cause, asked_at=now, tries=4 if dead else 1)
        wake.awake_at = None if dead else now + timedelta(seconds=1.5)
        await wake.report()
        return wake

    async def changed(self, context: Context) -> None:
        self.told.append("watchers")


@dataclass
class Sleeper(SleeperAPI):
    """The agent of desk. It sleeps for any reason but a bad one."""

    asked: list[str]
    told: list[str]

    async def sleep_now(self, context: Context, reason: str) -> None:
        self.asked.append(f"sleep: {reason}")
        if reason == "bad":
            raise StaysAwake("desk", ("ada holds it awake",))

    async def look(self, context: Context) -> Look:
        return Look(machine="desk", at=clock.now(), because=("a build runs",))

    async def changed(self, context: Context) -> None:
        self.told.append("sleepers")


@dataclass
class Sound(SoundAPI):
    """The agent of desk, whose kitchen plays what is patched to it, or that of nas, which has no room. The host of the
    bath has none. Multicast does not arrive in the kitchen."""

    told: list[str]
    air: list[Engine]
    """By which engines the signal is sent now, by any of them."""
    host: str = "desk"
    refuses: bool = False

    async def report(self, context: Context) -> None:
        wiring = await Wiring.report(context, SoundHost(name=self.host, engines=["pulse-rtp", "snapcast"]), [], [])
        self.told.append("sound")
        self.playing = {player.name: player.stream for player in wiring.players}

    async def hearings(self, context: Context) -> list[Hearing]:
        await self.report(context)
        return [
            Hearing(
                player=name,
                state=Playing.PLAYING if stream else Playing.SILENT,
                stream=stream,
                level_db=-18.4,
                buffer_ms=498,
                lost=1,
                jitter_ms=2.1,
            )
            for name, stream in self.playing.items()
        ]

    async def sendings(self, context: Context) -> list[Sending]:
        if self.host != "desk":
            return []
        return [Sending(stream="radio", state=Sent.SENDING, title="the news", queue=["the weather", "a song"])]

    async def changed(self, context: Context) -> None:
        await self.report(context)

    async def sleeps(self, context: Context, on: bool) -> None:
        pass

    async def test(
        self, context: Context, engine: Engine, sender: str, rooms: list[str], seconds: float
    ) -> list[Trial]:
        if sender == self.host:
            await self._send(engine, seconds)
        else:
            while engine not in self.air:
                await asyncio.sleep(0.01)
        heard = (
            {"lost": 0, "silent": seconds, "why": "nothing of it arrives"}
            if engine is Engine.PULSE_RTP
            else {"level_db": -6.0, "buffer_ms": 980}
        )
        return [Trial(player=room, engine=engine, seconds=seconds, **heard) for room in rooms]

    async def _send(self, engine: Engine, seconds: float) -> None:
        if seconds == 30 + ENDING_SECONDS:
            self.refuses = not self.refuses
        if seconds == 30 + BUSY_SECONDS or self.refuses:
            raise NotNow(self.host, "another test of sound is under way there")
        self.told.append(f"{self.host} sends by {engine}")
        self.air.append(engine)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.air.remove(engine)
            self.told.append(f"{self.host} sends no more")


@dataclass
class Fleet:
    """What was asked for, and a command line for it."""

    config: Path
    broker: str
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """Who was told by a fanout, which nobody waits for."""
    loop: asyncio.AbstractEventLoop | None = None
    context: Callable[[], Context] = Context

    def run(self, *words: str) -> int:
        """One command; its exit code."""
        at = words.index("--") if "--" in words else len(words)
        return main([*words[:at], "--config", str(self.config), *words[at:]])

    def hears(self, who: str, before: int, number: int) -> None:
        """Wait until they were told so often more than before."""
        until = time.monotonic() + 60
        while self.told.count(who) < before + number:
            assert time.monotonic() < until, self.told
            time.sleep(0.02)

    def do(self, work: Callable[[Context], Coroutine[Any, Any, None]]) -> None:
        """Something that no command does, by the conductor itself."""
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(work(self.context()), self.loop).result(60)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Its members, with the machines desk and dead."""

        air = list[Engine]()
        sound = Sound(self.told, air)
        async with LocalFleet(project, self.config.parent, broker=self.broker, state="state") as fleet:
            for number, name in enumerate(("desk", "dead")):
                await Machine(context=fleet.context(), name=name, mac=f"52:54:00:00:00:0{number}").create()
            for name, host in {"kitchen": "desk", "bath": "dead"}.items():
                await Player(context=fleet.context(), name=name, host=host).create()
            conductor = await fleet.start("conductor", "box")
            self.loop, self.context = asyncio.get_running_loop(), conductor.context
            await fleet.start("watcher", "box", serving=[Watcher(self.asked, self.told)])
            await fleet.start("sleeper", "desk", serving=[Sleeper(self.asked, self.told)])
            await sound.report((await fleet.start("sound", "desk", serving=[sound])).context())
            nas = Sound(self.told, air, "nas")
            await nas.report((await fleet.start("sound", "nas", serving=[nas])).context())
            yield


@contextmanager
def quiet() -> Iterator[None]:
    """The fleet, which runs in our process, says nothing where we read what a command says; and that a command says how
    its process logs is of no consequence afterwards."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours are meant in it, wherever the tests run."""
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    """For the time of a test."""
    with quiet():
        yield


@pytest.fixture(scope="session")
def running_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """It runs in a thread of its own, for all tests of the command line."""
    folder = tmp_path_factory.mktemp("fleet")
    broker = EmbeddedBroker(folder / "broker")
    asyncio.run(broker.start())
    (folder / "midflight.toml").write_text(TOML.format(broker=broker.url, state=folder / "state"))
    fleet = Fleet(folder / "midflight.toml", broker.url)
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with fleet.serve():
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.05)  # the event is a thread's

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="the fleet")
    thread.start()
    try:
        while not ready.wait(0.1):
            assert thread.is_alive(), "the fleet has not come up"
        yield fleet
    finally:
        over.set()
        thread.join()
        asyncio.run(broker.stop())


@pytest.fixture
def fleet(running_fleet: Fleet) -> Fleet:
    """The fleet, of which nothing was asked yet."""
    running_fleet.asked.clear()
    return running_fleet
