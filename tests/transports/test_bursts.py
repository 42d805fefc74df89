"""Claims about what goes out together."""

from __future__ import annotations

import asyncio

import pytest

from midflight.transports import bursts
from midflight.transports.bursts import Burst


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with other things, no turn takes long, unless a test says so."""
    monkeypatch.setattr(bursts, "HOLD_SECONDS", 60.0)


async def test_what_is_added_in_one_turn_goes_out_together() -> None:
    """All of one turn of the loop is one piece, in its order, at the end of the turn; the next turn begins anew."""
    sent = list[bytes]()
    burst = Burst(sent.append)
    for message in (b"one ", b"two ", b"three"):
        burst.add(message)
    assert sent == []
    await asyncio.sleep(0)
    burst.add(b"four")
    await asyncio.sleep(0)
    assert sent == [b"one two three", b"four"]


async def test_what_is_much_goes_out_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many messages of one turn, each few go out as soon as they are enough, and the rest at its end."""
    monkeypatch.setattr(bursts, "MOST", 3)
    sent = list[bytes]()
    burst = Burst(sent.append)
    for number in range(8):
        burst.add(b"%d" % number)
    assert sent == [b"012", b"345"]
    await asyncio.sleep(0)
    assert sent == [b"012", b"345", b"67"]


async def test_a_long_turn_holds_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a turn takes longer than a message may be held, it goes out in the middle."""
    monkeypatch.setattr(bursts, "HOLD_SECONDS", -1.0)
    sent = list[bytes]()
    burst = Burst(sent.append)
    burst.add(b"held ")
    burst.add(b"long enough")
    assert sent == [b"held long enough"]


async def test_what_waits_for_nothing_goes_at_once() -> None:
    """A message that is added ``at_once`` goes out behind what waits, as all does at the end; nothing goes twice."""
    sent = list[bytes]()
    burst = Burst(sent.append)
    burst.add(b"waiting ")
    burst.add(b"alone", at_once=True)
    assert sent == [b"waiting alone"]
    burst.add(b"last")
    burst.end()
    await asyncio.sleep(0)
    burst.end()
    assert sent == [b"waiting alone", b"last"]
