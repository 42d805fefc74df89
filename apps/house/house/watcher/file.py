"""The file in which a watcher keeps what it guards, so that the next one goes on where it was stopped: nobody else need
answer for that."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec

from house.clock import Clock
from house.lan import ip
from house.lan.mac import Mac
from house.states import Cause, Mode, State
from house.watcher.guarded import Guarded, Requester, Wake

T = TypeVar("T")


class KeptWake(msgspec.Struct, frozen=True):
    """A wake that is under way, or of which the house does not know yet."""

    uuid: UUID
    machine: str
    cause: str
    """A word of ``Cause``, or of a later release's."""
    mac: str | None
    address: str | None
    name: str | None
    port: int | None
    asked_at: datetime
    awake_at: datetime | None
    tries: int

    @classmethod
    def of(cls, wake: Wake, clock: Clock) -> KeptWake:
        """As it is written, in the time of day."""
        moment, now, who = clock.now(), clock.boottime(), wake.requester
        return cls(
            uuid=wake.uuid, machine=wake.machine, cause=wake.cause, mac=None if who.mac is None else str(who.mac),
            address=None if who.address is None else str(who.address), name=wake.name, port=who.port, tries=wake.tries,
            asked_at=moment - timedelta(seconds=now - wake.asked),
            awake_at=None if wake.awake is None else moment - timedelta(seconds=now - wake.awake),
        )  # fmt: skip

    def wake(self, clock: Clock) -> Wake:
        """One that the process before had begun. Raises BadAddress."""
        mac = None if self.mac is None else Mac.parse(self.mac)
        requester = Requester(mac, None if self.address is None else ip.parse(self.address), self.port)
        asked = clock.boottime() - max(0.0, (clock.now() - self.asked_at).total_seconds())
        cause = Cause(self.cause) if self.cause in {*Cause} else Cause.UNKNOWN
        return Wake(self.machine, cause, requester, asked, None, self.tries, self.uuid, self.name)


class KeptMachine(msgspec.Struct, frozen=True):
    """A machine, and how it stood."""

    name: str
    mac: str
    addresses: tuple[str, ...]
    interface: str | None
    vlan: int | None
    mode: str
    """A word of ``Mode``, or of a later release's."""
    wake_ports: tuple[int, ...]
    ping_wakes: bool
    wakes_per_hour: int
    state: str
    """A word of ``State``, or of a later release's."""
    since: datetime
    wake: KeptWake | None = None
    """The one that is under way."""

    @classmethod
    def of(cls, machine: Guarded, state: State, since: datetime, wake: KeptWake | None) -> KeptMachine:
        """As it is written."""
        addresses = tuple(map(str, machine.addresses))
        return cls(
            machine.name, str(machine.mac), addresses, machine.interface, machine.vlan, machine.mode,
            tuple(sorted(machine.wake_ports)), machine.ping_wakes, machine.wakes_per_hour, state, since, wake,
        )  # fmt: skip

    def machine(self) -> Guarded:
        """As it is guarded. A mode of a later release is the one that wakes for every question."""
        mode = Mode(self.mode) if self.mode in {*Mode} - {Mode.UNKNOWN} else Mode.SNIFF
        return Guarded(
            self.name, Mac.parse(self.mac), tuple(map(ip.parse, self.addresses)), self.interface, self.vlan, mode,
            frozenset(self.wake_ports), self.ping_wakes, self.wakes_per_hour,
        )  # fmt: skip


class _Parts(msgspec.Struct, frozen=True):
    """The whole of a file, whatever is in each of its parts."""

    machines: tuple[msgspec.Raw, ...] = ()
    ignored: tuple[tuple[str, str | None], ...] = ()
    wakes: tuple[msgspec.Raw, ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """All of it. What a later release adds has a default."""

    machines: tuple[KeptMachine, ...] = ()
    ignored: tuple[tuple[str, str | None], ...] = ()
    """MAC addresses, each for one machine or for all."""
    wakes: tuple[KeptWake, ...] = ()


@dataclass
class GuardFile:
    """The file. It is replaced as a whole, so a crash leaves the old or the new one."""

    path: Path
    _one: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    lost: str | None = field(default=None, init=False)
    """Why what was kept could not be read."""

    def read(self) -> Kept:
        """What is kept; nothing where there is no file. Each machine and each wake that can be read is; of a file in
        which something cannot be, there is a copy, and the house tells anew what is to be guarded."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return Kept()
        except OSError as wrong:
            self.lost = str(wrong)
            return Kept()
        wrongs = list[str]()
        parts = [*_read([data], _Parts, wrongs), _Parts()][0]
        machines, wakes = _read(parts.machines, KeptMachine, wrongs), _read(parts.wakes, KeptWake, wrongs)
        if wrongs:
            self.lost = f"{wrongs[0]}; {self._copied(data)}"
        return Kept(machines, parts.ignored, wakes)

    def _copied(self, data: bytes) -> str:
        """Where the copy is, in words."""
        aside = self.path.with_suffix(".damaged")
        try:
            aside.write_bytes(data)
        except OSError as wrong:
            return f"there is no copy: {wrong}"
        return f"it is kept as {aside}"

    def write(self, kept: Kept) -> None:
        """Keep this from now on. Threads write one after the other."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        with self._one, new.open("wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
            new.replace(self.path)


def _read(texts: Iterable[bytes | msgspec.Raw], kind: type[T], wrongs: list[str]) -> tuple[T, ...]:
    """Those that can be read; what is wrong with the others is added to ``wrongs``."""
    found = list[T]()
    for text in texts:
        try:
            found.append(msgspec.json.decode(text, type=kind))
        except (msgspec.DecodeError, ValueError) as wrong:
            wrongs.append(str(wrong))
    return tuple(found)
