"""Houses worth looking at, and one that answers what an operator asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from house.objects.away import Away
from house.objects.history import Day, History
from house.objects.hold import Hold
from house.objects.look import Look
from house.objects.machine import Machine
from house.objects.patch_bay import PatchBay
from house.objects.requester import Requester
from house.objects.rule import Rule
from house.objects.wake import Wake
from house.operator import House
from house.states import Cause, State
from midflight import NotDelivered
from tests.web.sounds import SoundKeeper, loud_house, silent_house

NOW = datetime.now(UTC).replace(microsecond=0)
LAPTOP = "52:54:00:aa:00:01"
PRINTER = "52:54:00:aa:00:02"
_ids = iter(range(1, 1_000_000))


def machine(name: str, state: State = State.AWAKE, minutes: float = 12, **more: Any) -> Machine:
    """In its state for so many minutes."""
    number = next(_ids)
    known: dict[str, Any] = {
        "id": number, "name": name, "mac": f"52:54:00:00:00:{number % 256:02x}",
        "addresses": [f"192.168.1.{10 + number % 200}"],
        "state": state, "since": NOW - timedelta(minutes=minutes), "seen_at": NOW, "flag_armed": True, "watts": 120,
    }  # fmt: skip
    return Machine(**(known | more))


def wake(name: str, minutes: float, cause: Cause = Cause.DEMAND, took: float | None = 2.1, **more: Any) -> Wake:
    """A wake so many minutes ago; by the laptop, for ssh, unless said otherwise."""
    asked = NOW - timedelta(minutes=minutes)
    known: dict[str, Any] = {
        "id": next(_ids), "uuid": UUID(int=next(_ids)), "machine": name, "cause": cause, "asked_at": asked, "tries": 1,
        "awake_at": None if took is None else asked + timedelta(seconds=took),
    }  # fmt: skip
    if cause is Cause.DEMAND:
        known |= {"requester_mac": LAPTOP, "requester_address": "192.168.1.20", "requester_name": "laptop", "port": 22}
    return Wake(**(known | more))


def history(name: str, days: int = 90, hours: float = 15.0) -> History:
    """A machine that sleeps at night, and longer at the weekend."""
    found = []
    for back in range(days - 1, -1, -1):
        day = NOW.date() - timedelta(days=back)
        asleep = min(24.0, hours + 4 * (day.weekday() > 4) + 2 * math.sin(back / 3))
        wakes = {
            "demand": 1 + back % 3,
            "planned": int(day.weekday() < 5),
            "asked": int(back % 5 == 0),
            "test": int(back % 11 == 0),
        }
        counted = {cause: number for cause, number in wakes.items() if number}
        found.append(Day(day=day, asleep_seconds=asleep * 3600, saved_kwh=asleep * 0.118, wakes=counted))
    return History(machine=name, days=found)


def busy_house() -> Keeper:
    """One machine in each state, and something of everything."""
    machines = [
        machine(
            "theobromine",
            State.ASLEEP,
            194,
            because=("nobody is logged in", "no bytes moved on port 22 for 30 min"),
        ),
        machine("nas", State.AWAKE, 7, watts=45),
        machine("builder", State.AWAKE, 260, wake_ports=[22, 8080], ping_wakes=True, vlan=7, interface="eth0"),
        machine("media", State.FALLING, 0.2, because=("nothing was played for 20 min",)),
        machine("workstation", State.WAKING, 0.05, addresses=["192.168.1.44", "fd00::44"]),
        machine("attic", State.UNKNOWN, 4000, flag_armed=False, seen_at=None),
    ]
    return Keeper(
        House(
            machines,
            holds=[
                Hold(id=1, machine="builder", until=NOW + timedelta(hours=2), reason="make check", who="ada@builder"),
                Hold(id=2, machine=None, until=NOW + timedelta(hours=30), reason="guests until tomorrow", who="grace"),
            ],
            rules=[
                Rule(
                    id=1, machine="workstation", days=[0, 1, 2, 3, 4], begins=time(8), ends=time(18, 30), wakes=True,
                    note="work", zone="Europe/Berlin",
                ),
                Rule(id=2, machine=None, days=[5], begins=time(22), ends=time(2), note="backups"),
            ],
            requesters=[Requester(id=1, mac=PRINTER, machine=None, name="printer")],
            away=Away(id=1, until=NOW + timedelta(days=3), who="ada"),
        ),
        wakes=[
            wake("workstation", 0.05, took=None),
            wake("nas", 7, requester_name="television", port=445),
            wake("builder", 260, Cause.PLANNED, 3.4),
            wake("theobromine", 700),
            wake("media", 900, requester_mac=PRINTER, requester_name=None, requester_address="fe80::5054", port=None),
            wake("attic", 3000, Cause.ASKED, None, tries=4),
            wake("media", 3500, Cause.TEST, 1.9, tries=2),
        ],
        looks=[
            Look(machine="nas", at=NOW, because=("12.3 MB moved on port 445 in the last minute", "it woke 7 min ago")),
            Look(machine="builder", at=NOW, because=("ada holds it awake: make check", "load is 7.8, above 0.5")),
        ],
    )  # fmt: skip


def quiet_house() -> Keeper:
    """Two machines, of which nobody wants anything."""
    idle = Look(machine="nas", at=NOW, sleeps_at=NOW + timedelta(hours=9))
    return Keeper(House([machine("theobromine", State.ASLEEP, 90), machine("nas", State.AWAKE, 45)]), looks=[idle])


class Keeper:
    """What is asked of the house. Set ``shown`` to another one, or to None while nobody answers."""

    def __init__(
        self, shown: House | None, wakes: Sequence[Wake] = (), looks: Iterable[Look] = (),
        sounds: SoundKeeper | None = None,
    ) -> None:  # fmt: skip
        self.shown, self.known_wakes, self.known_looks = shown, list(wakes), {look.machine: look for look in looks}
        self.acts: list[str] = []
        self.sounds = sounds or SoundKeeper(PatchBay(at=NOW))
        self.sounds.acts = self.acts
        self.wrong: Exception | None = None
        self.took: float | None = 2.1

    # As a visitor.

    def in_the_name_of(self, user: str) -> Keeper:
        self.acts.append(f"as {user}")
        return self

    async def do(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return await work(self)

    # As an operator.

    async def house(self) -> House:
        if self.shown is None:
            raise NotDelivered(what="ConductorAPI.run", reason="no conductor listens")
        return self.shown

    async def wakes(self, machine: str | None = None, limit: int = 50) -> list[Wake]:
        return [wake for wake in self.known_wakes if machine in (None, wake.machine)][:limit]

    async def histories(self, machines: Iterable[str], days: int) -> Mapping[str, History]:
        return {name: history(name, days) for name in machines if name != "attic"}

    async def looks(self, machines: Iterable[str]) -> Mapping[str, Look]:
        return {name: self.known_looks[name] for name in machines if name in self.known_looks}

    async def wake(self, machine: str) -> Wake:
        self._did(f"wake {machine}")
        return wake(machine, 0, Cause.ASKED, self.took, tries=4 if self.took is None else 1)

    async def test_wake(self, machine: str) -> Wake:
        self._did(f"test {machine}")
        return wake(machine, 0, Cause.TEST, self.took)

    async def sleep(self, machine: str, reason: str) -> None:
        self._did(f"sleep {machine}: {reason}")

    async def hold(self, machine: str | None, until: datetime, reason: str) -> None:
        self._did(f"hold {machine} for {(until - datetime.now(UTC)).total_seconds() / 3600:.0f} h: {reason}")

    async def let_go(self, hold: int) -> None:
        self._did(f"let go {hold}")

    async def leave(self, until: datetime) -> None:
        self._did(f"leave for {(until - datetime.now(UTC)).total_seconds() / 86400:.0f} d")

    async def come_back(self) -> None:
        self._did("come back")

    async def ignore(self, mac: str, machine: str | None, name: str = "") -> Requester:
        self._did(f"ignore {mac} for {machine} as {name}")
        return Requester(mac=mac, machine=machine, name=name)

    async def heed(self, mac: str, machine: str | None) -> None:
        self._did(f"heed {mac} for {machine}")

    async def rule(self, machine: str | None, days: Sequence[int], begins: time, ends: time, **more: Any) -> Rule:
        rule = Rule(machine=machine, days=[*days], begins=begins, ends=ends, **more)
        self._did(f"rule {rule.machine}: {rule.in_words}")
        return rule

    async def unrule(self, rule: int) -> None:
        self._did(f"unrule {rule}")

    @property
    def sound(self) -> SoundKeeper:
        return self.sounds

    def _did(self, what: str) -> None:
        self.acts.append(what)
        if self.wrong is not None:
            raise self.wrong


def loud() -> Keeper:
    """Music in most rooms; one of its hosts sleeps."""
    return Keeper(House([machine("pi-attic", State.ASLEEP, 80), machine("nas")]), sounds=loud_house())


LOOKS: dict[str, tuple[str, Callable[[], Keeper]]] = {
    "machines": ("/machines", busy_house),
    "quiet": ("/machines", quiet_house),
    "empty": ("/machines", lambda: Keeper(House([]))),
    "sound": ("/sound", loud),
    "silence": ("/sound", lambda: Keeper(House([]), sounds=silent_house())),
    "no-sound": ("/sound", quiet_house),
    "history": ("/history", busy_house),
    "one": ("/history?machine=nas&days=90", busy_house),
    "no-history": ("/history", lambda: Keeper(House([]))),
    "rules": ("/rules", busy_house),
    "no-rules": ("/rules", quiet_house),
}
"""What the screenshots show, and what axe reads."""
MAIN = "machines", "sound", "history", "rules"
