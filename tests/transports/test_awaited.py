"""Our own calls: who is taken for dead, who is waited for, and who is told that nobody waits any more."""

from __future__ import annotations

import pytest

from midflight.transports import signs
from midflight.transports.awaited import Awaited, OwnCalls, Silent
from midflight.transports.base import Address
from tests.transports.recorder import eventually

COMPUTE = Address("compute")
NEVER = 1e9
"""A deadline by the clock of a loop that has not come so far."""


async def test_silence_is_not_concluded_from_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """While we could not have heard a sign of life, the callee is not taken for dead."""
    asked: list[float] = []

    def could_hear(since: float) -> bool:
        asked.append(since)
        return len(asked) > 2

    awaited = Awaited[bytes](could_hear)
    awaited.sign("host1", 0.01)
    with pytest.raises(Silent, match=r"^no sign of life for 0\.02 s$"):
        await awaited.answer
    assert (len(asked), asked) == (3, sorted(asked))


async def test_who_gave_no_sign_at_all_is_waited_for() -> None:
    """A callee from before there were signs of life is never taken for dead."""
    awaited = Awaited[bytes]()
    awaited.answered(b"late")
    awaited.answered(b"later")
    assert await awaited.answer == b"late"
    assert awaited.host == ""


class Told:
    """Remembers what was cancelled, and where: at an address, and at a place where one is known."""

    def __init__(self) -> None:
        self.cancelled: list[tuple[str, str]] = []

    async def cancel(self, address: Address, place: str, name: str, deadline: float) -> None:
        self.cancelled.append((f"{address} {place}".rstrip(), name))


async def test_a_call_is_cancelled_when_it_is_known_where_it_runs() -> None:
    """At once where it has given a sign of life, else by its first one; and each call once."""
    told = Told()
    calls = OwnCalls[bytes](told.cancel)
    for name in ("known", "unknown"):
        calls.begin(name, COMPUTE, NEVER)
    calls.sign("known", "host1", "2.0")
    calls.give_up("known")
    calls.give_up("unknown")
    for _ in range(2):
        calls.sign("unknown", "host2", "2.0")
        calls.sign("known", "host1", "2.0")
    await calls.stop()
    assert told.cancelled == [("compute@host1", "known"), ("compute@host2", "unknown")]
    assert len(calls) == 0


async def test_a_call_is_cancelled_at_the_very_listener_where_that_is_known() -> None:
    """It may not be alone on its host; and what is known last counts."""
    told = Told()
    calls = OwnCalls[bytes](told.cancel)
    for name in ("one", "other"):
        calls.begin(name, COMPUTE, NEVER)
        calls.runs_at(name, "host1", "inbox")
    calls.runs_at("other", "host2", "")
    calls.sign("one", "host1", "2.0")
    calls.give_up("one")
    calls.give_up("other")
    await calls.stop()
    assert told.cancelled == [("compute@host1 inbox", "one"), ("compute@host2", "other")]


@pytest.mark.parametrize("host", ["", "a..b", ">", "host 1", "…"])
async def test_nothing_is_sent_to_a_host_that_is_none(host: str) -> None:
    """A peer that names no host, or something else instead, cannot choose what we send to."""
    told = Told()
    calls = OwnCalls[bytes](told.cancel)
    calls.begin("call", COMPUTE, NEVER)
    calls.sign("call", host, "2.0")
    calls.give_up("call")
    calls.sign("call", host, "2.0")
    await calls.stop()
    assert told.cancelled == []


async def test_calls_that_were_given_up_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a callee that never gives a sign of life nothing is kept."""
    monkeypatch.setattr(signs, "SIGN_SECONDS", 0.01)
    calls = OwnCalls[bytes](Told().cancel)
    for number in range(1000):
        calls.begin(str(number), COMPUTE, NEVER)
        calls.give_up(str(number))
    assert len(calls) == 1000
    await eventually(lambda: len(calls) == 0)
    calls.answered("7", b"late")
    calls.sign("7", "host1", "2.0")


async def test_a_sign_of_life_just_before_a_call_is_given_up() -> None:
    """Between the end of a call's time and the moment when its caller comes to know that, a sign of life may come: the
    call is cancelled then, and giving it up afterwards is no error."""
    told = Told()
    calls = OwnCalls[bytes](told.cancel)
    calls.begin("late", COMPUTE, NEVER).cancel()
    calls.sign("late", "host1", "2.0")
    calls.give_up("late")
    await eventually(lambda: told.cancelled == [("compute@host1", "late")])
    assert len(calls) == 0
