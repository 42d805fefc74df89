"""Fleets worth looking at: what the screenshots show, and what axe reads."""

from __future__ import annotations

from midflight.conductor.interface import Fleet
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
    members[30] = lost("compute", "rack2-host09", "kilo", database=False)
    members[40] = member("compute", "rack3-host03", "juno", state="draining", overrides={"compute": "juno"})
    members[60] = member("compute", "rack4-host07", "juno", epoch=3)
    return fleet(*members)


ROLL = _roll()

LOOKS: dict[str, tuple[str, Fleet]] = {
    "upgrade": ("/upgrade", ROLL),
    "fleet": ("/fleet", ROLL),
    "soak": ("/upgrade?step=soak", cloud("kilo", "juno")),
    "rejected": ("/upgrade?step=soak", cloud("kilo", "juno", rejections=[rejection(), rejection(20)])),
    "finalize": ("/upgrade", cloud("kilo", "kilo", pins={}, migrations=[proven()])),
    "empty": ("/fleet", fleet(pins={})),
}
