"""Agents of three versions change, forward and save one machine through a conductor of any of them."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from midflight.errors import NotReadable, PinnedOut
from midflight.objects import wire
from midflight.objects.base import VersionedObject, backport
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.versions import Manifest


def release(minor: int) -> Any:
    """One release's classes. 1.1 adds a colour and labels of disks; 1.2 adds a zone, and pauses what was called on."""

    class Disk(VersionedObject, version=f"1.{min(minor, 1)}"):
        size: int
        name: str = ""
        if minor >= 1:
            label: str = field(default="", since="1.1")

            @backport(before="1.1", lossy=True)
            def names_were_short(self, wire: dict[str, Any]) -> None:
                """Before 1.1 a name had one letter."""
                wire["name"] = wire["name"][:1]

    class Machine(VersionedObject, version=f"1.{minor}"):
        name: str
        power: str
        tags: list[str] = field(default_factory=list)
        meta: dict[str, str] = field(default_factory=dict)
        disk: Any = None
        disks: Any = field(default_factory=list)
        if minor >= 1:
            colour: str = field(default="grey", since="1.1")
        if minor >= 2:
            zone: str = field(default="here", since="1.2")

            @backport(before="1.2", lossy=True)
            def paused_was_called_on(self, wire: dict[str, Any]) -> None:
                """Before 1.2 there was only on and off."""
                if wire.get("power") == "paused":
                    wire["power"] = "on"

    Machine.__annotations__ |= {"disk": Disk | None, "disks": list[Disk]}
    return Registry([Disk, Machine])


RELEASES = [release(minor) for minor in range(3)]
FIELDS = [
    ("name", "b"), ("power", "off"), ("power", "paused"), ("colour", "blue"), ("colour", "grey"), ("zone", "yonder"),
    ("zone", "here"),
]  # fmt: skip
DISKS = [("size", 2), ("name", "c"), ("name", "long"), ("label", "x"), ("label", "")]
AGENTS = st.integers(0, 2)
CONDUCTORS = st.integers(1, 2)
"""Of those that may read what is at rest: disks are kept in 1.1."""
REFUSALS = (PinnedOut, NotReadable)
Hope = tuple[str | int, ...]
"""Where in the row a change belongs."""


def disk(at: int) -> dict[str, Any]:
    """As it is kept; old agents are told half of it."""
    return {"$": "Disk:1.1", "size": at, "name": f"disk-{at}", "label": "there"}


def put(row: dict[str, Any], hope: Hope, value: Any) -> None:
    """Set what lies at this place."""
    *way, last = hope
    place: Any = row
    for step in way:
        place = place[step]
    place[last] = value


class Fleet(RuleBasedStateMachine):
    """Agent n is of release n. ``expected`` is the row by what was acknowledged alone; ``hopes`` are what an agent, or
    who forwarded to it, has assigned and nobody has acknowledged yet."""

    def __init__(self) -> None:
        super().__init__()
        self.row, self.expected = self.first_row(), self.first_row()
        self.conductor = 2
        self.machines: dict[int, Any] = {}
        self.hopes: dict[int, dict[Hope, Any]] = {}
        for agent in range(3):
            self.load_anew(agent)

    def first_row(self) -> dict[str, Any]:
        """What there is to lose."""
        return {
            "name": "a", "power": "paused", "tags": [], "meta": {"0": "x", "1": "x", "2": "x"}, "colour": "red",
            "zone": "there", "disk": disk(0), "disks": [disk(1), disk(2)],
        }  # fmt: skip

    def send(self, value: Any, sender: int, receiver: int, **how: Any) -> Any:
        """A hop under what both understand."""
        floor = Manifest.lowest([RELEASES[sender].manifest, RELEASES[receiver].manifest])
        return self.receive(wire.encode(value, floor, **how), sender, receiver)

    def receive(self, data: bytes, sender: int, receiver: int) -> Any:
        registry = RELEASES[receiver]
        return wire.decode(data, registry.kind(registry.get("Machine")), sender=RELEASES[sender].manifest)

    @rule(agent=AGENTS)
    def load_anew(self, agent: int) -> None:
        """After a restart: the conductor reads the row and answers in the agent's version. What the agent had not got
        acknowledged is forgotten."""
        there = wire.from_row(RELEASES[self.conductor].get("Machine"), self.row)
        self.machines[agent] = self.send(there, self.conductor, agent, where=wire.REPLY)
        self.hopes[agent] = {}

    @rule(agent=AGENTS, change=st.sampled_from(FIELDS))
    def assign(self, agent: int, change: tuple[str, str]) -> None:
        """A field, where this release has it; only the newest can pause."""
        name, value = change
        if name in self.machines[agent].__shape__.fields and not (value == "paused" and agent < 2):
            setattr(self.machines[agent], name, value)
            self.hopes[agent][(name,)] = value

    @rule(agent=AGENTS, place=st.sampled_from([("disk",), ("disks", 0), ("disks", 1)]), change=st.sampled_from(DISKS))
    def change_a_disk(self, agent: int, place: tuple[Any, ...], change: tuple[str, Any]) -> None:
        """In place, alone or in the list; whoever knows only short names cannot give long ones."""
        machine, (name, value) = self.machines[agent], change
        inner = machine.disk if place == ("disk",) else machine.disks[place[1]]
        if name in inner.__shape__.fields and not (value == "long" and agent < 1):
            setattr(inner, name, value)
            self.hopes[agent][(*place, name)] = value

    @rule(agent=AGENTS, value=st.sampled_from("yz"))
    def change_containers(self, agent: int, value: str) -> None:
        """A list as a whole, and one key of a dict: each agent has its own."""
        machine = self.machines[agent]
        machine.tags.append(value)
        machine.meta[str(agent)] = value
        self.hopes[agent] |= {("tags",): list(machine.tags), ("meta", str(agent)): value}

    @rule(agent=AGENTS, to=AGENTS, blind=st.booleans())
    def forward(self, agent: int, to: int, blind: bool) -> None:
        """To another agent, or refused; blind, in the sender's own version, to be read by skipping."""
        machine = self.machines[agent]
        try:
            data = wire.encode(machine, RELEASES[agent].manifest)
            self.machines[to] = self.receive(data, agent, to) if blind else self.send(machine, agent, to)
        except REFUSALS:
            return
        self.hopes[to] = dict(self.hopes[agent])

    @rule(agent=AGENTS)
    def save(self, agent: int) -> None:
        """The conductor brings the changes onto the row, and the agent gets the state back; or it is refused."""
        try:
            there = self.send(self.machines[agent], agent, self.conductor)
            changed = wire.to_row(there, only_changes=True, onto=self.row)
        except REFUSALS:
            return
        self.row |= changed
        there.reset_changes()
        wire.apply(self.machines[agent], self.send(there, self.conductor, agent, where=wire.REPLY))
        assert self.machines[agent].changes() == {}
        for hope, value in self.hopes[agent].items():
            put(self.expected, hope, value)
        self.hopes[agent] = {}

    @rule(conductor=CONDUCTORS)
    def replace_conductor(self, conductor: int) -> None:
        """Upgraded, or rolled back."""
        self.conductor = conductor

    @invariant()
    def the_row_is_what_was_acknowledged(self) -> None:
        """No more, no less."""
        assert self.row == self.expected

    @invariant()
    def hopes_are_changes(self) -> None:
        """Whatever was assigned and not yet acknowledged is still a change, or rides along as one."""
        for agent, machine in self.machines.items():
            hoped = {str(hope[0]) for hope in self.hopes[agent]}
            try:
                assert set(machine.changes()) | {"meta"} == hoped | {"meta"}  # a key may be set to what it was
            except PinnedOut:
                assert hoped


Fleet.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestNoAcknowledgedChangeIsLost = Fleet.TestCase
