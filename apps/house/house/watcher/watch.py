"""The watch: all guards of this machine, on all its interfaces, and the file in which they are kept."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import inf
from uuid import UUID

import structlog

from house.clock import Clock
from house.errors import NotClaimed, NotFound
from house.lan import interfaces
from house.lan.errors import LanError
from house.lan.interfaces import Interface
from house.lan.mac import BROADCAST, Mac
from house.states import Cause, State
from house.watcher import speech
from house.watcher.acts import Seen
from house.watcher.file import GuardFile, Kept, KeptMachine, KeptWake
from house.watcher.guard import ASLEEP, Guard
from house.watcher.guarded import Guarded, Wake
from house.watcher.lookout import Lookout
from house.watcher.reports import Reports

CONTEST_SECONDS = 0.25
"""For so long it is listened, before a claim, whether the machine has its addresses, and nobody else."""
log = structlog.get_logger("watcher")


class Watch:
    """Stands guard. It needs nobody: what it knows is in its file, and wakes of which the house could not be told yet
    are there too. ``taken`` are packet sockets of the process before, in which frames wait."""

    def __init__(self, clock: Clock, file: GuardFile, taken: Sequence[socket.socket] = ()) -> None:
        self.clock, self.file = clock, file
        self.reports = Reports(clock)
        """What the house is to be told. Whoever has told it of a wake calls ``keep``."""
        self.ignored: tuple[tuple[str, str | None], ...] = ()
        self._taken = {sock.getsockname()[0]: sock for sock in taken if sock.family == socket.AF_PACKET}
        self._lookouts: dict[str, Lookout] = {}
        self._where: dict[str, Lookout] = {}
        self._awaited: dict[UUID, asyncio.Future[None]] = {}
        self._starts = self._again = False
        self._writing: asyncio.Task[None] | None = None

    @property
    def guards(self) -> dict[str, Guard]:
        """By the machine's name."""
        return {name: where.guards[name] for name, where in self._where.items()}

    @property
    def sockets(self) -> list[socket.socket]:
        """In which frames wait."""
        return [lookout.socket for lookout in self._lookouts.values()]

    def start(self) -> None:
        """Go on where the file says. A machine that slept is guarded at once; whether it still sleeps is found out
        meanwhile."""
        kept = self.file.read()
        if self.file.lost:
            log.error("watcher.file_damaged", path=str(self.file.path), reason=self.file.lost)
        self.ignored = kept.ignored
        self.reports.wakes = {wake.uuid: wake for wake in kept.wakes}
        self._starts = True
        for each in kept.machines:
            try:
                wake = None if each.wake is None else each.wake.wake(self.clock)
                guard = self._put(each.machine(), State.ASLEEP if each.state in ASLEEP else State.UNKNOWN)
            except LanError as wrong:
                log.warning("watcher.not_guarded", machine=each.name, reason=str(wrong))
                continue
            if guard.guarded:
                guard.since -= max(0.0, (self.clock.now() - each.since).total_seconds())
            if wake is not None:
                guard.wakes_still(wake, self.clock.boottime())
            if each.state == State.FALLING:  # what it still sends is no sign that it woke
                self._where[each.name].do(guard.sleeps(self.clock.boottime()))
        self._starts = False
        self._settle()
        gc.freeze()  # what is there by now stays, and is not looked through while somebody waits for a magic packet

    def stop(self) -> None:
        """Stand guard no more. Claims stay, for who comes next, and how all stands is written down."""
        if self._writing is not None:
            self._writing.cancel()  # what a thread has begun to write comes to its end first
        self._write(self._as_kept())
        self.reports.stop()
        for lookout in self._lookouts.values():
            lookout.stop()

    def set(self, machines: Iterable[Guarded], ignored: Iterable[tuple[str, str | None]], strict: bool = False) -> None:
        """These are the machines, and these requesters are ignored (for one machine each, or for all). What changed is
        guarded otherwise, what is gone no more. One that cannot be guarded is told of in the log; where it is strict,
        that raises LanError."""
        self._look_again()
        wanted = {machine.name: machine for machine in machines}
        self.ignored = tuple(ignored)
        for name in self._where.keys() - wanted.keys():
            self._forget(name)
        for machine in wanted.values():
            known = self.guards.get(machine.name)
            if known is None or known.machine != machine:
                try:
                    self._put(machine, State.UNKNOWN)
                except LanError as wrong:
                    if strict:
                        raise
                    log.warning("watcher.not_guarded", machine=machine.name, reason=str(wrong))
        self._settle()

    def look_again(self) -> None:
        """See whether interfaces were made anew, where nobody says when machines are to be read again."""
        if self._look_again():
            self._settle()

    async def claim(self, machine: Guarded) -> None:
        """Guard a machine that is about to sleep. It is awake, so it is asked for each of its addresses: where it does
        not answer, nobody would hear who wants it. Raises NotClaimed: then it must not sleep."""
        if not machine.addresses:
            raise NotClaimed(machine.name, "the house knows no address of it, so nobody could ask for it")
        try:
            guard = self._put(machine, State.AWAKE) if self._is_new(machine) else self.guards[machine.name]
        except LanError as wrong:
            raise NotClaimed(machine.name, str(wrong)) from None
        lookout = self._where[machine.name]
        guard.contested = None
        asked = self.clock.boottime()
        if not lookout.say(speech.probes(machine.addresses, lookout.card.mac, BROADCAST, machine.vlan)):
            raise NotClaimed(machine.name, f"the watcher's interface {lookout.interface.name} is down")
        await asyncio.sleep(CONTEST_SECONDS)
        if self.guards.get(machine.name) is not guard:
            raise NotClaimed(machine.name, "the house has forgotten it meanwhile, or has given it to another watcher")
        lookout = self._where[machine.name]
        if guard.contested is not None:
            raise NotClaimed(machine.name, f"another host has its address too: {guard.contested}")
        if silent := [str(each) for each in machine.addresses if guard.answered.get(each, -inf) < asked]:
            place = lookout.interface.name + ("" if machine.vlan is None else f" in VLAN {machine.vlan}")
            way_out = f"correct that: house set {machine.name} addresses=…, interface=… or vlan=…"
            raise NotClaimed(machine.name, f"it does not answer on {place} at {', '.join(silent)}; {way_out}")
        try:
            claimed = lookout.do(guard.sleeps(self.clock.boottime()))
        except LanError as wrong:
            raise NotClaimed(machine.name, str(wrong)) from None
        if not claimed:
            raise NotClaimed(machine.name, f"the watcher's interface {lookout.interface.name} is down")
        await self.written()

    def release(self, name: str) -> None:
        """It is awake, by its own word. One that is not guarded is left as it is."""
        if guard := self.guards.get(name):
            self._where[name].do(guard.stays(self.clock.boottime()))

    async def wake(self, name: str, cause: Cause) -> Wake:
        """Wake it for somebody who asks by name, and wait for the proof, or for the last try. Raises NotFound."""
        guard = self.guards.get(name)
        if guard is None:
            raise NotFound.among("machine on guard", name, self.guards)
        self._where[name].do(guard.woken(cause, self.clock.boottime()))
        wake = guard.wake
        assert wake is not None, "woken begins a wake, or one is under way"
        ended = self._awaited.setdefault(wake.uuid, asyncio.get_running_loop().create_future())
        await asyncio.shield(ended)
        return wake

    def keep(self) -> None:
        """Write down how all stands, without holding up what is to be done meanwhile."""
        self._again = self._writing is not None
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        self._again = True
        try:
            while self._again:
                self._again = False
                await asyncio.to_thread(self._write, self._as_kept())
        finally:
            self._writing = None

    async def written(self) -> None:
        """Wait until how all stands is written down."""
        while self._writing is not None:
            await asyncio.shield(self._writing)

    def _as_kept(self) -> Kept:
        now, moment = self.clock.boottime(), self.clock.now()
        machines = [
            KeptMachine.of(
                guard.machine,
                guard.state,
                moment - timedelta(seconds=now - guard.since),
                None if guard.wake is None else KeptWake.of(guard.wake, self.clock),
            )
            for guard in self.guards.values()
        ]
        return Kept(tuple(machines), self.ignored, tuple(self.reports.wakes.values()))

    def _write(self, kept: Kept) -> None:
        try:
            self.file.write(kept)
        except OSError as wrong:  # it is guarded all the same, for as long as this process runs
            log.warning("watcher.not_kept", path=str(self.file.path), reason=str(wrong))

    # Guards come and go.

    def _is_new(self, machine: Guarded) -> bool:
        known = self.guards.get(machine.name)
        return known is None or known.machine != machine

    def _put(self, machine: Guarded, state: State) -> Guard:
        """Guard a machine, which is in this state if it is new, or guard it otherwise. Raises LanError where the
        interface is none, or may not be listened on, or others have an address of it."""
        self._check_addresses(machine)
        lookout = self._lookout_of(machine)
        if (guard := self.guards.get(machine.name)) is not None:
            return self._put_otherwise(guard, machine, lookout)
        guard = Guard(machine, lookout.card, self.clock.boottime(), state)
        self._set_up(guard, lookout)
        return guard

    def _lookout_of(self, machine: Guarded) -> Lookout:
        """Raises LanError where the interface is none, or the machine would be this box."""
        named = machine.interface
        interface = interfaces.towards(machine.addresses) if named is None else interfaces.get(named)
        if interface.mac == machine.mac or interface.address in machine.addresses:
            raise Ourselves(machine.name, interface.name)
        if machine.vlan is None and not interface.reaches(machine.addresses):
            facts = {"machine": machine.name, "interface": interface.name, "network": str(interface.network)}
            way_out = "correct its addresses or its interface, unless somebody there asks for them"
            log.warning("watcher.elsewhere", **facts, addresses=[*map(str, machine.addresses)], way_out=way_out)
        return self._lookout(interface)

    def _put_otherwise(self, guard: Guard, machine: Guarded, lookout: Lookout) -> Guard:
        before = self._where[machine.name]
        acts = guard.becomes(machine, lookout.card, self.clock.boottime())
        if before is not lookout:
            before.take(machine.name)
        self._set_up(guard, lookout)
        before.do(acts)
        return guard

    def _set_up(self, guard: Guard, lookout: Lookout) -> None:
        """Raises LanError: then it is not guarded, and the others are."""
        name = guard.machine.name
        lookout.put(guard)
        self._where[name] = lookout
        try:
            lookout.settle()
        except LanError:
            self._forget(name)
            raise

    def _check_addresses(self, machine: Guarded) -> None:
        ours = {machine.mac, *machine.addresses}
        for other in self.guards.values():
            if other.machine.name != machine.name and (both := ours & {other.machine.mac, *other.machine.addresses}):
                raise TwoWithOneAddress(machine.name, str(min(both, key=str)), other.machine.name)

    def _lookout(self, interface: Interface) -> Lookout:
        known = self._lookouts.get(interface.name)
        if known is not None:
            return known
        taken = self._taken.pop(interface.name, None)
        return self._started(interface, taken)

    def _started(self, interface: Interface, taken: socket.socket | None = None) -> Lookout:
        lookout = Lookout(interface, self.clock, self, taken)
        try:
            lookout.start()
        except LanError:
            lookout.stop()
            raise
        self._lookouts[interface.name] = lookout
        return lookout

    def _look_again(self) -> bool:
        """An interface that was made anew, or has another address, is listened on anew: a socket follows no name.
        Whether there was one."""
        moved = False
        for name, before in [*self._lookouts.items()]:
            before.tell_losses()
            try:
                interface = interfaces.get(name)
                if interface != before.interface:
                    self._move(before, self._started(interface))
                    moved = True
            except LanError as wrong:
                log.warning("watcher.deaf", interface=name, machines=[*before.guards], reason=str(wrong))
        return moved

    def _move(self, before: Lookout, lookout: Lookout) -> None:
        name, guards = lookout.interface.name, [*before.guards.values()]
        log.warning("watcher.interface_anew", interface=name, machines=[*before.guards])
        before.stop()
        for guard in guards:
            guard.becomes(guard.machine, lookout.card, self.clock.boottime())  # no address is to be given back
            try:
                self._set_up(guard, lookout)
            except LanError as wrong:
                log.warning("watcher.not_guarded", machine=guard.machine.name, reason=str(wrong))

    def _forget(self, name: str) -> None:
        lookout = self._where[name]
        acts = self.guards[name].leaves()
        del self._where[name]
        lookout.take(name)
        lookout.do(acts)

    def _settle(self) -> None:
        ignored = [(Mac.fromhex(mac.replace(":", "")), machine) for mac, machine in self.ignored]
        for guard in self.guards.values():
            guard.ignored = {mac for mac, machine in ignored if machine in (None, guard.machine.name)}
        for lookout in self._lookouts.values():
            lookout.settle()
        self.changed()

    # What guards say.

    def changed(self) -> None:
        """A guard stands otherwise than before: it is written down."""
        if not self._starts:
            self.keep()

    def report(self, wake: Wake) -> None:
        """A wake has begun, or ended."""
        self.reports.note(wake)
        guard = self.guards.get(wake.machine)
        if guard is not None and guard.wake is wake:
            self.reports.name(wake)
        elif ended := self._awaited.pop(wake.uuid, None):
            ended.set_result(None)

    def see(self, seen: Seen) -> None:
        """A machine lives, or lives no more."""
        self.reports.see(seen)


class Ourselves(LanError, ValueError):
    """A box that sends magic packets does not sleep."""

    def __init__(self, machine: str, interface: str) -> None:
        super().__init__(f"{machine} has an address of {interface}, and that is this box's own: correct it")


class TwoWithOneAddress(LanError, ValueError):
    """Nobody could tell which of them is wanted."""

    def __init__(self, machine: str, address: str, other: str) -> None:
        super().__init__(f"{machine} and {other} both have {address}: correct one of the two")
