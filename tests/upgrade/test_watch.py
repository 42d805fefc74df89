from collections.abc import Sequence

import pytest

from midflight.conductor.interface import Fleet, JournalEntry
from midflight.errors import NoConductor
from midflight.upgrade import gates, plan
from midflight.upgrade.verdict import Status, Verdict
from midflight.upgrade.watch import Look, Soak, watch
from tests.upgrade.fleets import KILO, acknowledged, cloud, rejection, soaked

MIXED = cloud("kilo", "juno")
DIRTY = cloud("kilo", "juno", rejections=[rejection(age=0)])
SOAK, CONTROL = plan.STEPS[4], plan.STEPS[3]


def film(fleets: Sequence[Fleet]) -> tuple[Look, list[Fleet]]:
    """A look that shows one fleet after the other, the last for ever; and what was looked at."""
    seen: list[Fleet] = []

    async def look() -> Fleet:
        seen.append(fleets[min(len(seen), len(fleets) - 1)])
        return seen[-1]

    return look, seen


def test_a_soak_starts_again_after_every_rejection() -> None:
    """Only consecutive clean looks count."""
    soak = Soak(KILO, window=10)
    looks = [(MIXED, 0), (MIXED, 9), (DIRTY, 10), (MIXED, 11), (MIXED, 20), (MIXED, 21)]
    statuses = [soak.judge(fleet, now).status.value for fleet, now in looks]
    assert statuses == ["unknown", "unknown", "fail", "unknown", "unknown", "pass"]


async def test_a_soak_lasts_as_long_as_its_window() -> None:
    """It looks more than once, and passes at the last look."""
    look, seen = film([MIXED])
    verdict = await watch(look, KILO, SOAK, wait=None, window=0.5)
    assert verdict.status is Status.PASS
    assert len(seen) >= 3


@pytest.mark.parametrize(("wait", "window"), [(None, 0.0), (0.0, None), (5.0, 0.0)])
async def test_a_soak_of_no_time_is_one_look(wait: float | None, window: float | None) -> None:
    """A window, or a wait, of nothing is not the default one."""
    look, seen = film([MIXED])
    verdict = await watch(look, KILO, SOAK, wait=wait, window=window)
    assert (verdict.status, len(seen)) == (Status.PASS, 1)


async def test_a_soak_that_cannot_pass_any_more_ends_at_once() -> None:
    """A rejection in the only window there is time for."""
    look, seen = film([DIRTY])
    verdict = await watch(look, KILO, SOAK, wait=None, window=60)
    assert (verdict.status, len(seen)) == (Status.FAIL, 1)


async def test_a_soak_with_time_to_spare_goes_on() -> None:
    """It passes once a whole window was clean."""
    look, seen = film([DIRTY, MIXED])
    verdict = await watch(look, KILO, SOAK, wait=30, window=0.4)
    assert verdict.status is Status.PASS
    assert seen[0] is DIRTY


async def test_a_soak_with_nothing_to_watch_ends_with_its_window() -> None:
    """It stays unknown."""
    look, _ = film([cloud()])
    assert (await watch(look, KILO, SOAK, wait=None, window=0.3)).status is Status.UNKNOWN


def flickering(*looks: Fleet | None) -> Look:
    """Looks that find no conductor where there is None; the last is repeated."""
    left = list(looks)

    async def look() -> Fleet:
        found = left.pop(0) if len(left) > 1 else left[0]
        if found is None:
            raise NoConductor(project="p", broker="b", reason="nobody listens")
        return found

    return look


async def test_a_look_that_finds_no_conductor_is_a_missing_fact() -> None:
    """It begins the window of a soak anew, and does not end the watch."""
    assert (await watch(flickering(MIXED, None, MIXED), KILO, SOAK, wait=5, window=0.4)).status is Status.PASS
    assert (await watch(flickering(None, MIXED), KILO, CONTROL, wait=5, window=None)).status is Status.PASS
    verdict = await watch(flickering(cloud(), None), KILO, CONTROL, wait=0.3, window=None)
    assert verdict.status is Status.UNKNOWN
    assert "nobody listens" in verdict.because[0].words


async def test_when_no_look_finds_a_conductor_that_is_the_error() -> None:
    """At once without a wait, else when the wait is over."""
    for step, wait in ((CONTROL, None), (CONTROL, 0.3), (SOAK, None), (SOAK, 0.5)):
        with pytest.raises(NoConductor):
            await watch(flickering(None), KILO, step, wait=wait, window=0.2)


async def test_without_a_wait_a_gate_is_asked_once() -> None:
    """Whatever it says."""
    look, seen = film([cloud()])
    verdict = await watch(look, KILO, CONTROL, wait=None, window=None)
    assert (verdict.status, len(seen)) == (Status.FAIL, 1)


async def test_with_a_wait_a_gate_is_asked_until_it_passes() -> None:
    """And not longer."""
    look, seen = film([cloud(), cloud(), MIXED, MIXED])
    verdict = await watch(look, KILO, CONTROL, wait=30, window=None)
    assert (verdict.status, len(seen)) == (Status.PASS, 3)


async def test_a_wait_that_is_over_ends_with_the_last_verdict() -> None:
    """Blocked is blocked."""
    look, seen = film([cloud()])
    verdict = await watch(look, KILO, CONTROL, wait=0.3, window=None)
    assert verdict.status is Status.FAIL
    assert len(seen) >= 2


async def test_a_soak_that_is_begun_again_goes_on_where_the_journal_left_it() -> None:
    """The looks of the command that was killed count, this one of a new one included; it passes at its first look."""
    before = cloud("kilo", "juno", soaks=[soaked(clean_for=25 * 60.0, age=100.0)])
    look, seen = film([before])
    assert (await watch(look, KILO, SOAK, wait=60.0, window=26 * 60.0)).status is Status.PASS
    assert len(seen) == 1


@pytest.mark.parametrize(
    "last", [soaked(3600.0, age=121.0), soaked(None, age=1.0), soaked(3600.0, age=1.0, target="liberty")]
)
def test_looks_that_say_nothing_of_now_do_not_count(last: JournalEntry) -> None:
    """Those that ended long ago, those that were not clean, and those on the way to another release."""
    fleet = cloud("kilo", "juno", soaks=[last])
    assert Soak(KILO, window=60).judge(fleet, 0.0).status is Status.UNKNOWN
    assert gates.soak(fleet, KILO).status is Status.UNKNOWN


def test_a_look_that_failed_is_not_made_good_by_the_journal() -> None:
    """Who saw it itself knows better than the looks before it."""
    soak = Soak(KILO, window=60)
    soak.missed(0.0)
    assert soak.judge(cloud("kilo", "juno", soaks=[soaked(3600.0, age=1.0)]), 1.0).status is Status.UNKNOWN


async def test_the_looks_of_a_soak_are_noted_when_they_change() -> None:
    """And not each of them. What is noted is what the look found, not for how long it was so."""
    look, seen = film([MIXED, MIXED, DIRTY, DIRTY, MIXED])
    noted: list[Verdict] = []

    async def note(verdict: Verdict) -> None:
        noted.append(verdict)

    assert (await watch(look, KILO, SOAK, wait=30, window=0.6, note=note)).status is Status.PASS
    assert [verdict.status.value for verdict in noted] == ["pass", "fail", "pass"]
    assert len(seen) > len(noted)
    assert {fact.kind.name for verdict in noted for fact in verdict.because}.isdisjoint({"clean"})


async def test_waiting_ends_where_it_makes_nothing_better() -> None:
    """A risk that somebody takes stays one for as long as he says."""
    taken = cloud("kilo", "juno", rejections=[rejection(age=0)], acknowledged=[acknowledged("rejected:api@web")])
    look, seen = film([taken])
    verdict = await watch(look, KILO, SOAK, wait=30, window=0.0)
    assert (verdict.status, len(seen)) == (Status.WARN, 1)
