"""Facts about the schema: who expanded it, and by which revisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from midflight.conductor.interface import Fleet
from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import ago
from midflight.upgrade.verdict import Fact, bad, good, missing, tells


@tells(kinds.SCHEMA)
def expanded(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whose code expanded the schema last, and when."""
    way_out = f"midflight db expand, from a copy of {aim.target}"
    release = fleet.schema_release
    if release is None:
        yield bad("no expand of the schema is recorded", way_out)
    elif not aim.knows(release):
        yield missing(f"the schema was expanded by {release!r}, which is no frozen release of this project", way_out)
    elif aim.reached(release):
        yield good(f"the schema is expanded to {release}{_when(fleet)}")
    else:
        yield bad(f"the schema is that of {release}{_when(fleet)}", way_out)


def _when(fleet: Fleet) -> str:
    if fleet.schema_at is None:
        return ""
    return f", {ago((fleet.taken_at - fleet.schema_at).total_seconds())} ago"


@tells(kinds.LINT)
def linted(aim: Aim) -> Iterator[Fact]:
    """What was found in the revisions when they were tried out. One that was not tried out is unknown."""
    way_out = "midflight db lint"
    alike: dict[str, list[str]] = defaultdict(list)
    for revision, reason in (aim.unlinted or {}).items():
        alike[reason].append(revision)
    for reason, revisions in alike.items():
        words = f"revision{'s' if len(revisions) > 1 else ''} {', '.join(revisions)}: {reason}"
        say = bad if reason.startswith("has errors") else missing
        yield say(words, way_out, ",".join(revisions))
    if aim.unlinted == {}:
        yield good("all expand revisions are linted, as they stand")
