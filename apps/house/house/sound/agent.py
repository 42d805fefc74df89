"""The agent of one host: keeps its engines at what the house wants, and tells the house how they stand. The engines
play on while it is away, and it goes on without the house: then it keeps to what was wanted last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import structlog

from house.errors import HouseError
from house.interfaces import SoundAPI
from house.objects.hearing import Hearing, Sending
from house.objects.player import Player
from house.objects.trial import Trial
from house.objects.wiring import SoundHost, Wiring
from house.playing import Engine
from house.rights import check_own
from house.sound import orders
from house.sound.driver import Driver
from house.sound.errors import EngineError
from house.sound.file import WantedFile
from house.sound.flood import Flood
from house.sound.keeper import Keeper
from house.sound.nap import Nap
from house.sound.now_playing import NowPlaying
from house.sound.settings import RoomSettings
from house.sound.trials import Trials
from house.sound.wanted import Wanted
from midflight import Context, InvalidValue, MidflightError

REPORT_SECONDS = 5.0
RETRY_SECONDS = 0.5
"""After a report that was not heard: what was wanted meanwhile is played soon, as after a machine has woken."""
HEARD_SECONDS = 3.0
"""A report that takes longer is not heard: the connection may be one that the machine's sleep has broken."""
WRITE_SECONDS = 3.0
"""So long what is wanted may take to be written, before the agent goes on without waiting for it."""
log = structlog.get_logger("sound")


class Agent(SoundAPI):
    """See the module. ``rooms`` are those that its configuration knows, by name, and ``mpds`` what plays into its
    streams, by theirs; ``left`` are engines that it knows no more, and that may still play what was wanted of them."""

    def __init__(
        self,
        host: str,
        drivers: Mapping[Engine, Driver],
        rooms: Mapping[str, RoomSettings],
        file: WantedFile,
        new_context: Callable[[], Context],
        nap: Nap,
        left: Mapping[Engine, Driver] = MappingProxyType({}),
        mpds: Mapping[str, NowPlaying] = MappingProxyType({}),
        *,
        rehearses: bool = False,
    ) -> None:
        self.host, self._rooms, self._file, self._context = host, rooms, file, new_context
        self._nap, self._mpds, self._flood = nap, mpds, Flood(host)
        self._kept = file.read()
        self.keepers = [
            Keeper(engine, driver, self._kept.get(engine, Wanted(host)), self._heard_news, rehearses=rehearses)
            for engine, driver in drivers.items()
        ]
        for engine, driver in left.items():
            driver.need(self._kept.get(engine, Wanted(host)))
        self._left, self._rehearses = dict(left), rehearses
        self._unleft: dict[Engine, str] = {}
        """Why what is in such an engine could not be taken out."""
        self._trials = Trials(host, self.keepers)
        self._homeless: list[Hearing] = []
        self._refused: dict[str, str] = {}
        """Why the house does not take rooms of the configuration for this host's, by their names."""
        self._streamless: list[str] = []
        """Those of the MPDs that play into no stream of this host, in words."""
        self._unwritten = ""
        self._writing: asyncio.Task[None] | None = None
        self._report_now = asyncio.Event()
        self._told: object = None
        self._deaf = False

    # What others ask.

    async def hearings(self, context: Context) -> list[Hearing]:
        return self._hearings()

    def _hearings(self) -> list[Hearing]:
        tried = self._trials.rooms
        found = [*self._homeless, *(hearing for keeper in self.keepers for hearing in keeper.told()[0])]
        for hearing in found:
            if hearing.player in tried:
                hearing.why = hearing.why or "a test signal is played there"
        return found

    async def sendings(self, context: Context) -> list[Sending]:
        return self._sendings()

    def _sendings(self) -> list[Sending]:
        return [self._titled(sending) for keeper in self.keepers for sending in keeper.told()[1]]

    def _titled(self, sending: Sending) -> Sending:
        """With what its MPD says, where it has one."""
        mpd = self._mpds.get(sending.stream)
        if mpd is not None:
            sending.title, sending.queue = mpd.told.title, [*mpd.told.queue]
            sending.why = sending.why or orders.cut(mpd.told.trouble)
        return sending

    async def changed(self, context: Context) -> None:
        self._report_now.set()

    async def test(
        self, context: Context, engine: Engine, sender: str, rooms: list[str], seconds: float
    ) -> list[Trial]:
        return await self._trials.run(engine, sender, rooms, seconds)

    async def sleeps(self, context: Context, on: bool) -> None:
        check_own(context, self.host)
        if on:
            await self._nap.begin()
        else:
            await self._nap.end()
            self._report_now.set()

    # What it does by itself.

    async def report_for_ever(self) -> None:
        """Tell the house, and be told by it."""
        while True:
            try:
                await self._nap.end_if_too_long()
                await self._try_to_report()
                await self._leave()
            except Exception:  # a task that ended would never again report
                log.exception("sound.report_failed", host=self.host)
            try:
                async with asyncio.timeout(RETRY_SECONDS if self._deaf else REPORT_SECONDS):
                    await self._report_now.wait()
            except TimeoutError:
                pass  # the usual case
            self._report_now.clear()

    async def _try_to_report(self) -> None:
        """Once; whether the house has heard it is kept."""
        try:
            await self.report()
        except (HouseError, MidflightError, TimeoutError) as wrong:
            if not self._deaf:
                reason = str(wrong) or f"no answer for {HEARD_SECONDS:g} s"
                log.warning("sound.unheard", host=self.host, reason=reason)
            self._deaf = True
        else:
            self._deaf = False

    async def report(self) -> None:
        """Once. Raises what a call raises where the house does not hear, and TimeoutError where it does not in time."""
        async with asyncio.timeout(HEARD_SECONDS):
            wiring = await self._ask(self._context())
        await self._obey(wiring)

    async def _ask(self, context: Context) -> Wiring:
        """What the house wants, by its answer to how all stands here."""
        wiring = await self._tell(context)
        return await self._tell(context) if await self._introduce(context, wiring) else wiring

    async def _tell(self, context: Context) -> Wiring:
        hearings, sendings = self._hearings(), self._sendings()
        self._told = _essence(hearings, sendings)
        troubles = [trouble for keeper in self.keepers for trouble in keeper.troubles]
        self._flood.look()
        troubles += [*self._refused.values(), *self._unleft.values(), *self._streamless]
        troubles += filter(None, [self._unwritten, self._flood.trouble])
        host = SoundHost(name=self.host, engines=[keeper.engine for keeper in self.keepers], troubles=tuple(troubles))
        return await Wiring.report(context, host, hearings, sendings)

    async def _introduce(self, context: Context, wiring: Wiring) -> bool:
        """Make those rooms of the configuration known that the house does not know, or not any more. Whether there is
        something new in that."""
        before, self._refused = self._refused, {}
        unknown = sorted(self._rooms.keys() - {player.name for player in wiring.players})
        for name in unknown:
            given = self._rooms[name]
            try:
                player = Player(context=context, name=name, host=self.host, sink=given.sink, engine=given.engine)
                await player.create()
            except (HouseError, InvalidValue) as wrong:  # a group's name, or a room that is another host's by now
                self._refused[name] = f"[app.sound.rooms.{name}] is passed over: {wrong}"
                if self._refused[name] != before.get(name):
                    log.warning("sound.room_refused", room=name, reason=str(wrong))
        return len(unknown) > len(self._refused) or self._refused != before

    async def _obey(self, wiring: Wiring) -> None:
        wanted = {str(keeper.engine): orders.wanted(wiring, keeper.engine) for keeper in self.keepers}
        self._trials.want(wanted)
        self._homeless = orders.homeless(wiring, [keeper.engine for keeper in self.keepers])
        wanted |= {engine: self._kept[engine] for engine in self._left if engine in self._kept}
        streams = {stream.name for stream in wiring.streams if stream.host == self.host}
        self._streamless = [
            f"[app.sound.mpd] {name} is passed over: no stream of this name comes from {self.host}"
            for name in sorted(self._mpds.keys() - streams)
        ]
        if wanted != self._kept:
            await self._keep(wanted)

    async def _keep(self, wanted: dict[str, Wanted]) -> None:
        """Rooms play it meanwhile: a small computer may write to its card for as long as somebody waits for music. One
        thread writes at a time; what is wanted while it still does is written after the next report."""
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(wanted), name=f"what {self.host} is to play is written")
        written, _ = await asyncio.wait([self._writing], timeout=WRITE_SECONDS)
        if written:
            writing, self._writing = self._writing, None
            writing.result()

    async def _write(self, wanted: dict[str, Wanted]) -> None:
        try:
            await asyncio.to_thread(self._file.write, wanted)
        except OSError as wrong:  # it is played all the same, and written the next time
            unwritten = f"what {self.host} is to play could not be written to {self._file.path}: {wrong}"
            if unwritten != self._unwritten:
                log.warning("sound.file_unwritten", file=str(self._file.path), reason=str(wrong))
            self._unwritten = unwritten
        else:
            self._kept, self._unwritten = wanted, ""

    async def _leave(self) -> None:
        """Take what is ours out of engines that this host has no more, as soon as the others do what is wanted now:
        they may have come in their place, and share what streams come from."""
        if self._deaf or self._rehearses or not all(keeper.settled for keeper in self.keepers):
            return
        for engine, driver in [*self._left.items()]:
            try:
                await driver.ready()
                driver.need(Wanted(self.host))
                acts = await driver.apply(Wanted(self.host))
            except EngineError as wrong:
                self._unleft[engine] = f"{engine}, which {self.host} has no more, may still play: {wrong}"
                continue
            log.info("sound.left", engine=engine, acts=acts)
            await driver.close()
            del self._left[engine]
            self._unleft.pop(engine, None)
            await self._keep({name: wanted for name, wanted in self._kept.items() if name != engine})

    def _heard_news(self) -> None:
        """What others can see has changed: the house is told now."""
        if _essence(self._hearings(), self._sendings()) != self._told:
            self._report_now.set()


def _essence(hearings: Sequence[Hearing], sendings: Sequence[Sending]) -> object:
    """Without what changes all the time."""
    return (
        [(each.player, each.state, each.stream, each.restarts, each.why) for each in hearings],
        [(each.stream, each.engine, each.state, each.restarts, each.why) for each in sendings],
    )
