"""The fact that an upgrade was tried out."""

from __future__ import annotations

from collections.abc import Iterator

from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.verdict import Fact, bad, good, missing, tells


@tells(kinds.REHEARSED)
def rehearsed(aim: Aim) -> Iterator[Fact]:
    """Whether the way to the target was rehearsed with exactly the operator's copy of the code. Where the project does
    not ask for that, nothing is said."""
    if aim.rehearsed is None:
        return
    if not (said := aim.rehearsed.words):
        yield good(f"the upgrade to {aim.target} was rehearsed with exactly this code")
        return
    say = bad if aim.rehearsed.failed else missing
    way_out = f"midflight upgrade rehearse --from {aim.previous} --to {aim.target}"
    yield say(f"the upgrade to {aim.target} {said}", way_out)
