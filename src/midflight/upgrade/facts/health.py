"""Facts about what the fleet stands on: its database, its clocks, and how members found themselves when tested."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from midflight.conductor.interface import Fleet, JournalEntry, Member
from midflight.migrations.throttle import MAY_READ
from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import ago, named, names
from midflight.upgrade.verdict import Fact, Status, bad, good, missing, tells, warning

AHEAD = timedelta(seconds=5)
"""How far the clocks of conductors may be apart."""
_WAYS_OUT = {
    "oldest transaction": "end the oldest transaction: SELECT pid, query FROM pg_stat_activity ORDER BY xact_start",
    "statements that wait for locks": "see who holds locks: SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity",
    "replica lag": "wait for the replicas, or mend them",
}


@tells(kinds.OLDER)
def told(fleet: Fleet) -> Iterator[Fact]:
    """Whether the conductor tells all that gates ask. One of an earlier midflight cannot be asked for more."""
    if fleet.health is None:
        yield warning(f"{fleet.taken_by} is of an earlier midflight: it knows no readings, tests and counts")


@tells(kinds.CLOCK)
def clocks(fleet: Fleet) -> Iterator[Fact]:
    """Whether ages can be trusted: they are differences of times that several conductors wrote."""
    offset, limit = ((fleet.health or {}).get("clock") or [0.0, AHEAD.total_seconds()])[:2]
    ahead = [m for m in fleet.members if m.seen_at is not None and m.seen_at > fleet.taken_at + AHEAD]
    way_out = "set the clocks: chronyc tracking, timedatectl"
    if abs(offset) > limit:
        where = "ahead of" if offset > 0 else "behind"
        yield missing(f"the clock of {fleet.taken_by} is {ago(abs(offset))} {where} the database's", way_out)
    if ahead:
        by = max(m.seen_at - fleet.taken_at for m in ahead if m.seen_at is not None).total_seconds()
        words = f"{names(ahead)} beat in the future of {fleet.taken_by}, by {ago(by)}: the clocks of conductors differ"
        yield missing(words, way_out)


@tells(kinds.DATABASE)
def database(fleet: Fleet) -> Iterator[Fact]:
    """Each reading of the database that is higher than it may be."""
    readings = {what: reading for what, reading in (fleet.health or {}).items() if what != "clock"}
    for what, reading in readings.items():
        if len(reading) < 2:
            yield missing(f"{what} of the database cannot be read", MAY_READ, what)
        elif reading[0] > reading[1]:
            yield bad(f"{what}: {reading[0]:g}, at most {reading[1]:g}", _WAYS_OUT.get(what), what.replace(" ", "-"))
    if readings and all(len(reading) == 2 and reading[0] <= reading[1] for reading in readings.values()):
        yield good(f"the database is well ({', '.join(f'{what} {value:g}' for what, (value, _) in readings.items())})")


@tells(kinds.PROBE)
def probes(fleet: Fleet) -> Iterator[Fact]:
    """Whether something keeps rows from being migrated: the brake, a throttle, a probe of the operator's."""
    if fleet.brake:
        yield bad("the brake is on: nobody migrates rows", "midflight data brake --release", "brake")
    if fleet.held:
        yield warning(f"rows wait: {fleet.held}", "wait, or midflight data pace", "held")
    if fleet.health is not None and not fleet.brake and not fleet.held:
        yield good("no throttle and no probe holds the rows")


def tested(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether each member of the target that opens the database found itself well, with the code that expanded it."""
    if fleet.health is None:
        return
    tests = {entry.facts["member"]: entry for entry in fleet.self_tests}
    openers = [member for member in fleet.members if member.database and aim.reached(member.release)]
    for member in openers:
        yield from _tested(member, tests.get(member.id))
        yield from _deployed(fleet, member, tests.get(member.id))
    well = [member for member in openers if member.id in tests and not tests[member.id].facts["failed"]]
    if openers and len(well) == len(openers):
        words = f"all who opened the database with {aim.target} or later tested themselves well: {names(openers)}"
        yield Fact(Status.PASS, words, kind=kinds.SELF_TEST)


def _tested(member: Member, test: JournalEntry | None) -> Iterator[Fact]:
    if test is None:
        words = f"{named(member)} has not tested itself: it runs an earlier midflight"
        yield Fact(Status.UNKNOWN, words, f"deploy it again to {member.host}", named(member), kinds.SELF_TEST)
    elif test.facts["failed"]:
        failed = "; ".join(f"{what}: {why}" for what, why in sorted(test.facts["failed"].items()))
        words = f"{named(member)} tested itself {ago(test.age)} ago, and failed ({failed})"
        yield Fact(Status.FAIL, words, f"mend it, and start {named(member)} again", named(member), kinds.SELF_TEST)


def _deployed(fleet: Fleet, member: Member, test: JournalEntry | None) -> Iterator[Fact]:
    """A later release may have expanded since; of one and the same, the files have to be the same."""
    if test is None or fleet.schema_digest is None or member.release != fleet.schema_release:
        return
    if test.facts["schema"] != fleet.schema_digest:
        words = (
            f"{named(member)} has other revision files ({test.facts['schema'] or 'none'}) than the copy of "
            f"{member.release} that expanded the schema ({fleet.schema_digest})"
        )
        way_out = f"midflight db expand, from the copy that runs on {member.host}; or deploy the copy that expanded"
        yield Fact(Status.FAIL, words, way_out, named(member), kinds.CODE)
