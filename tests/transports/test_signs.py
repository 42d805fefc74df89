"""Signs of life of long calls, and calls that are cancelled: what every transport promises, and the parts of it."""

from __future__ import annotations

import asyncio

import pytest

from midflight import telemetry
from midflight.transports import signs
from midflight.transports.awaited import Awaited
from midflight.transports.base import Address, NoAnswer, Transport, Vanished
from midflight.transports.hands import Hands
from midflight.transports.signs import CallsInHand, announced, first_sign_of, new_name, pause_at
from tests.transports.conftest import Fleet
from tests.transports.recorder import Gated, eventually

COMPUTE = Address("compute")
HOST1 = Address("compute", "host1")


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life more often, so that tests need not wait for long."""
    monkeypatch.setattr(signs, "SIGN_SECONDS", 0.4)
    monkeypatch.setattr(signs, "FIRST_SECONDS", 0.02)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts of all signs of life that callers have heard, as they came."""
    hosts, sign = list[str](), Awaited.sign

    def noted(awaited: Awaited[object], host: str, pause: float) -> None:
        sign(awaited, host, pause)
        hosts.append(host)

    monkeypatch.setattr(Awaited, "sign", noted)
    return hosts


def cancelled_calls(topic: str) -> int:
    """How many calls were cancelled where they ran."""
    named = {"name": "transport.calls_cancelled", "topic": topic}
    return sum(entry["value"] for entry in telemetry.counted() if named.items() <= entry.items())


@pytest.mark.parametrize("long", [1, 1000], ids=["first sign at once", "first sign later"])
@pytest.mark.usefixtures("brisk")
async def test_whoever_vanishes_is_missed_long_before_the_deadline(
    fleet: Fleet[Transport], monkeypatch: pytest.MonkeyPatch, heard: list[str], long: int
) -> None:
    """A call whose callee is killed ends as Vanished when two signs of life are missing, whatever its deadline."""
    monkeypatch.setattr(signs, "LONG", long)
    agent, doomed, caller = Gated(), await fleet.join(), await fleet.join()
    await agent.listen(doomed, "compute", "host1")
    call = asyncio.create_task(caller.call(COMPUTE, b"long", timeout=60))
    await eventually(lambda: len(heard) > 0)
    await doomed.close()
    with pytest.raises(Vanished) as caught:
        await call
    assert str(caught.value) == ("Whoever had a call to compute in hand has given no sign of life for 0.8 s.")


@pytest.mark.usefixtures("brisk")
async def test_a_long_call_is_not_taken_for_dead(fleet: Fleet[Transport], heard: list[str]) -> None:
    """A call that takes longer than several signs of life is answered, and cancelled by nobody."""
    agent, caller = Gated(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    call = asyncio.create_task(caller.call(HOST1, b"long", timeout=60))
    await eventually(lambda: len(heard) == 4)
    agent.gate.set()
    assert await call == b"gated:long"
    assert (agent.cancelled, agent.finished, set(heard)) == (0, 1, {"host1"})


@pytest.mark.parametrize("address", [COMPUTE, HOST1], ids=str)
@pytest.mark.parametrize("signs_first", [0, 2], ids=["at once", "later"])
async def test_cancelling_a_call_cancels_the_work(
    fleet: Fleet[Transport], heard: list[str], address: Address, signs_first: int
) -> None:
    """The handler of a call whose caller is cancelled is cancelled too, whether or not it has given a sign of life; one
    that runs beside it is not."""
    agent, caller, before = Gated(), await fleet.join(), cancelled_calls("compute")
    await agent.listen(await fleet.join(), "compute", "host1")
    unwanted = asyncio.create_task(caller.call(address, b"unwanted", timeout=5))
    wanted = asyncio.create_task(caller.call(address, b"wanted", timeout=5))
    await eventually(lambda: agent.running == 2)
    await eventually(lambda: len(heard) >= signs_first)
    unwanted.cancel()
    await eventually(lambda: agent.cancelled == 1)
    agent.gate.set()
    assert await wanted == b"gated:wanted"
    assert (agent.calls, agent.finished) == ([b"wanted"], 1)
    assert cancelled_calls("compute") == before + 1


async def test_a_call_is_cancelled_where_it_runs(fleet: Fleet[Transport]) -> None:
    """Of two who share a topic, the one is cancelled that has the call in hand; what the other does goes on."""
    agents, caller = [Gated("first"), Gated("second")], await fleet.join()
    for number, agent in enumerate(agents):
        await agent.listen(await fleet.join(), "compute", f"host{number}")
    calls = [asyncio.create_task(caller.call(COMPUTE, b"%d" % number, timeout=60)) for number in range(20)]
    await eventually(lambda: agents[0].running + agents[1].running == 20)
    for call in calls[:10]:
        call.cancel()
    await eventually(lambda: agents[0].cancelled + agents[1].cancelled == 10)
    for agent in agents:
        agent.gate.set()
    answers = [await call for call in calls[10:]]
    assert sorted(answer.split(b":")[1] for answer in answers) == [b"%d" % number for number in range(10, 20)]
    assert agents[0].finished + agents[1].finished == 10


async def test_a_call_whose_time_is_over_is_cancelled(fleet: Fleet[Transport]) -> None:
    """The handler learns that its caller waits no more."""
    agent, caller = Gated(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    with pytest.raises(NoAnswer) as caught:
        await caller.call(HOST1, b"slow", timeout=0.5)
    assert type(caught.value) is NoAnswer
    await eventually(lambda: agent.cancelled == 1)
    assert (agent.running, agent.finished) == (0, 0)


async def test_a_caller_that_leaves_cancels_its_calls(fleet: Fleet[Transport], heard: list[str]) -> None:
    """What a member cancels in its last moment still arrives."""
    agent, caller = Gated(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    call = asyncio.create_task(caller.call(HOST1, b"last", timeout=60))
    await eventually(lambda: len(heard) > 0)
    call.cancel()
    await asyncio.wait([call])
    await caller.close()
    await eventually(lambda: agent.cancelled == 1)


async def test_a_listener_without_a_host_cannot_be_told(fleet: Fleet[Transport]) -> None:
    """A call that runs where nobody can be addressed alone runs to its end; its answer disturbs nobody."""
    agent, caller = Gated(), await fleet.join()
    await agent.listen(await fleet.join(), "compute")
    with pytest.raises(NoAnswer):
        await caller.call(COMPUTE, b"slow", timeout=0.5)
    agent.gate.set()
    assert await caller.call(COMPUTE, b"quick", timeout=5) == b"gated:quick"


def test_names_of_calls() -> None:
    """A name is not used twice, and says how soon its caller wants a sign; that of an older caller does not."""
    assert new_name(5) != new_name(5)
    assert (first_sign_of(new_name(5)), first_sign_of(new_name(60))) == (signs.FIRST_SECONDS, 0.0)
    assert [first_sign_of(name) for name in ("", "7", "7-late")] == [None, None, None]


def test_signs_of_an_old_call_lie_further_apart() -> None:
    """Within a day there are fewer than the hundred answers that a broker allows to one request."""
    age, pauses = 0.0, list[float]()
    while age < 86_400:
        pauses.append(pause_at(age))
        age += pauses[-1]
    assert pauses[:8] == [2.0] * 8
    assert pauses == sorted(pauses)
    assert len(pauses) < 99


@pytest.mark.parametrize("said", ["", "nan", "-1", "0", "inf", "1e400", "soon"])
def test_a_pause_that_is_none_is_a_day(said: str) -> None:
    """Whatever a peer announces, it never ends a call sooner than its deadline."""
    assert announced(said) == 86_400.0
    assert announced("2.5") == 2.5


async def test_a_call_is_cancelled_by_its_own_name_only() -> None:
    """Names that nobody has, or that have ended, cancel nothing; the second time nothing happens."""
    hands, agent, before = Hands(), Gated(), cancelled_calls("here")
    calls, name = CallsInHand(hands, "here"), new_name(5)
    calls.take(name, agent._held(), lambda _: None)
    await eventually(lambda: agent.running == 1)
    for unknown in ("", new_name(5), name.upper()):
        calls.cancel(unknown)
    await asyncio.sleep(0)
    assert (agent.running, agent.cancelled) == (1, 0)
    calls.cancel(name)
    calls.cancel(name)
    await hands.finish(5)
    assert (agent.running, agent.cancelled, cancelled_calls("here")) == (0, 1, before + 1)
