"""How fast rows are migrated, and when they are likely to be done."""

from __future__ import annotations

import pytest

from midflight.upgrade.speed import Speed, span


def test_speed_is_a_range() -> None:
    """From chunks that were quick and slow; a new pass begins anew, and before four chunks nobody can say."""
    times = iter([0.0, 1.0, 2.0, 4.0, 6.0, 7.0])
    speed = Speed(lambda: next(times))
    for rows in (0, 100, 200, 300, 400):
        speed.looked(rows)
    assert speed.rate == pytest.approx(400 / 6)
    assert speed.left(1_000) == (10.0, 20.0)
    speed.looked(50)
    assert (speed.rate, speed.left(1_000)) == (0.0, None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), ((0.2, 0.4), "1 s"), ((12.2, 15.1), "12–15 s"), ((100.0, 200.0), "2–3 min"), ((9e3, 1.8e4), "2–5 h")],
)
def test_span(seconds: tuple[float, float] | None, words: str) -> None:
    """As somebody would say it."""
    assert span(seconds) == words
