from collections.abc import Sequence

import pytest

from midflight.conductor.interface import Fleet
from midflight.errors import NoConductor
from midflight.upgrade import plan
from midflight.upgrade.verdict import Status
from midflight.upgrade.watch import Look, Soak, watch
from tests.upgrade.fleets import KILO, cloud, rejection

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
