"""The order in which a machine falls asleep: it is ready to be woken → the conductor gives leave → the watcher has
claimed it → it sleeps. Where one of these does not come, it stays awake, and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from house.clock import Clock
from house.errors import HouseError, NotClaimed
from house.interfaces import SoundAPI, WatcherAPI
from house.objects.machine import Machine
from house.sleeper import alarm
from midflight import Client, Context, MidflightError

CALL_SECONDS = 10.0
"""For the watcher's answer: it asks the network whether another host has the address."""
SOUND_SECONDS = 2.0
"""For the answer of the agent of sound on this machine, where there is one: sleep waits no longer for it."""
log = structlog.get_logger("house")


@dataclass(frozen=True)
class Falling:
    """The steps of one machine. ``ready`` raises a HouseError where the machine could not sleep, or not be woken;
    ``asleep`` announces to the fleet that this member sleeps in the block."""

    name: str
    ready: Callable[[], Awaitable[None]]
    asleep: Callable[[], AbstractAsyncContextManager[None]]
    root: Path
    clock: Clock

    async def prepare(
        self, context: Context, because: tuple[str, ...], needed_at: datetime | None = None, *, forced: bool = False
    ) -> Machine:
        """All that comes before the sleep, which may begin when this returns. Raises what ``ready`` raises, StaysAwake,
        NotClaimed, NoAlarm, and what a call raises: then it stays awake, and nobody guards it."""
        await self.ready()
        machine = await Machine.get(context, self.name)
        planned = await machine.ask_leave(because, needed_at, forced)
        try:
            await self._claim(machine)
            if planned is not None:
                alarm.arm(self.root, planned, self.clock.now())
        except HouseError as wrong:
            await self.give_up(machine, str(wrong))
            raise
        log.info("sleeper.guarded", machine=self.name, planned=planned and planned.isoformat())
        return machine

    @asynccontextmanager
    async def sleeping(self, machine: Machine, method: str) -> AsyncIterator[None]:
        """It sleeps in the block, after ``prepare``. Raises what the block raises, or what a call raises before it is
        entered: then it stays awake, and nobody guards it."""
        try:
            async with self._sound_asleep(machine.context), self.asleep():
                await machine.fall_asleep(method)
                log.info("sleeper.sleeps", machine=self.name, method=method)
                yield
        except (HouseError, MidflightError) as wrong:
            await self.give_up(machine, f"it could not sleep: {wrong}")
            raise
        log.info("sleeper.awake", machine=self.name)

    @asynccontextmanager
    async def _sound_asleep(self, context: Context) -> AsyncIterator[None]:
        """The agent of sound on this machine, if there is one, sleeps in the block as well. It sleeps or wakes without
        it where that does not answer."""
        heard = await self._tell_sound(context, True)
        try:
            yield
        finally:
            if heard:
                await self._tell_sound(context, False)

    async def _tell_sound(self, context: Context, on: bool) -> bool:
        """Whether it has answered."""
        try:
            await Client(SoundAPI).on(self.name).within(SOUND_SECONDS).call(SoundAPI.sleeps, context, on)
        except (HouseError, MidflightError) as wrong:
            log.info("sleeper.sound_unheard", machine=self.name, sleeps=on, reason=str(wrong))
            return False
        return True

    async def give_up(self, machine: Machine, reason: str) -> None:
        """Undo what ``prepare`` did, as far as anybody answers."""
        await self._undo(machine.stay((reason,)))
        await self._undo(self.release(machine))

    async def _undo(self, step: Awaitable[None]) -> None:
        try:
            await step
        except (HouseError, MidflightError) as wrong:
            log.warning("sleeper.not_undone", machine=self.name, reason=str(wrong))

    async def release(self, machine: Machine) -> None:
        """Nobody need guard it any more."""
        await self._watcher(machine).call(WatcherAPI.release, machine.context, self.name)

    async def _claim(self, machine: Machine) -> None:
        try:
            await self._watcher(machine).call(WatcherAPI.claim, machine.context, machine)
        except MidflightError as wrong:
            raise NotClaimed(self.name, f"no watcher has answered: {wrong}") from None

    def _watcher(self, machine: Machine) -> Client[WatcherAPI]:
        return Client(WatcherAPI).on(machine.watcher).within(CALL_SECONDS)
