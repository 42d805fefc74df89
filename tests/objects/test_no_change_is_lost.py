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
    """One release's classes. 1.1 adds a colour; 1.2 adds a zone, and pauses what was called on."""

    class Disk(VersionedObject, version="1.0"):
        size: int

    class Machine(VersionedObject, version=f"1.{minor}"):
        name: str
        power: str
        tags: list[str] = field(default_factory=list)
        disk: Any = None
        if minor >= 1:
            colour: str = field(default="grey", since="1.1")
        if minor >= 2:
            zone: str = field(default="here", since="1.2")

            @backport(before="1.2")
            def paused_was_called_on(self, wire: dict[str, Any]) -> None:
                """Before 1.2 there was only on and off."""
                if wire.get("power") == "paused":
                    wire["power"] = "on"

    Machine.__annotations__["disk"] = Disk | None
    return Registry([Disk, Machine])


RELEASES = [release(minor) for minor in range(3)]
CHANGES = [
    ("name", "b"), ("power", "off"), ("power", "paused"), ("colour", "blue"), ("colour", "grey"), ("zone", "yonder"),
]  # fmt: skip
AGENTS = st.integers(0, 2)
REFUSALS = (PinnedOut, NotReadable)


class Fleet(RuleBasedStateMachine):
    """Agent n is of release n. ``expected`` is the row by what was acknowledged alone; ``hopes`` are what an agent, or
    who forwarded to it, has assigned and nobody has acknowledged yet."""

    def __init__(self) -> None:
        super().__init__()
        self.row: dict[str, Any] = {
            "name": "a", "power": "paused", "tags": [], "colour": "red", "zone": "there",
            "disk": {"$": "Disk:1.0", "size": 1},
        }  # fmt: skip
        self.expected = {**self.row, "disk": dict(self.row["disk"])}
        self.conductor = 2
        self.machines: dict[int, Any] = {}
        self.hopes: dict[int, dict[str, Any]] = {}
        for agent in range(3):
            self.load_anew(agent)

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

    @rule(agent=AGENTS, change=st.sampled_from(CHANGES))
    def assign(self, agent: int, change: tuple[str, str]) -> None:
        """A field, where this release has it; only the newest can pause."""
        name, value = change
        if name in self.machines[agent].__shape__.fields and not (value == "paused" and agent < 2):
            setattr(self.machines[agent], name, value)
            self.hopes[agent][name] = value

    @rule(agent=AGENTS, size=st.integers(2, 3))
    def change_inside(self, agent: int, size: int) -> None:
        """A list and a nested object, in place."""
        machine = self.machines[agent]
        machine.tags.append(f"t{size}")
        machine.disk.size = size
        self.hopes[agent] |= {"tags": list(machine.tags), "disk": {"$": "Disk:1.0", "size": size}}

    @rule(agent=AGENTS, to=AGENTS, blind=st.booleans())
    def forward(self, agent: int, to: int, blind: bool) -> None:
        """To another agent, or refused; blind, in the sender's own version, to be read by skipping."""
        if self.hopes[agent].get("power") == "paused" and to < 2:
            return
        try:
            data = wire.encode(self.machines[agent], RELEASES[agent].manifest)
            machine = self.machines[agent]
            self.machines[to] = self.receive(data, agent, to) if blind else self.send(machine, agent, to)
        except REFUSALS:
            return
        self.hopes[to] = dict(self.hopes[agent])

    @rule(agent=AGENTS)
    def save(self, agent: int) -> None:
        """The conductor applies the changes to the row, and the agent gets the state back; or it is refused."""
        if self.hopes[agent].get("power") == "paused" and self.conductor < 2:
            return
        try:
            there = self.send(self.machines[agent], agent, self.conductor)
            changed = wire.to_row(there, only_changes=True)
        except REFUSALS:
            return
        self.row |= changed
        there.reset_changes()
        wire.apply(self.machines[agent], self.send(there, self.conductor, agent, where=wire.REPLY))
        assert self.machines[agent].changes() == {}
        self.expected |= self.hopes[agent]
        self.hopes[agent] = {}

    @rule(conductor=AGENTS)
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
            try:
                assert set(machine.changes()) == set(self.hopes[agent])
            except PinnedOut:
                assert set(self.hopes[agent]) - machine.__shape__.fields.keys()


Fleet.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestNoAcknowledgedChangeIsLost = Fleet.TestCase
