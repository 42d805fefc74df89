"""What plays: hosts with an engine, sound cards that are recorded, an agent beside each engine, and what a station has
to be heard. A card is a pipe that is drained at a card's pace; all else is real."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from tests.lab.house import BROKER
from tests.lab.network import Network, Sleeper
from tests.lab.unit import Unit, service
from tests.sound.lab import pulse, tunes
from tests.sound.lab.cards import Card, cards
from tests.sound.lab.switch import READS_ALL, Host, inhabited, lead_multicast

STATION = "station"
STREAMS = ("radio", "news")
"""Each with a tune of its own, which the station plays all the time."""
PIPE_BYTES = 65_536
"""340 ms: so long may the machine forget an engine before that is heard."""
_PATIENCE = 180.0
"""What is waited for has long happened by then, whatever else the machine does."""
_CONFIG = """[midflight]
project = "house.project:project"
broker = "{broker}"
state = "{state}"
beat_seconds = 1
"""
_ROOM = '\n[app.sound.rooms.{name}]\nsink = "{card}"\n'


class Band:
    """The station and the rooms; a room is called as the host that it is on. ``agents`` are processes by their host."""

    def __init__(self, hosts: Sequence[Host], recorded: Sequence[Card], folder: Path) -> None:
        self.hosts, self.cards = {each.name: each for each in hosts}, {each.name: each for each in recorded}
        self._folder = folder
        self.agents = {each.name: self._agent(each) for each in hosts}
        self.checked, self.wrong = 0, 0
        """How often it was listened to what a room plays, and how often that was not what it should."""
        self.listened = 0.0
        """For how many seconds of all rooms' recordings it was looked whether they play anything else."""
        self._should: dict[str, tuple[int, set[str]]] = {}
        """What each room should play, and until where its recording was listened to."""

    def _agent(self, host: Host) -> Unit:
        pulse.configure(host, self.cards.get(host.name))
        lines = _CONFIG.format(broker=BROKER, state=host.home / "state")
        if host.name in self.cards:
            lines += _ROOM.format(name=host.name, card=pulse.CARD)
        command = service("sound", host.name, host.write("house.toml", lines))
        as_user = host.as_user(*command, privileges=READS_ALL)
        return Unit(f"sound-{host.name}", host.namespace, self._folder, as_user)

    async def start(self, tree: Path) -> None:
        """All agents; return when the house knows their hosts and rooms."""
        await asyncio.gather(*(agent.start(tree, ready=False) for agent in self.agents.values()))
        await self._until(lambda: self._told().keys() >= self.hosts.keys() and self._rooms() >= self.cards.keys())

    async def replace(self, name: str, tree: Path) -> None:
        """Have an agent follow another one; return when the house has heard of the new one."""
        await self.agents[name].stop()
        before = self._told()[name]
        await self.agents[name].start(tree, ready=False)
        await self._until(lambda: self._told()[name] != before)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not holds():  # noqa: ASYNC110  # other processes write that
                await asyncio.sleep(0.1)

    def _told(self) -> dict[str, str]:
        """When each agent has spoken last."""
        return dict(self._rows("SELECT name, seen_at FROM sound_hosts"))

    def _rooms(self) -> set[str]:
        return {name for (name,) in self._rows("SELECT name FROM players")}

    def _rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._folder / "house.db")) as rows:
            return rows.execute(query).fetchall()

    async def play(self) -> None:
        """The station's programs play into its streams, from now on."""
        station = self.hosts[STATION]
        for name in STREAMS:
            tunes.write(name, file := station.home.parent / name)
            player = f"pacat --raw --rate=48000 --format=s16le --channels=2 --device=house.{name}"
            loop = f"while :; do (while cat {file}; do :; done) | {player}; sleep 0.1; done"
            await station.start("sh", "-c", loop)

    def sleeps_with(self, machine: Sleeper) -> None:
        """A room's host is a machine that sleeps: then all of its programs stand still, as in one that is suspended."""
        host, others = self.hosts[machine.name], machine.programs

        def programs(on: bool) -> None:
            if on:
                lead_multicast(host.namespace)
            for process in host.processes():
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(process, signal.SIGCONT if on else signal.SIGSTOP)
            others(on)

        machine.programs = programs

    async def hear(self, **expected: str | None) -> dict[str, set[str]]:
        """Wait until each of these rooms plays that stream and no other, or nothing, by what its card has played; what
        they play."""
        wanted = {room: {stream} if stream else set[str]() for room, stream in expected.items()}
        heard = dict[str, set[str]]()
        try:
            async with asyncio.timeout(_PATIENCE):
                while heard != wanted:
                    await asyncio.sleep(0.2)
                    heard = {room: tunes.heard(self.cards[room].latest(), STREAMS) for room in wanted}
        except TimeoutError:
            pass  # it is counted
        self.checked += len(wanted)
        self.wrong += sum(heard[room] != wanted[room] for room in wanted)
        self._listen(wanted)
        return heard

    def _listen(self, wanted: Mapping[str, set[str]]) -> None:
        """To all that rooms have played since the last time, half a second by half a second; to what is left over,
        the next time. What they should play from now on is ``wanted``, and may have begun meanwhile. A stream that a
        room had no business to play is counted as wrong; a silence is not, which may be its machine's."""
        for room, card in self.cards.items():
            start, before = self._should.get(room, (0, set[str]()))
            may, played = before | wanted.get(room, set()), card.played(start)
            whole = len(played) // tunes.WINDOW * tunes.WINDOW
            for first in range(0, whole, tunes.WINDOW):
                self.listened += tunes.WINDOW / tunes.RATE
                self.wrong += bool(tunes.heard(played[first : first + tunes.WINDOW], STREAMS) - {"?"} - may)
            self._should[room] = start + whole, wanted.get(room, before)

    def mark(self) -> dict[str, int]:
        """Where the recordings are now, for ``gaps``."""
        return {room: card.now for room, card in self.cards.items()}

    def gaps(self, room: str, since: int) -> int:
        """Silences of more than 20 ms that a room has had since."""
        return len(tunes.gaps(self.cards[room].played(since)))


@asynccontextmanager
async def band(net: Network, folder: Path, rooms: Sequence[str]) -> AsyncIterator[Band]:
    """A station and these rooms, on hosts of the network; nothing plays yet. Rooms on machines that sleep are among
    ``net.sleepers``."""
    machines = {each.name: each for each in net.sleepers if each.name in rooms}
    places = {**net.others, **{each.name: (each.namespace, str(each.four)) for each in machines.values()}}
    async with AsyncExitStack() as stack:
        hosts = await stack.enter_async_context(inhabited(places))
        recorded = [
            Card(each.name, each.home.parent / f"{each.name}.card", folder / f"{each.name}.raw")
            for each in hosts
            if each.name in rooms
        ]
        await stack.enter_async_context(cards(recorded, PIPE_BYTES))
        yield Band(hosts, recorded, folder)
