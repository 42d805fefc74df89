"""The page Fleet: who holds down what is spoken."""

from __future__ import annotations

from midflight.console.pages.fleet import PINS
from tests.console.conftest import Desks, Tabs
from tests.console.looks import held_down
from tests.upgrade.fleets import cloud, member


async def test_who_holds_a_topic_down_is_named(desk: Desks, tab: Tabs) -> None:
    """With when it was seen last, and the ways out; a pin of a member's own is named, too."""
    seen = await tab(await desk(held_down()), "/fleet")
    await seen.reads("#pins", "Nothing is pinned: each message goes out in what all members of its topic understand.")
    await seen.reads("#pins", "scheduler kilo compute@n2's configuration")
    await seen.reads("#pins", "compute 3.35 auto because compute@n1 (juno), last seen 3 min ago: retire it, or wait")


async def test_many_pins_are_counted(desk: Desks, tab: Tabs) -> None:
    """A crowd that is pinned by hand makes no page long."""
    crowd = cloud()
    crowd.members += [member("compute", f"h{n}", overrides={"compute": "juno"}) for n in range(PINS + 30)]
    seen = await tab(await desk(crowd), "/fleet")
    await seen.reads("#pins", "all juno fleet compute juno compute@h0's configuration")
    await seen.reads("#pins", "and 31 more")
