"""The agent of one host: keeps its engines at what the house wants, and tells the house how they stand. The engines
play on while it is away, and it goes on without the house: then it keeps to what was wanted last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from house.errors import AlreadyExists, HouseError
from house.interfaces import SoundAPI
from house.objects.hearing import Hearing, Sending
from house.objects.player import Player
from house.objects.wiring import SoundHost, Wiring
from house.playing import Engine
from house.sound import orders
from house.sound.driver import Driver
from house.sound.file import WantedFile
from house.sound.keeper import Keeper
from house.sound.settings import RoomSettings
from house.sound.wanted import Wanted
from midflight import Context, MidflightError

REPORT_SECONDS = 5.0
log = structlog.get_logger("sound")


class Agent(SoundAPI):
    """See the module. ``rooms`` are those that its configuration knows, by name."""

    def __init__(
        self,
        host: str,
        drivers: Mapping[Engine, Driver],
        rooms: Mapping[str, RoomSettings],
        file: WantedFile,
        new_context: Callable[[], Context],
    ) -> None:
        self.host, self._rooms, self._file, self._context = host, rooms, file, new_context
        self._kept = file.read()
        self.keepers = [
            Keeper(engine, driver, self._kept.get(engine, Wanted(host)), self._heard_news)
            for engine, driver in drivers.items()
        ]
        self._homeless: list[Hearing] = []
        self._unknown = set(rooms)
        """Rooms of the configuration of which the house does not know yet."""
        self._report_now = asyncio.Event()
        self._told: object = None
        self._deaf = False

    # What others ask.

    async def hearings(self, context: Context) -> list[Hearing]:
        return [*self._homeless, *(hearing for keeper in self.keepers for hearing in keeper.told()[0])]

    async def sendings(self, context: Context) -> list[Sending]:
        return [sending for keeper in self.keepers for sending in keeper.told()[1]]

    async def changed(self, context: Context) -> None:
        self._report_now.set()

    # What it does by itself.

    async def report_for_ever(self) -> None:
        """Tell the house, and be told by it."""
        while True:
            try:
                await self.report()
                self._deaf = False
            except (HouseError, MidflightError) as wrong:
                if not self._deaf:
                    log.warning("sound.unheard", host=self.host, reason=str(wrong))
                self._deaf = True
            try:
                async with asyncio.timeout(REPORT_SECONDS):
                    await self._report_now.wait()
            except TimeoutError:
                pass  # the usual case
            self._report_now.clear()

    async def report(self) -> None:
        """Once. Raises what a call raises where the house does not hear."""
        context = self._context()
        hearings, sendings = await self.hearings(context), await self.sendings(context)
        self._told = _essence(hearings, sendings)
        troubles = tuple(keeper.trouble for keeper in self.keepers if keeper.trouble)
        host = SoundHost(name=self.host, engines=[keeper.engine for keeper in self.keepers], troubles=troubles)
        wiring = await Wiring.report(context, host, hearings, sendings)
        if self._unknown:
            await self._introduce(context)
            wiring = await Wiring.report(context, host, hearings, sendings)
        self._obey(wiring)

    async def _introduce(self, context: Context) -> None:
        """The house has not seen these rooms yet, or knows more of them than the configuration does."""
        for name in sorted(self._unknown):
            given = self._rooms[name]
            player = Player(context=context, name=name, host=self.host, sink=given.sink, engine=given.engine)
            try:
                await player.create()
            except AlreadyExists as wrong:
                log.info("sound.room_known", room=name, reason=str(wrong))
            self._unknown.discard(name)

    def _obey(self, wiring: Wiring) -> None:
        wanted = {str(keeper.engine): orders.wanted(wiring, keeper.engine) for keeper in self.keepers}
        if wanted != self._kept:
            self._file.write(wanted)
            self._kept = wanted
        for keeper in self.keepers:
            keeper.want(wanted[keeper.engine])
        self._homeless = orders.homeless(wiring, [keeper.engine for keeper in self.keepers])

    def _heard_news(self) -> None:
        """What others can see has changed: the house is told now."""
        told = [keeper.told() for keeper in self.keepers]
        hearings = [*self._homeless, *(each for heard, _ in told for each in heard)]
        if _essence(hearings, [each for _, sent in told for each in sent]) != self._told:
            self._report_now.set()


def _essence(hearings: Sequence[Hearing], sendings: Sequence[Sending]) -> object:
    """Without what changes all the time."""
    return (
        [(each.player, each.state, each.stream, each.restarts, each.why) for each in hearings],
        [(each.stream, each.engine, each.state, each.restarts, each.why) for each in sendings],
    )
