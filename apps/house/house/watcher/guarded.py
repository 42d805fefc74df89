"""A machine as its watcher sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from house.lan import ip
from house.lan.mac import Mac
from house.objects.machine import Machine
from house.states import Cause, Mode


@dataclass(frozen=True, slots=True)
class Guarded:
    """What is to be known of a machine to guard it."""

    name: str
    mac: Mac
    addresses: tuple[ip.Address, ...]
    interface: str | None = None
    """The one that leads there, where it is None."""
    vlan: int | None = None
    mode: Mode = Mode.PROXY
    wake_ports: frozenset[int] = frozenset({22})
    ping_wakes: bool = False
    wakes_per_hour: int = 12

    @classmethod
    def of(cls, machine: Machine) -> Guarded:
        """From what the house knows of it. A mode of a later release is the one that wakes for every question."""
        mode = Mode.SNIFF if machine.mode is Mode.UNKNOWN else machine.mode
        return cls(
            machine.name, Mac.parse(machine.mac), tuple(machine.addresses), machine.interface, machine.vlan,
            mode, frozenset(machine.wake_ports), machine.ping_wakes, machine.wakes_per_hour,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Requester:
    """Who wants a machine. Without a MAC it is somebody who said so by name."""

    mac: Mac | None = None
    address: ip.Address | None = None
    port: int | None = None

    def __str__(self) -> str:
        if self.mac is None:
            return "by request"
        asks = "" if self.port is None else f", who asks for port {self.port}"
        return f"{self.mac} ({self.address}{asks})"


@dataclass(slots=True)
class Wake:
    """One wake. Times are seconds of a clock that nobody sets and that goes on while a machine is suspended."""

    machine: str
    cause: Cause
    requester: Requester
    asked: float
    awake: float | None = None
    tries: int = 0
    uuid: UUID = field(default_factory=uuid4)
    name: str | None = None
    """The requester's, where a name server knows one."""

    @property
    def who(self) -> str:
        """Who wants it, in words."""
        return f"{self.requester}" if self.name is None else f"{self.name}, {self.requester}"
