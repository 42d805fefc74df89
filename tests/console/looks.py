"""Fleets worth looking at: what the screenshots show, and what axe reads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from midflight.conductor.interface import Fleet
from midflight.versions import Manifest, Version
from tests.console import sights
from tests.console.desk import Conductors
from tests.upgrade.fleets import cloud, fleet, lost, member, proven, rejection


def _roll() -> Fleet:
    """Nearly half of 80 agents are on kilo; one is lost, one drains, one is behind."""
    members = [member("api", f"web-{n}", "kilo") for n in (1, 2)]
    members += [member("conductor", f"c-{n}", "kilo") for n in (1, 2, 3)]
    members += [member("scheduler", "s-1", "kilo", database=False)]
    members += [
        member("compute", f"rack{rack}-host{n:02}", "kilo" if rack < 3 else "juno", database=False)
        for rack in range(1, 6)
        for n in range(1, 17)
    ]
    members[30] = lost("compute", "rack2-host09", "kilo", id="compute.rack2-host09.5d3a91c2", database=False)
    members[40] = member("compute", "rack3-host03", "juno", state="draining", overrides={"compute": "juno"})
    members[60] = member("compute", "rack4-host07", "juno", epoch=3)
    return fleet(*members)


def heard(fleet: Fleet) -> Fleet:
    """Each member was, as long ago as it says."""
    for each in fleet.members:
        each.seen_at = sights.NOW - timedelta(seconds=each.age)
    return fleet


ROLL = heard(_roll())


def seen(fleet: Fleet, **more: Any) -> Conductors:
    """Conductors that have more to tell."""
    conductors = Conductors(fleet)
    for name, value in more.items():
        setattr(conductors, name, value)
    return conductors


def moving(**fields: Any) -> Conductors:
    """Rows on their way, in a fleet of which some still speak juno."""
    known = {"migrations": [sights.sweeping()], "health": sights.HEALTH, "hidden": {"0002c": sights.NOW}}
    on_its_way = cloud("kilo", "juno", **(known | fields))
    details = {state.name: sights.detail(state) for state in on_its_way.migrations}
    return seen(on_its_way, details=details, entries=sights.journal())


def held_down() -> Conductors:
    """Nothing is pinned, and an agent that is lost holds down what the others speak."""
    there = fleet(
        member("api", "web", "kilo"),
        lost("compute", "n1", "juno", manifest="old", topics=["compute"]),
        member("compute", "n2", "kilo", manifest="new", topics=["compute"], overrides={"scheduler": "kilo"}),
        pins={},
    )
    understood = {"old": Manifest({"compute": Version(3, 35)}), "new": Manifest({"compute": Version(4, 0)})}
    return seen(heard(there), understood=understood)


_BUSY = cloud("kilo", "juno", rejections=[rejection(age) for age in (900, 60, 40)] + [rejection(20, "compute.reboot")])
_BUSY.traffic = sights.compared()
_BUSY.traffic[0].senders = {"compute@rack3-host03 (juno)": 410, "guest@notebook (juno)": 3}
BUSY = seen(_BUSY, minutes=sights.in_pieces(), kept=sights.SOME_PARKED)

LOOKS: dict[str, tuple[str, Fleet | Conductors]] = {
    "upgrade": ("/upgrade", ROLL),
    "fleet": ("/fleet", ROLL),
    "held": ("/fleet", held_down()),
    "soak": ("/upgrade?step=soak", cloud("kilo", "juno")),
    "rejected": ("/upgrade?step=soak", cloud("kilo", "juno", rejections=[rejection(), rejection(20)])),
    "finalize": ("/upgrade", cloud("kilo", "kilo", pins={}, migrations=[proven()])),
    "empty": ("/fleet", fleet(pins={})),
    "traffic": ("/traffic", BUSY),
    "hour": ("/traffic?span=hour", BUSY),
    "quiet": ("/traffic", cloud()),
    "data": ("/data", moving()),
    "braked": ("/data", moving(brake=True, migrations=[sights.sweeping(wanted="paused"), proven(name="names")])),
    "no-data": ("/data", cloud(migrations=[])),
    "chronicle": ("/chronicle", seen(cloud(), entries=sights.journal())),
    "unwritten": ("/chronicle", cloud()),
}
