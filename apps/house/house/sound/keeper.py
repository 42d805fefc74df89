"""Keeps one engine at what is wanted: starts it again when it ends, and does all again that it has forgotten then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from house.objects.hearing import Hearing, Sending
from house.playing import Engine
from house.sound import orders
from house.sound.driver import Driver
from house.sound.errors import EngineError
from house.sound.heard import Heard
from house.sound.wanted import Wanted

LOOK_SECONDS = 1.0
log = structlog.get_logger("sound")


class Keeper:
    """Of one engine. ``news`` is called after each look. One that ``rehearses`` only says what it would do."""

    def __init__(
        self, engine: Engine, driver: Driver, wanted: Wanted, news: Callable[[], None], *, rehearses: bool = False
    ) -> None:
        self.engine, self._driver, self._news, self.rehearses = engine, driver, news, rehearses
        self.wanted = wanted
        driver.need(wanted)
        self.restarts = 0
        self.trouble = ""
        """What is wrong with the engine as a whole, in words; nothing where it plays."""
        self._would: tuple[str, ...] = ()
        self._looked, self._heard = Wanted(wanted.host), Heard()
        self._has_run = False
        """Since it was needed."""
        self._is_empty = False
        """Whether nothing of the house's is in it. At first nobody knows: the agent before may have been killed while
        it was doing something, as in the midst of a test."""
        self._wake = asyncio.Event()

    @property
    def troubles(self) -> tuple[str, ...]:
        """What the house is told of its host."""
        return (self.trouble,) if self.trouble else (*self._would, *self._heard.troubles)

    @property
    def settled(self) -> bool:
        """Whether it does what is wanted now."""
        return not self.trouble and (self._looked == self.wanted or self._is_needless)

    @property
    def _is_needless(self) -> bool:
        return _is_nothing(self.wanted) and self._is_empty

    def want(self, wanted: Wanted) -> None:
        """This, from now on."""
        if wanted != self.wanted:
            self.wanted = wanted
            self._driver.need(wanted)
            self._wake.set()

    async def keep(self) -> None:
        """For ever."""
        while True:
            try:
                await self.step()
            except EngineError as wrong:
                self._say(str(wrong))
            except Exception as wrong:  # the others play on, and there is a next time
                trouble = f"{type(wrong).__name__}: {wrong}"
                if trouble != self.trouble:
                    log.exception("sound.step_failed", engine=self.engine, reason=str(wrong))
                self._say(trouble)
            else:
                self._say("")
            self._news()
            await self._rest()

    async def step(self) -> None:
        """Have it run, do what is wanted and is not there, and look. For nothing at all it is not started."""
        wanted = self.wanted
        if self._is_needless:
            return
        self._is_empty = False
        try:
            is_new = await self._driver.ready(start=not _is_nothing(wanted))
        except EngineError:
            if _is_nothing(wanted):  # what does not run plays nothing
                self._looked, self._heard, self._has_run = wanted, Heard(), False
                return
            raise
        self.restarts += is_new and self._has_run
        self._has_run = True
        acts = await self._driver.apply(wanted, rehearse=self.rehearses)
        if self.rehearses:
            self._would = tuple(f"rehearses, and would {act}" for act in acts)
        else:
            for act in acts:
                log.info("sound.done", engine=self.engine, act=act)
        heard = await self._driver.look(wanted)
        self._looked, self._heard = wanted, heard
        if _is_nothing(wanted) and not acts:
            self._is_empty, self._has_run = True, False

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("sound.engine_fails", engine=self.engine, reason=trouble)
        self.trouble = trouble

    async def _rest(self) -> None:
        """Until something else is wanted, the engine has changed by itself, or it is time to look again."""
        stirred = asyncio.create_task(self._driver.stirred(), name=f"{self.engine} stirs")
        woken = asyncio.create_task(self._wake.wait(), name=f"something is wanted of {self.engine}")
        # An engine that is not there stirs at once.
        first = [stirred, woken] if self._has_run and not self.trouble else [woken]
        try:
            await asyncio.wait(first, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stirred, woken):
                task.cancel()
            await asyncio.gather(stirred, woken, return_exceptions=True)
        self._wake.clear()

    def told(self) -> tuple[list[Hearing], list[Sending]]:
        """What is to be said of its rooms and streams: as they were when it looked, since what is wanted from now on
        is not done yet; nothing of those that are not its own any more."""
        if self.trouble:
            return orders.broken(self.engine, self.wanted, self.trouble, self.restarts)
        rooms = self._heard.rooms.keys() & {room.name for room in self.wanted.rooms}
        feeds = self._heard.feeds.keys() & {feed.name for feed in self.wanted.feeds}
        return (
            [
                orders.hearing(room, self._heard.rooms[room.name], self.restarts)
                for room in self._looked.rooms
                if room.name in rooms
            ],
            [
                orders.sending(feed, self.engine, self._heard.feeds[feed.name], self.restarts)
                for feed in self._looked.feeds
                if feed.name in feeds
            ],
        )

    def hearing(self, room: str) -> Hearing | None:
        """What is to be said of one of its rooms."""
        return next((each for each in self.told()[0] if each.player == room), None)

    async def listen(self, room: str, seconds: float) -> list[float]:
        """See ``Driver``."""
        return await self._driver.listen(room, seconds)


def _is_nothing(wanted: Wanted) -> bool:
    return not wanted.rooms and not wanted.feeds
