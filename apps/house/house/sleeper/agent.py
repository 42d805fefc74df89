"""Looks at a machine, round by round, and lets it fall asleep when nobody needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from house.errors import HouseError, NotNow, StaysAwake
from house.interfaces import SleeperAPI
from house.objects.look import Check as Found
from house.objects.look import Look
from house.objects.machine import Machine
from house.sleeper import alarm, decision
from house.sleeper.alarm import NoAlarm
from house.sleeper.decision import Decision, Standing
from house.sleeper.falling import Falling
from house.sleeper.looking import Looker, reasons
from house.sleeper.methods.base import Method
from house.sleeper.settings import Settings
from midflight import Context, MidflightError

TELL_SECONDS = 300.0
"""How often the house is told that a machine is as it was."""
BY_HAND = "by hand"
log = structlog.get_logger("house")


@dataclass(frozen=True)
class Seen:
    """What a look has found, when it was over; ``seconds`` are those of ``Clock.boottime``."""

    at: datetime
    seconds: float
    found: list[Found]


class Sleeper(SleeperAPI):
    """The agent of one machine. ``enrolled`` gives the machine as the house knows it, ``armed`` says whether its
    network card wakes it."""

    def __init__(
        self,
        looker: Looker,
        falling: Falling,
        method: Method,
        given: Settings,
        new_context: Callable[[], Context],
        enrolled: Callable[[Context], Awaitable[Machine]],
        armed: Callable[[], bool | None],
    ) -> None:
        self.name, self._clock = falling.name, falling.clock
        self._looker, self._falling, self._method, self._given = looker, falling, method, given
        self._context, self._enrolled, self._armed = new_context, enrolled, armed
        self._standing = Standing()
        self._seen: Seen | None = None
        self._looking, self._speaking = asyncio.Lock(), asyncio.Lock()
        self._told: tuple[tuple[str, ...], float] | None = None
        self._awake_told = self._falls = False
        self._by_hand = AsyncExitStack()
        self._look_again = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # What others ask.

    async def sleep_now(self, context: Context, reason: str) -> None:
        machine = await self._prepare((reason,))
        task = asyncio.create_task(self._fall(machine), name=f"{self.name} falls asleep")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def look(self, context: Context) -> Look:
        seen = await self._look(oldest=self._given.look_seconds)
        now, seconds = self._clock.now(), self._clock.boottime()
        standing, decided = self._decided(seen, seconds)  # whoever looks changes nothing
        since = standing.quiet_since
        return Look(
            machine=self.name, at=seen.at, checks=seen.found, because=decided.because,
            idle_since=None if since is None else now - timedelta(seconds=seconds - since),
            sleeps_at=None if decided.sleeps_in is None else now + timedelta(seconds=decided.sleeps_in),
        )  # fmt: skip

    async def changed(self, context: Context) -> None:
        self._standing = decision.changed(self._standing)
        self._look_again.set()

    # Round by round.

    async def run(self) -> None:
        """For ever. Whatever goes wrong, there is a next round."""
        while True:
            try:
                await self.round()
            except Exception as wrong:  # the machine stays awake, and that is all that may come of it
                log.exception("sleeper.round_failed", reason=str(wrong))
            try:
                async with asyncio.timeout(self._given.look_seconds):
                    await self._look_again.wait()
            except TimeoutError:
                pass  # the usual case
            self._look_again.clear()

    async def round(self) -> None:
        """Look once, and do what comes of it; returns when the machine is awake again, if it slept."""
        if self._falls:
            return
        if not self._awake_told:
            await self._tell_awake()
        seen = await self._look()
        self._standing, decided = self._decided(seen, self._clock.boottime())
        if not decided.sleep:
            await self._tell(decided.because)
        elif machine := await self._leave(decided.because):
            await self._fall(machine)

    async def _look(self, oldest: float = 0.0) -> Seen:
        """What the checks find now, or found last where that is younger: a check counts from look to look."""
        async with self._looking:
            if self._seen is None or self._clock.boottime() - self._seen.seconds >= oldest:
                found = await self._looker.look()
                self._seen = Seen(self._clock.now(), self._clock.boottime(), found)
            return self._seen

    def _decided(self, seen: Seen, seconds: float) -> tuple[Standing, Decision]:
        return decision.decide(self._standing, reasons(seen.found), seconds, self._given.quiet_seconds)

    # How it falls, and wakes.

    async def _leave(self, because: tuple[str, ...]) -> Machine | None:
        """The machine, if all is prepared; else it is told why not."""
        try:
            return await self._prepare(because)
        except NotNow:
            log.info("sleeper.falls_already", machine=self.name)
        except StaysAwake as refused:
            await self._stay(refused.reasons)
        except (HouseError, MidflightError) as wrong:
            log.warning("sleeper.stays_awake", machine=self.name, reason=str(wrong))
            await self._stay((str(wrong),))
        return None

    async def _prepare(self, because: tuple[str, ...], forced: bool = False) -> Machine:
        """From here until it is awake again, nobody else lets it fall."""
        if self._falls:
            raise NotNow(self.name, "is falling asleep already")
        self._falls = True
        try:
            needed_at = await self._looker.next_need()
            async with self._speaking:  # so that nothing said before is heard after it
                return await self._falling.prepare(self._context(), because, needed_at, forced=forced)
        except BaseException:
            self._falls = False
            raise

    async def _fall(self, machine: Machine) -> None:
        try:
            async with self._falling.sleeping(machine, self._method.name):
                await self._method.sleep()
        except (HouseError, MidflightError) as wrong:
            log.warning("sleeper.could_not_sleep", machine=self.name, reason=str(wrong))
            self._falls = False
            await self._stay((f"it could not sleep: {wrong}",))
        else:
            await self._wake()
        finally:
            self._falls = False

    async def _stay(self, because: tuple[str, ...]) -> None:
        seconds = self._clock.boottime()
        self._standing = decision.refused(self._standing, because, seconds, self._given.refused_seconds)
        await self._tell(because)

    async def _wake(self) -> None:
        """What was idle before it slept has no meaning any more."""
        self._standing, self._told, self._awake_told = Standing(), None, False
        try:
            alarm.disarm(self._falling.root)
        except NoAlarm as wrong:
            log.warning("sleeper.alarm_stays", machine=self.name, reason=str(wrong))
        await self._tell_awake()

    async def fall_by_hand(self) -> None:
        """Somebody else sends it to sleep. It will, so there is no time to lose, and nothing to be refused."""
        machine = await self._prepare(("somebody has sent it to sleep",), forced=True)
        await self._by_hand.enter_async_context(self._falling.sleeping(machine, BY_HAND))

    async def wake_by_hand(self) -> None:
        """It is awake again after that."""
        await self._by_hand.aclose()
        await self._wake()
        self._falls = False

    # What the house is told. It may be deaf, and is told again in the next round then.

    async def _tell_awake(self) -> None:
        try:
            async with self._speaking:
                machine = await self._enrolled(self._context())
                await machine.wake_up()
                await self._falling.release(machine)
            self._awake_told = True
        except (HouseError, MidflightError) as wrong:
            log.warning("sleeper.unheard", machine=self.name, reason=str(wrong))

    async def _tell(self, because: tuple[str, ...]) -> None:
        seconds = self._clock.boottime()
        if self._told is not None and self._told[0] == because and seconds - self._told[1] < TELL_SECONDS:
            return
        try:
            async with self._speaking:
                if self._falls:  # somebody has sent it to sleep meanwhile
                    return
                machine = await Machine.get(self._context(), self.name)
                await machine.stay_awake(because, self._armed())
            self._told = because, seconds
        except (HouseError, MidflightError) as wrong:
            log.warning("sleeper.unheard", machine=self.name, reason=str(wrong))
