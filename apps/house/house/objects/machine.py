"""Machines: what sleeps, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Self

from msgspec import Meta

from house import clock, kept
from house.names import Name, Port
from house.rights import AGENT, PEOPLE, WATCHER, check_own
from house.states import NEXT, Mode, State
from midflight import Context, InvalidValue, ObjectList, VersionedObject, field, from_row, remotable, types

WHAT = "machine"
STANDS: Mapping[str, object] = {
    "state": State.UNKNOWN, "since": None, "because": (), "last_wake": None, "seen_at": None, "flag_armed": None,
    "planned_wake": None,
}  # fmt: skip
"""How a new machine stands. From then on, its moves say how it does."""


class Machine(VersionedObject, version="1.0"):
    """A machine of the house, which its own agent has for its host. Times are the conductor's.

    ``addresses`` are those that the watcher looks after, on its ``interface`` (the one that leads there, where it is
    None) and ``vlan``. ``watcher`` is the host of the watcher that guards it; any watcher, where it is None.
    ``wake_ports`` count in proxy mode. ``because`` says in words why it is as it is: awake because of what, asleep for
    what reason. ``flag_armed`` is what its network card said when it was asked whether it wakes for magic packets.
    ``since`` is when it came into its ``state``, ``seen_at`` when its agent or its watcher last spoke of it.
    """

    id: int | None = None
    name: Name = field(read_only=True)
    mac: types.MacAddress
    addresses: list[IPv4Address | IPv6Address] = field(default_factory=list)
    interface: str | None = None
    vlan: Annotated[int, Meta(ge=1, le=4094)] | None = None
    watcher: str | None = None
    mode: Mode = field(default=Mode.PROXY, fallback=Mode.UNKNOWN)
    wake_ports: list[Port] = field(default_factory=lambda: [22])
    ping_wakes: bool = False
    wakes_per_hour: Annotated[int, Meta(ge=1)] = 12
    shortest_awake_seconds: Annotated[float, Meta(ge=0)] = 300.0
    watts: Annotated[float, Meta(ge=0)] = 60.0
    watts_asleep: Annotated[float, Meta(ge=0)] = 2.0
    state: State = field(default=State.UNKNOWN, fallback=State.UNKNOWN, transitions=NEXT)
    since: datetime | None = None
    because: tuple[str, ...] = ()
    last_wake: datetime | None = None
    seen_at: datetime | None = None
    flag_armed: bool | None = None
    planned_wake: datetime | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        """One machine. Raises NotFound."""
        row = await context.db.read(kept.rows.one, kept.tables.machines, WHAT, {"name": name})
        return from_row(cls, row, context=context)

    @remotable(allow=(*AGENT, *PEOPLE))
    async def create(self) -> None:
        """Let the house know of it; an agent, of its own machine. Raises AlreadyExists, AddressTaken, NotYours, and
        InvalidValue for a word on how it stands."""
        check_own(self.context, self.name)
        _refuse(self, [name for name, value in STANDS.items() if getattr(self, name) != value])
        self.id = await self.context.db.write(kept.machines.add, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self, expect: dict[str, str | None] | None = None) -> None:
        """Keep what changed of how it is guarded and what it uses. Raises NotFound, AddressTaken, Conflict if the row
        has not the expected values, and InvalidValue for a word on how it stands."""
        _refuse(self, [name for name in self.changes() if name in STANDS])
        await self.context.db.write(kept.machines.change, self, expect or {})
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Forget it, with its holds and rules. Its history stays. Raises NotFound."""
        await self.context.db.write(kept.machines.remove, self.id, self.name)

    # How it falls asleep, and wakes. Each is one transaction on the row as it is, whatever this copy says, and is for
    # the machine's own agent: another's gets NotYours.

    @remotable(allow=AGENT)
    async def ask_leave(
        self, because: tuple[str, ...], needed_at: datetime | None = None, forced: bool = False
    ) -> datetime | None:
        """May it sleep, because of this? It is falling then; the answer is when it has to be awake again, if that is
        planned: here, or by its own calendar at ``needed_at``. One that is ``forced`` to sleep, as by its lid, does so
        whatever speaks against it. Raises StaysAwake with what does."""
        check_own(self.context, self.name)
        asked = self.name, because, needed_at, forced, clock.now()
        planned: datetime | None = await self.context.db.write(kept.moves.ask_leave, *asked)
        return planned

    @remotable(allow=AGENT)
    async def stay(self, because: tuple[str, ...]) -> None:
        """It was falling, and does not sleep after all."""
        check_own(self.context, self.name)
        await self.context.db.write(kept.moves.stay, self.name, because, clock.now())

    @remotable(allow=AGENT)
    async def fall_asleep(self, method: str) -> None:
        """It sleeps from now on, with this method. Raises NotNow where it was not falling: leave has run out."""
        check_own(self.context, self.name)
        await self.context.db.write(kept.moves.fall_asleep, self.name, method, clock.now())

    @remotable(allow=AGENT)
    async def wake_up(self) -> None:
        """It is awake, by its own word. Saying so again changes nothing."""
        check_own(self.context, self.name)
        await self.context.db.write(kept.moves.wake_up, self.name, clock.now())

    @remotable(allow=AGENT)
    async def stay_awake(self, because: tuple[str, ...], flag_armed: bool | None) -> None:
        """It is awake because of this, and this is what its network card says of itself: its agent's word, which counts
        more than what a watcher sees of it."""
        check_own(self.context, self.name)
        await self.context.db.write(kept.moves.stay_awake, self.name, because, flag_armed, clock.now())

    @classmethod
    @remotable(allow=WATCHER)
    async def note_seen(cls, context: Context, name: str, alive: bool, at: datetime) -> None:
        """What a watcher saw of a machine, for those that have no agent: it lived then, or answered no more. It may be
        told late: where something newer is known, it changes nothing."""
        await context.db.write(kept.moves.note_seen, name, alive, at)


class MachineList(ObjectList[Machine], version="1.0"):
    """Machines, in the order in which they came into the house."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """All of the house."""
        return cls._of(context, await context.db.read(kept.rows.every, kept.tables.machines, {}))

    @classmethod
    @remotable
    async def get_by_watcher(cls, context: Context, watcher: str) -> Self:
        """Those that the watcher on this host guards, and those that any watcher may guard."""
        found = await context.db.read(kept.rows.every, kept.tables.machines, {})
        return cls._of(context, [row for row in found if row["watcher"] in (None, watcher)])

    @classmethod
    def _of(cls, context: Context, found: Iterable[kept.rows.Row]) -> Self:
        return from_row(cls, {}, objects=[from_row(Machine, row, context=context) for row in found], context=context)


def _refuse(machine: Machine, told: Sequence[str]) -> None:
    """Nobody who asks from outside says by a row how a machine stands. Raises InvalidValue."""
    if told and machine.context.caller is not None:
        received = repr(getattr(machine, told[0]))
        expected = "no word on how it stands, which is for its agent and its watcher to say"
        raise InvalidValue(path=f"Machine.{told[0]}", received=received, expected=expected)
