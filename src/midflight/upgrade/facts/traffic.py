"""Facts about traffic: what conductors answered in the last minutes, against the hour before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from midflight.conductor.interface import Fleet
from midflight.conductor.traffic import Traffic
from midflight.upgrade import forecast as forecasting
from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import ago, named
from midflight.upgrade.verdict import Fact, Status, bad, good, tells, warning

ENOUGH = 100
"""So many calls there must be in each of the two for their rates to be compared."""
MORE_FAILURES, MOST_FAILURES = 2.0, 0.01
"""More than twice the rate of failures, and one in a hundred more."""
SLOWER, SLOWER_SECONDS = 2.0, 0.01
"""More than twice the time, and 10 ms more."""
FEWER = 0.1
"""Less than a tenth of the traffic."""
_NAMED = 10


def counted(fleet: Fleet, facts: Iterable[Fact]) -> Iterator[Fact]:
    """These facts, as old as the last minute that any conductor has counted."""
    for fact in facts:
        last = fleet.traffic[0].until
        yield replace(fact, age=max(0.0, (fleet.taken_at - last).total_seconds()))


def against_before(fleet: Fleet) -> Iterator[Fact]:
    """Failures, the p95 of remotables, and backports. What is quiet has nothing to be compared, and that is said; what
    has become quiet is something to know."""
    if len(fleet.traffic) < 2:
        return
    recent, before = fleet.traffic[:2]
    if recent.calls < ENOUGH or before.calls < ENOUGH:
        yield _too_few(recent, before)
        return
    yield _failures(recent, before)
    yield _latency(recent, before)
    yield _backports(recent, before)


def _too_few(recent: Traffic, before: Traffic) -> Fact:
    words = (
        f"{recent.calls} calls in the last {ago(recent.seconds)}, {before.calls} in the {ago(before.seconds)} before"
    )
    dropped = before.calls >= ENOUGH and _rate(recent, recent.calls) < FEWER * _rate(before, before.calls)
    if dropped:
        words = f"{words}: less than a tenth of the traffic is left"
        return Fact(Status.WARN, words, "see whether the callers still reach the conductors", "", kinds.FAILURES)
    return Fact(Status.PASS, f"{words}: too few to compare, {ENOUGH} are needed in each", kind=kinds.FAILURES)


def _failures(recent: Traffic, before: Traffic) -> Fact:
    now, then = recent.failed / recent.calls, before.failed / before.calls
    words = f"{now:.2%} of {recent.calls} calls failed, {then:.2%} in the {ago(before.seconds)} before"
    if now > MORE_FAILURES * then and now > then + MOST_FAILURES:
        return Fact(
            Status.FAIL,
            words,
            "read the conductors' logs, or go back: deploy the release before to the control services",
            "",
            kinds.FAILURES,
        )
    return Fact(Status.PASS, words, kind=kinds.FAILURES)


def _latency(recent: Traffic, before: Traffic) -> Fact:
    now, then = recent.p95 or 0.0, before.p95 or 0.0
    words = f"95 of 100 calls took {_ms(now)} at most, {_ms(then)} in the {ago(before.seconds)} before"
    if now > SLOWER * then and now > then + SLOWER_SECONDS:
        return Fact(
            Status.FAIL,
            words,
            "add conductors, or go back: deploy the release before to the control services",
            "",
            kinds.LATENCY,
        )
    return Fact(Status.PASS, words, kind=kinds.LATENCY)


def _backports(recent: Traffic, before: Traffic) -> Fact:
    now, then = _rate(recent, recent.backports), _rate(before, before.backports)
    return Fact(
        Status.PASS, f"{now:.1f} objects a second were translated, {then:.1f} in the hour before", kind=kinds.BACKPORTS
    )


@tells(kinds.OLD_SENDERS)
def old_senders(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether conductors still hear an older release: from a script, a guest, or a member that nobody counts. Who was
    heard so before it was upgraded does not matter any more."""
    if not fleet.traffic:
        return
    recent = fleet.traffic[0]
    new = {named(member) for member in fleet.members if aim.reached(member.release)}
    old = [
        sender
        for sender in sorted(recent.senders)
        if sender.partition(" (")[0] not in new and not aim.reached(sender.partition(" (")[2].rstrip(")"))
    ]
    lately = f"in the last {ago(recent.seconds)}"
    if old:
        who = ", ".join(old[:_NAMED]) + (", …" if len(old) > _NAMED else "")
        yield bad(f"an older release was heard {lately}: {who}", "end or upgrade them; then wait for 5 minutes")
    else:
        yield good(f"no conductor has heard a release before {aim.target} {lately}")


@tells(kinds.FORECAST)
def forecast(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """What the upgrade will cost the conductors, and how many to add for it."""
    if not fleet.traffic:
        return
    if not any(each.calls for each in fleet.traffic):
        yield good("nothing was counted yet from which the cost of the upgrade could be told")
        return
    found = forecasting.forecast(fleet, aim)
    share = f"{found.cores:.1%} of a core, with {found.conductors} conductor{'s' * (found.conductors != 1)}"
    words = f"while agents are old, {found.translations:.1f} objects a second will be translated: {share}"
    if found.add:
        yield warning(words, f"start {found.add} more conductor{'s' * (found.add != 1)} before step 3")
    else:
        yield good(f"{words}; none to add")


def _rate(traffic: Traffic, number: int) -> float:
    return number / traffic.seconds if traffic.seconds else 0.0


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"
