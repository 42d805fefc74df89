"""The watcher as a service of the house: told by it whom to guard, and guarding while nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address

import structlog

from house.clock import Clock, SystemClock
from house.errors import HouseError
from house.interfaces import WatcherAPI
from house.lan.errors import LanError
from house.objects.machine import Machine, MachineList
from house.objects.requester import RequesterList
from house.objects.wake import Wake
from house.rights import check_own
from house.states import Cause
from house.watcher import handover
from house.watcher.file import GuardFile, KeptWake
from house.watcher.guarded import Guarded
from house.watcher.watch import Watch
from midflight import Context, InvalidValue, MidflightError, RemoteError, Runtime, types

READ_SECONDS, AGAIN_SECONDS = 300.0, 5.0
"""How often machines and requesters are read again without a word that they changed; and after it failed."""
log = structlog.get_logger("watcher")


class Watcher(WatcherAPI):
    """Serves the watch to the house. It reads whom to guard when it is told, and tells of wakes when somebody hears it;
    the watch itself needs neither."""

    def __init__(self, watch: Watch, host: str, new_context: Callable[[], Context]) -> None:
        self.watch, self._host, self._context = watch, host, new_context
        self._read_again = asyncio.Event()
        self._deaf = False

    # What others ask.

    async def claim(self, context: Context, machine: Machine) -> None:
        check_own(context, machine.name)
        await self.watch.claim(Guarded.of(machine))
        handover.store(self.watch.sockets)

    async def release(self, context: Context, machine: str) -> None:
        check_own(context, machine)
        self.watch.release(machine)

    async def wake(self, context: Context, machine: str) -> Wake:
        return await self._wake(context, machine, Cause.ASKED)

    async def test_wake(self, context: Context, machine: str) -> Wake:
        return await self._wake(context, machine, Cause.TEST)

    async def changed(self, context: Context) -> None:
        self._read_again.set()

    async def _wake(self, context: Context, machine: str, cause: Cause) -> Wake:
        return _told(KeptWake.of(await self.watch.wake(machine, cause), self.watch.clock), context)

    # What it does by itself.

    async def read_for_ever(self) -> None:
        """Keep to what the house says of machines and requesters."""
        while True:
            wait = READ_SECONDS if await self._tried(self.read()) else AGAIN_SECONDS
            await _set_or_after(self._read_again, wait)

    async def read(self) -> None:
        """Guard the machines that the house has now."""
        context = self._context()
        machines = await MachineList.get_by_watcher(context, self._host)
        requesters = await RequesterList.get_all(context)
        ignored = [(str(each.mac), each.machine) for each in requesters if each.ignored]
        self.watch.set(_guarded(machines), ignored)
        handover.store(self.watch.sockets)

    async def tell_for_ever(self) -> None:
        """Tell the house what it does not know yet, as soon as it hears."""
        while True:
            if await self._tried(self.tell()):
                await self.watch.reports.news.wait()
            else:
                await asyncio.sleep(AGAIN_SECONDS)
            self.watch.reports.news.clear()

    async def tell(self) -> None:
        """Tell the house of wakes, and of who lives without having said so. What is told is forgotten, and so is what
        the house refuses, with a word in the log. Raises the error of what it could not take in; the rest is told."""
        context = self._context()
        failed: list[RemoteError] = []
        for uuid, wake in [*self.watch.reports.wakes.items()]:
            told = await self._taken(_report(wake, context), failed, wake.machine)
            if told and self.watch.reports.wakes.get(uuid) is wake:
                del self.watch.reports.wakes[uuid]
                self.watch.keep()
        for name, sight in [*self.watch.reports.sights.items()]:
            told = await self._taken(Machine.note_seen(context, name, *sight), failed, name)
            if told and self.watch.reports.sights.get(name) is sight:
                del self.watch.reports.sights[name]
        if failed:
            raise failed[0]

    async def _taken(self, telling: Awaitable[None], failed: list[RemoteError], machine: str) -> bool:
        """Whether there is no more to tell of one thing. Raises what says that the house does not hear."""
        try:
            await telling
        except (HouseError, InvalidValue) as wrong:
            log.error("watcher.not_told", machine=machine, reason=str(wrong))  # noqa: TRY400  # it is the house's answer
        except RemoteError as wrong:
            failed.append(wrong)
            return False
        return True

    async def _tried(self, doing: Awaitable[None]) -> bool:
        """Whether it could be done. Nobody is woken later for that: it is done again."""
        try:
            await doing
        except (MidflightError, HouseError) as wrong:
            if not self._deaf:
                log.warning("watcher.house_away", reason=str(wrong), guards=len(self.watch.guards))
            self._deaf = True
            return False
        except Exception:  # a task that ended would never again read or tell
            log.exception("watcher.failed")
            return False
        if self._deaf:
            log.info("watcher.house_back", guards=len(self.watch.guards))
        self._deaf = False
        return True


def _guarded(machines: Iterable[Machine]) -> Iterator[Guarded]:
    """What can be guarded of them."""
    for machine in machines:
        try:
            if machine.addresses:
                yield Guarded.of(machine)
        except LanError as wrong:  # the house takes MACs that no card has
            log.warning("watcher.not_guarded", machine=machine.name, reason=str(wrong))


async def _report(wake: KeptWake, context: Context) -> None:
    await _told(wake, context).report()


def _told(wake: KeptWake, context: Context) -> Wake:
    """As the house keeps it."""
    cause = Cause(wake.cause) if wake.cause in {*Cause} else Cause.UNKNOWN
    mac = None if wake.mac is None else types.MacAddress(wake.mac)
    address = None if wake.address is None else ip_address(wake.address)
    return Wake(
        context=context, uuid=wake.uuid, machine=wake.machine, cause=cause, requester_mac=mac,
        requester_address=address, requester_name=wake.name, port=wake.port, asked_at=wake.asked_at,
        awake_at=wake.awake_at, tries=wake.tries,
    )  # fmt: skip


async def _set_or_after(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass  # the usual case
    event.clear()


@asynccontextmanager
async def watcher(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service, on this host."""
    async with assembled(runtime, SystemClock()) as serving:
        yield [serving]


@asynccontextmanager
async def assembled(runtime: Runtime, clock: Clock) -> AsyncIterator[Watcher]:
    """It guards what its file says from the first moment."""
    watch = Watch(clock, GuardFile(runtime.state / f"guards-{runtime.host}.json"), runtime.sockets)
    serving = Watcher(watch, runtime.host, runtime.context)
    watch.start()
    handover.store(watch.sockets)
    tasks = [asyncio.create_task(each) for each in (serving.read_for_ever(), serving.tell_for_ever())]
    try:
        yield serving
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        watch.stop()
