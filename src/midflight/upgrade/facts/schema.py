"""Facts about the schema: who expanded it, by which revisions, and what is really there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from midflight.conductor.interface import Fleet
from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import ago
from midflight.upgrade.verdict import Fact, bad, good, missing, tells

MOST_NAMED = 10


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


@tells(kinds.CATALOGUE)
def fits(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether what is recorded is really there: all that processes of the target use, and of the release before it, as
    long as that may open the database. Where nobody froze what they use, or read the catalogue, nothing is said."""
    if fleet.catalogue is None or not aim.reached(fleet.schema_release or ""):
        return
    there, asked = frozenset(fleet.catalogue), [aim.target]
    if aim.previous is not None and not aim.reached(fleet.store_floor or ""):
        asked.append(aim.previous)
    known = [release for release in asked if release in aim.uses]
    for release in known:
        if lacks := _lacks(aim.uses[release] - there):
            way_out = f"bring that back by a revision, or from a backup; midflight db status, from a copy of {release}"
            hidden = "midflight db contract --undo" if fleet.hidden else way_out
            yield bad(f"the database lacks what {release} uses: {lacks}", hidden, release)
    if known and all(aim.uses[release] <= there for release in known):
        yield good(f"the database has all that {' and '.join(known)} use{'s' if len(known) == 1 else ''}")


def _lacks(things: Iterable[str]) -> str:
    """A table that is missing stands for its columns."""
    tables = {thing.removeprefix("table ") for thing in things if thing.startswith("table ")}
    named = sorted(t for t in things if not t.startswith("column ") or t.split(" ")[1].split(".")[0] not in tables)
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return ", ".join(named[:MOST_NAMED]) + more


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
