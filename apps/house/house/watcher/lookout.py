"""One interface: its sockets, and the guards of the machines that are there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Protocol

import structlog

from house.clock import Clock
from house.lan import filters, hearing, ip
from house.lan.errors import Malformed
from house.lan.ethernet import Frame
from house.lan.hearing import Knock, Said
from house.lan.interfaces import Interface
from house.lan.mac import Mac
from house.lan.packets import PacketSocket
from house.states import Mode
from house.watcher.acts import Act, Report, Seen, Send, Tell
from house.watcher.guard import Card, Guard
from house.watcher.guarded import Wake
from house.watcher.limits import Census

_CENSUS_SECONDS = 1.0
"""How often questions for others are counted, unless somebody asks for a guarded machine: then it is done at once."""
_AFTER_A_MISTAKE = 1.0
"""What is due comes not sooner, in seconds, when it could not be done."""
log = structlog.get_logger("watcher")


class Listener(Protocol):
    """Who is told of what guards decide, after what was to be sent is sent."""

    def report(self, wake: Wake) -> None:
        """A wake has begun, or ended."""
        ...

    def see(self, seen: Seen) -> None:
        """A machine lives, or lives no more, without anybody's word."""
        ...

    def changed(self) -> None:
        """A guard stands otherwise than before."""
        ...


class Lookout:
    """Hears what happens on an interface, has the guards decide, and does what they say."""

    def __init__(
        self, interface: Interface, clock: Clock, listener: Listener, taken: socket.socket | None = None
    ) -> None:
        self.interface, self.clock = interface, clock
        self.card = Card(interface.mac, interface.address)
        self.guards: dict[str, Guard] = {}
        self.unsent = 0
        """Frames that the interface did not take."""
        self._listener = listener
        self._by_mac: dict[Mac, Guard] = {}
        self._by_address: dict[ip.Address, Guard] = {}
        self._packets = PacketSocket(interface, taken)
        self._questions: PacketSocket | None = None
        self._census = Census()
        self._timer: asyncio.TimerHandle | None = None
        self._counting: asyncio.TimerHandle | None = None
        self._told = 0, 0
        self._stands: object = None
        self._loop = asyncio.get_running_loop()

    @property
    def socket(self) -> socket.socket:
        """In which frames wait; a supervisor may keep it for the next process."""
        return self._packets.socket

    @property
    def malformed(self) -> int:
        """Frames that were none."""
        return self._packets.malformed

    def tell_losses(self) -> None:
        """Write down how many frames were malformed or did not leave, where it is more than when it was last told."""
        if (lost := (self.malformed, self.unsent)) != self._told:
            self._told = lost
            log.info("watcher.frames_lost", interface=self.interface.name, malformed=lost[0], unsent=lost[1])

    def start(self) -> None:
        """Listen. Raises LanError."""
        self.settle()
        self._loop.add_reader(self._packets.fileno(), self._readable)

    def stop(self) -> None:
        """Listen no more. Nothing is said to anyone: what is claimed stays so, for who comes next."""
        self.tell_losses()
        self._loop.remove_reader(self._packets.fileno())
        for timer in (self._timer, self._counting):
            if timer is not None:
                timer.cancel()
        if self._questions is not None:
            self._questions.close()
        self._packets.close()

    def put(self, guard: Guard) -> None:
        """Guard a machine, or guard it otherwise."""
        self.take(guard.machine.name)
        self.guards[guard.machine.name] = guard
        self._by_mac[guard.machine.mac] = guard
        self._by_address |= dict.fromkeys(guard.machine.addresses, guard)

    def take(self, name: str) -> None:
        """Guard it no more."""
        self.guards.pop(name, None)
        self._by_mac = {mac: guard for mac, guard in self._by_mac.items() if guard.machine.name != name}
        self._by_address = {a: guard for a, guard in self._by_address.items() if guard.machine.name != name}

    def do(self, acts: list[Act]) -> bool:
        """Do what a guard wants done: what is to be sent first. False if a frame did not leave."""
        sent = self._send(acts)
        self._do_the_rest(acts)
        return sent

    def _send(self, acts: list[Act]) -> bool:
        sent = True
        for act in acts:
            if isinstance(act, Send) and not self._packets.send(act.frame):
                sent, self.unsent = False, self.unsent + 1
        return sent

    def _do_the_rest(self, acts: list[Act]) -> None:
        """What may wait until every packet is on its way: logs, words to the listener, the kernel's filter."""
        for act in acts:
            if isinstance(act, Tell):
                getattr(log, act.level)(act.event, **act.facts)
            elif isinstance(act, Report):
                self._listener.report(act.wake)
            elif isinstance(act, Seen):
                self._listener.see(act)
        self.settle()

    def say(self, frames: list[Frame]) -> bool:
        """Send frames. False if one did not leave."""
        return self.do([Send(frame) for frame in frames])

    def settle(self) -> None:
        """Hear what is of interest now, and wake up when something is due. Raises LanError where it cannot be heard."""
        stands = tuple((guard.machine, guard.state, guard.contested) for guard in self.guards.values())
        try:
            if stands != self._stands:
                self._stands = None  # where it cannot listen so, it listens anew next time
                self._listen()
                self._stands = stands
                self._listener.changed()
        finally:
            self._set_timer()

    def _set_timer(self, soonest: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = min((guard.due for guard in self.guards.values()), default=float("inf"))
        self._timer = None
        if due != float("inf"):
            self._timer = self._loop.call_later(max(soonest, due - self.clock.boottime()), self._tick)

    def _listen(self) -> None:
        guards = self.guards.values()
        claimed = [a for guard in guards if guard.claimed for a in guard.machine.addresses]
        quiet = [guard.machine.mac for guard in guards if guard.guarded or guard.heard_at is None]
        self._packets.watch(filters.watching(self._by_address, claimed, quiet))
        self._packets.join(a for a in self._by_address if isinstance(a, IPv6Address))
        counts = any(guard.guarded and guard.machine.mode in (Mode.SNIFF, Mode.ANSWER) for guard in guards)
        if counts and self._questions is None:
            self._questions = PacketSocket(self.interface)
            self._questions.watch(filters.arp_requests())
            self._count()
        elif not counts and self._questions is not None:
            self._questions.close()
            self._questions = None
            if self._counting is not None:
                self._counting.cancel()

    def _tick(self) -> None:
        soonest = _AFTER_A_MISTAKE
        try:
            self._readable()  # an answer that waits, as it does when this process was held up, is no silence
            now = self.clock.boottime()
            self.do([act for guard in self.guards.values() if guard.due <= now for act in guard.tick(now)])
            soonest = 0.0
        finally:  # whatever is wrong with one, the others are not forgotten
            self._set_timer(soonest)

    def _said(self, frame: Frame) -> Said:
        """None for what is malformed: it is a sign that its sender lives all the same."""
        try:
            return hearing.said(frame)
        except Malformed:
            self._packets.malformed += 1
            return None

    def _readable(self) -> None:
        acts = list[Act]()
        try:
            for frame in self._packets.received():
                said = self._said(frame)
                for guard in self._concerned(frame, said):
                    now = self.clock.boottime()
                    wanted = guard.heard(frame, said, now, self._scans(guard, frame, now))
                    self._send(wanted)
                    acts += wanted
        finally:
            if acts:
                self._do_the_rest(acts)

    def _concerned(self, frame: Frame, said: Said) -> Iterator[Guard]:
        found: list[Guard | None] = [self._by_mac.get(frame.source)]
        if isinstance(said, Knock):
            found.append(self._by_address.get(said.target))
        elif said is not None:
            found += [self._by_address.get(said.target), self._by_address.get(said.sender)]
        return iter({id(guard): guard for guard in found if guard is not None}.values())

    def _scans(self, guard: Guard, frame: Frame, now: float) -> bool:
        """Whether who asks now has asked for one host after the other."""
        if self._questions is None or guard.machine.mode is Mode.PROXY:
            return False
        self._take_census(now)
        return self._census.scans(frame.source, now)

    def _count(self) -> None:
        if self._questions is not None:
            self._take_census(self.clock.boottime())
            self._counting = self._loop.call_later(_CENSUS_SECONDS, self._count)

    def _take_census(self, now: float) -> None:
        assert self._questions is not None
        for data in self._questions.raw():
            self._census.note(Mac(data[6:12]), data[38:42], now)
