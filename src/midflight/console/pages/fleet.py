"""The page Fleet: who runs what, where, and how lately it was heard."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from midflight.conductor.interface import Fleet, Member, State
from midflight.console.releases import Part, bar, kind
from midflight.console.sources import FLEET, MANIFESTS
from midflight.console.view import FleetView
from midflight.upgrade import roster
from midflight.upgrade.floors import floors, spoken
from midflight.web import Page

ROWS = 50
"""Members on one page of the table: what a browser can be sent once a second without its noticing."""

PINS = 12
"""So many pins are listed; those of members' own configurations are in the table of members, too."""

_URGENT = "lost", "outdated", "draining", "asleep"
"""The states, whoever needs a person most first; all others come behind."""

ORDERS: dict[str, Callable[[Member], Any]] = {
    "service": lambda member: (member.service, member.host),
    "host": lambda member: (member.host, member.service),
    "release": lambda member: (member.release, member.service, member.host),
    "state": lambda member: (_urgency(member), member.service, member.host),
    "epoch": lambda member: (member.epoch, member.service, member.host),
    "heard": lambda member: (-member.age, member.service, member.host),
}
"""How the table can be sorted; whoever needs a person comes first."""

FILTERS = ("service", "host", "release", "state", "epoch")


@dataclass(frozen=True)
class ServiceLine:
    """A service, how many members it has, and which releases they run."""

    name: str
    members: int
    parts: list[Part]
    troubled: int
    """Members that are not active."""


def _model(view: FleetView) -> Mapping[str, Any]:
    fleet = view.picture.of(FLEET)
    assert fleet is not None  # a page is made of a fleet that was seen
    order = view.query.get("sort", "service")
    topics = {topic for member in fleet.members for topic in member.topics}
    pins = spoken(fleet, floors(fleet, view.picture.of(MANIFESTS) or {}, topics))
    found = sorted(matching(fleet, view.query), key=ORDERS.get(order, ORDERS["service"]))
    sheets = max(1, -(-len(found) // ROWS))
    number = min(max(_number(view.query.get("page", "1")), 1), sheets)
    return {
        "bar": bar(fleet.members, view.aim),
        "services": _services(fleet, view),
        "states": Counter(member.state for member in fleet.members),
        "pins": pins[:PINS],
        "more_pins": len(pins[PINS:]),
        "late": roster.behind(fleet, fleet.epoch),
        "found": len(found),
        "rows": found[(number - 1) * ROWS : number * ROWS],
        "first": (number - 1) * ROWS + 1,
        "number": number,
        "sheets": sheets,
        "order": order if order in ORDERS else "service",
        "filtered": any(view.query.get(name) for name in FILTERS),
        "kind": lambda release: kind(release, view.aim),
    }


def matching(fleet: Fleet, query: Mapping[str, str]) -> list[Member]:
    """The members that a query asks for: ``host`` is a part of service@host, the others are equal; an ``epoch`` that is
    ``behind`` asks for whoever has not acknowledged the present one."""
    equal = {name: query[name] for name in ("service", "release", "state") if query.get(name)}
    wanted: list[Callable[[Member], bool]] = []
    if equal:
        wanted.append(lambda member: all(getattr(member, name) == value for name, value in equal.items()))
    if part := query.get("host", "").strip().lower():
        wanted.append(lambda member: part in roster.named(member).lower())
    if query.get("epoch") == "behind":
        late = {member.id for member in roster.behind(fleet, fleet.epoch)}
        wanted.append(lambda member: member.id in late)
    return [member for member in fleet.members if all(check(member) for check in wanted)]


def _services(fleet: Fleet, view: FleetView) -> list[ServiceLine]:
    by_name: dict[str, list[Member]] = defaultdict(list)
    for member in fleet.members:
        by_name[member.service].append(member)
    return [
        ServiceLine(name, len(members), bar(members, view.aim), _not_active(members))
        for name, members in sorted(by_name.items())
    ]


def _urgency(member: Member) -> int:
    return _URGENT.index(member.state) if member.state in _URGENT else len(_URGENT)


def _not_active(members: Iterable[Member]) -> int:
    return sum(member.state != State.ACTIVE.value for member in members)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


FLEET_PAGE = Page("fleet", "Fleet", "f", _model, (FLEET, MANIFESTS))
