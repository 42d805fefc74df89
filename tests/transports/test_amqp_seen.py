from __future__ import annotations

import pytest

from midflight.transports.amqp_seen import Seen


def test_taken_and_done() -> None:
    """An id is known once it was taken, and known as done once it has run."""
    seen = Seen()
    assert not seen.has("cast-1")
    seen.add("cast-1")
    assert (seen.has("cast-1"), seen.has_done("cast-1")) == (True, False)
    seen.add_done("cast-1")
    assert seen.has_done("cast-1")


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more ids are remembered than the bound says; those that were seen again count as new."""
    monkeypatch.setattr("midflight.transports.amqp_seen.REMEMBERED", 3)
    seen = Seen()
    for message_id in ("cast-1", "cast-2", "cast-1", "cast-3", "cast-4"):
        seen.add_done(message_id)
    assert [number for number in range(1, 5) if seen.has_done(f"cast-{number}")] == [1, 3, 4]
