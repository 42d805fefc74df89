"""The kinds of facts on which gates decide: where each comes from, how old it may be, and who may take its risk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Where a fact was read."""

    MEMBERS = "members"
    """The rows that beats keep."""
    PINS = "pins"
    SCHEMA = "schema"
    """The record of what was expanded."""
    DATA = "data"
    """The standing of each data migration."""
    JOURNAL = "journal"
    DATABASE = "database"
    """What the database says of itself."""
    TRAFFIC = "traffic"
    """What conductors counted, minute by minute."""
    CODE = "code"
    """The operator's copy of the project."""

    @property
    def max_age(self) -> float | None:
        """Seconds after which what was read there is worth nothing; None for what is read while the gate is asked."""
        return _MAX_AGES[self]


_MAX_AGES: dict[Source, float | None] = {
    **dict.fromkeys(Source, 60.0),
    Source.TRAFFIC: 180.0,
    Source.CODE: None,
}


@dataclass(frozen=True)
class Kind:
    """One kind of facts. ``risk``: a person may take the risk for a while, by ``upgrade ack``."""

    name: str
    source: Source
    says: str
    risk: bool = False


PATH = Kind("path", Source.MEMBERS, "the target is the next release after the oldest one that a member runs")
CONTRACT = Kind("contract", Source.CODE, "the target breaks no peer in the skew window", risk=True)
STRANGER = Kind("stranger", Source.MEMBERS, "a member runs code that is no frozen release of the operator's copy")
LOST = Kind("lost", Source.MEMBERS, "a member has missed its beats, and nobody has retired it", risk=True)
ARRIVED = Kind("arrived", Source.MEMBERS, "who runs the target, and who is left")
DRAINING = Kind("draining", Source.MEMBERS, "a member takes no new work and finishes what it has")
WATCHED = Kind("watched", Source.MEMBERS, "somebody runs the target, so that there is something to watch")
EPOCH = Kind("epoch", Source.MEMBERS, "the members obey the present epoch of pins and write forms")
PIN = Kind("pin", Source.PINS, "the fleet's pins keep the wire at a release that everybody understands")
OVERRIDE = Kind("override", Source.MEMBERS, "a member's own configuration pins something else", risk=True)
EARLIER_DATA = Kind("earlier-data", Source.DATA, "the data migrations of the releases before are done for good")
MOVED = Kind("moved", Source.DATA, "how far the rows of a data migration have come")
PROVEN = Kind("proven", Source.DATA, "both forms of all rows of a data migration agree, by a proof")
SCHEMA = Kind("schema", Source.SCHEMA, "whose code expanded the schema last")
CATALOGUE = Kind("catalogue", Source.DATABASE, "the database has all that the target and the release before it use")
LINT = Kind("lint", Source.CODE, "the expand revisions were linted as they stand", risk=True)
REHEARSED = Kind("rehearsed", Source.CODE, "the upgrade was rehearsed with exactly this code", risk=True)
REJECTED = Kind("rejected", Source.JOURNAL, "messages that their receiver did not understand", risk=True)
OLDER = Kind("older", Source.CODE, "the conductor is of an earlier midflight, which tells less")
CLOCK = Kind("clock", Source.MEMBERS, "the clocks of conductors and database agree, so that ages are true", risk=True)
DATABASE = Kind("database", Source.DATABASE, "the database is well: no long transaction, no line at locks", risk=True)
PROBE = Kind("probe", Source.DATABASE, "nothing holds the rows back: no throttle, no probe, no brake", risk=True)
CODE = Kind("code", Source.JOURNAL, "who opens the database has the revision files that expanded it", risk=True)
SELF_TEST = Kind("self-test", Source.JOURNAL, "a member of the target tested itself when it started", risk=True)
FAILURES = Kind("failures", Source.TRAFFIC, "no more calls fail than in the hour before", risk=True)
LATENCY = Kind("latency", Source.TRAFFIC, "calls take no longer than in the hour before", risk=True)
BACKPORTS = Kind("backports", Source.TRAFFIC, "how many objects are translated, against the hour before", risk=True)
OLD_SENDERS = Kind("old-senders", Source.TRAFFIC, "no message of a release before the target came lately", risk=True)
BATCH = Kind("batch", Source.MEMBERS, "the agents that were upgraded last live, and had nothing rejected", risk=True)
OUTDATED = Kind("outdated", Source.MEMBERS, "a member sleeps with an older release, and can only upgrade when it wakes")
FORECAST = Kind("forecast", Source.TRAFFIC, "what the upgrade will cost, and which conductors to add for it")
CLEAN = Kind("clean", Source.JOURNAL, "every look of the soak so far found the fleet clean")
LOOK = Kind("look", Source.MEMBERS, "the last look at the fleet found a conductor that answers")
AT_REST = Kind("at-rest", Source.DATABASE, "which versions of objects are in rows")
OTHER = Kind("other", Source.CODE, "a reason that is no fact of a fleet")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        PATH, CONTRACT, STRANGER, LOST, ARRIVED, DRAINING, WATCHED, EPOCH, PIN, OVERRIDE, EARLIER_DATA, MOVED, PROVEN,
        SCHEMA, CATALOGUE, LINT, REHEARSED, REJECTED, OLDER, CLOCK, DATABASE, PROBE, CODE, SELF_TEST, FAILURES, LATENCY,
        BACKPORTS, OLD_SENDERS, BATCH, OUTDATED, FORECAST, CLEAN, LOOK, AT_REST, OTHER,
    )
}  # fmt: skip
"""All of them, by name."""

TO_KNOW = (OLDER, FAILURES, OVERRIDE, DRAINING, OUTDATED, FORECAST)
"""A warning of these is not more to do: it is there to be known, and waiting does not take it away."""
