"""The delay lock: nothing sleeps on this machine before the house knows it, whoever wants it to sleep."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import structlog

from house.errors import HouseError
from house.sleeper.logind import Lock, Logind, LogindFailed
from midflight import MidflightError

WHY = "the house has to know first, so that somebody stands guard"
GIVEN_SECONDS = 4.0
"""For what is to be done when somebody else sends it to sleep. logind waits for 5 s."""
HOLD_SECONDS = 30.0
"""How often it is looked whether we have it still: a logind that is restarted forgets nobody, a D-Bus does."""
log = structlog.get_logger("house")

Work = Callable[[], Awaitable[None]]


class Delay:
    """Holds the lock, lets it go when sleep begins, and takes it again afterwards.

    ``before`` and ``after`` are called around a sleep that is not ours, as of a lid that is closed.
    """

    def __init__(self, logind: Logind, before: Work, after: Work) -> None:
        self._logind, self._before, self._after = logind, before, after
        self._lock: Lock | None = None
        self._taking = asyncio.Lock()
        self._ours = self._sleeps = False
        self._heard: asyncio.Queue[bool] = asyncio.Queue()
        self._began, self._ended = asyncio.Event(), asyncio.Event()
        logind.on_sleep = self._heard.put_nowait

    async def hold(self) -> None:
        """Take the lock, unless we have it. Raises LogindFailed."""
        async with self._taking:
            await self._logind.listen()
            if self._lock is None:
                self._lock = await self._logind.delay_sleep(WHY)

    def let_go(self) -> None:
        """Twice is as once."""
        if self._lock is not None:
            self._lock.let_go()
            self._lock = None

    @contextlib.contextmanager
    def ours(self) -> Iterator[None]:
        """A sleep that begins in the block is ours, and all is prepared for it."""
        self._began.clear()
        self._ended.clear()
        self._ours = True
        try:
            yield
        finally:
            self._ours = False

    async def slept(self, begin_seconds: float) -> None:
        """Wait until it has slept, and is awake. Raises LogindFailed when no sleep begins for that long."""
        try:
            async with asyncio.timeout(begin_seconds):
                await self._began.wait()
        except TimeoutError:
            raise LogindFailed("sleep", f"it has not begun after {begin_seconds:g} s") from None
        await self._ended.wait()

    async def run(self) -> None:
        """Hold it, and do what is due when sleep begins and ends, one after the other, for ever."""
        while True:
            await self._hold_if_awake()
            try:
                async with asyncio.timeout(HOLD_SECONDS):
                    begins = await self._heard.get()
            except TimeoutError:
                continue  # the usual case
            await (self._begin() if begins else self._end())

    async def _hold_if_awake(self) -> None:
        if self._sleeps:
            return
        try:
            await self.hold()
        except LogindFailed as wrong:
            log.warning("sleeper.no_delay_lock", reason=str(wrong))

    async def _begin(self) -> None:
        if not self._ours:
            await self._in_time(self._before)
        self._sleeps = True
        self._began.set()
        self.let_go()

    async def _end(self) -> None:
        ours, self._sleeps = self._ours, False
        await self._hold_if_awake()
        self._ended.set()
        if not ours:
            await self._after()

    async def _in_time(self, work: Work) -> None:
        """The machine will sleep, whatever comes of it."""
        try:
            async with asyncio.timeout(GIVEN_SECONDS):
                await work()
        except (HouseError, MidflightError, TimeoutError) as wrong:
            log.warning("sleeper.sleeps_unguarded", reason=str(wrong) or f"no answer for {GIVEN_SECONDS:g} s")
