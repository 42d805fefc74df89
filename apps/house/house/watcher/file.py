"""The file in which a watcher keeps what it guards, so that the next one goes on where it was stopped: nobody else need
answer for that."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from house.lan import ip
from house.lan.mac import Mac
from house.states import Cause, Mode, State
from house.watcher.guarded import Guarded


class KeptMachine(msgspec.Struct, frozen=True):
    """A machine, and how it stood."""

    name: str
    mac: str
    addresses: tuple[str, ...]
    interface: str | None
    vlan: int | None
    mode: Mode
    wake_ports: tuple[int, ...]
    ping_wakes: bool
    wakes_per_hour: int
    state: State
    since: datetime

    @classmethod
    def of(cls, machine: Guarded, state: State, since: datetime) -> KeptMachine:
        """As it is written."""
        addresses = tuple(map(str, machine.addresses))
        return cls(
            machine.name, str(machine.mac), addresses, machine.interface, machine.vlan, machine.mode,
            tuple(sorted(machine.wake_ports)), machine.ping_wakes, machine.wakes_per_hour, state, since,
        )  # fmt: skip

    def machine(self) -> Guarded:
        """As it is guarded."""
        return Guarded(
            self.name, Mac.parse(self.mac), tuple(map(ip.parse, self.addresses)), self.interface, self.vlan, self.mode,
            frozenset(self.wake_ports), self.ping_wakes, self.wakes_per_hour,
        )  # fmt: skip


class KeptWake(msgspec.Struct, frozen=True):
    """A wake of which the house does not know yet."""

    uuid: UUID
    machine: str
    cause: Cause
    mac: str | None
    address: str | None
    name: str | None
    port: int | None
    asked_at: datetime
    awake_at: datetime | None
    tries: int


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
        """What is kept; nothing where there is no file. One that cannot be read is put aside, and the house tells anew
        what is to be guarded."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (msgspec.DecodeError, ValueError) as wrong:
            aside = self.path.with_suffix(".damaged")
            self.path.replace(aside)
            self.lost = f"{wrong}; it is kept as {aside}"
            return Kept()

    def write(self, kept: Kept) -> None:
        """Keep this from now on. Threads write one after the other."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        with self._one, new.open("wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
            new.replace(self.path)
