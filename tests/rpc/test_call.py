"""One call to its end: callees that vanish, and callers that wait no more."""

from __future__ import annotations

import asyncio

import pytest

from midflight.errors import NotDelivered, Unknown
from midflight.rpc import call as module
from midflight.rpc.client import Client
from midflight.rpc.messages import Fault, Reply, Sender, encode
from midflight.transports import signs
from midflight.transports.base import Address, NoAnswer, NobodyListens, Vanished
from tests.rpc import juno
from tests.rpc.world import Fleet, Member, counted, settled

COMPUTE: Client[juno.ComputeAPI] = Client(juno.ComputeAPI)


class Slow:
    """Does nothing until it is cancelled, and remembers that."""

    def __init__(self, member: Member) -> None:
        self.running = self.cancelled = 0
        member.dispatcher._serving["compute"] = member.dispatcher._serving["compute"][0], self

    async def work(self, context: object, what: str, seconds: float = 0) -> str:
        self.running += 1
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return what


async def until(condition: object) -> None:
    """Wait until it holds."""
    assert callable(condition)
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


async def test_a_callee_that_vanishes_makes_the_call_unknown_before_its_deadline(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed callee is missed after two signs of life; the call may have run, and says why that is not known."""
    monkeypatch.setattr(signs, "SIGN_SECONDS", 0.2)
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    before = counted("rpc.calls", method="compute.work", outcome="unknown")
    call = asyncio.create_task(COMPUTE.within(3600).call(juno.ComputeAPI.work, api.context, "long", 3600))
    await until(lambda: agent.done == ["long"])
    await settled()  # its first sign of life too
    await agent.transport.close()
    with pytest.raises(Unknown) as caught:
        await call
    assert str(caught.value) == (
        "compute.work may or may not have been executed: whoever had it in hand at compute has given no sign of life "
        "for 0.4 s. Look before you send it again."
    )
    assert counted("rpc.calls", method="compute.work", outcome="unknown") == before + 1
    assert len(api.transport.calls) == 1


async def test_an_idempotent_call_of_a_callee_that_vanishes_is_sent_again(fleet: Fleet) -> None:
    """Another member answers it, without half of the time having gone by."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    api.transport.failing = [Vanished(address="compute", seconds=4.0)]
    assert await COMPUTE.within(3600).call(juno.ComputeAPI.echo, api.context, "x") == "x"
    assert (len(api.transport.calls), agent.done) == (2, ["x"])


async def test_when_both_callees_vanish_it_is_unknown(fleet: Fleet) -> None:
    """An idempotent call is sent twice, and no third time."""
    api = await fleet.member(juno, "a1")
    gone = Vanished(address="compute", seconds=4.0)
    assert isinstance(gone, NoAnswer)
    api.transport.failing = [gone, gone]
    with pytest.raises(Unknown):
        await COMPUTE.within(3600).call(juno.ComputeAPI.echo, api.context, "x")
    assert len(api.transport.calls) == 2


BUSY = Fault(family="midflight", kind="NotDelivered", facts={"what": "compute.echo", "reason": "busy"})


TWICE = Fault(family="midflight", kind="Unknown", facts={"what": "compute.echo", "reason": "it was sent twice"})


def reply(status: str, fault: Fault | None = None) -> bytes:
    fault = fault or (BUSY if status == "refused" else None)
    return encode(Reply(protocol=1, sender=Sender("compute", "h2", "juno"), status=status, fault=fault))


class Tries:
    """From now on, what becomes of each try of a caller: an error, an answer, or with None, once the others have become
    something, the answer ``late``, else what really does."""

    def __init__(self, api: Member, *outcomes: Exception | bytes | None) -> None:
        self._left, self._deliver = list(outcomes), api.transport.call
        self.over, self.go_on = asyncio.Event(), asyncio.Event()
        self.late: bytes | None = None
        api.transport.call = self._call  # type: ignore[method-assign]  # members that are busy, drain or die

    async def _call(self, address: Address, body: bytes, timeout: float) -> bytes:
        outcome = self._left.pop(0)
        if not self._left:
            self.over.set()
        if isinstance(outcome, bytes):
            return outcome
        if outcome is not None:
            raise outcome
        await self.go_on.wait()
        return self.late or await self._deliver(address, body, timeout)


VANISHED, NOBODY = Vanished(address="compute", seconds=4.0), NobodyListens(address="compute")


async def test_a_refused_repeat_does_not_forestall_the_answer(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second try of an idempotent call is refused, since its member is busy, the first may still be answered,
    and is waited for."""
    monkeypatch.setattr(module, "AGAIN", 0)
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    tries = Tries(api, None, reply("refused"))
    call = asyncio.create_task(COMPUTE.within(3600).call(juno.ComputeAPI.echo, api.context, "x"))
    await tries.over.wait()
    await settled()
    assert not call.done()
    tries.go_on.set()
    assert await call == "x"
    assert agent.done == ["x"]


@pytest.mark.parametrize(
    "outcomes",
    [
        (VANISHED, reply("refused")),
        (VANISHED, reply("need_manifest"), NOBODY),
        (VANISHED, reply("need_manifest"), reply("refused")),
    ],
    ids=["refused", "left", "refused with our manifest"],
)
async def test_a_refused_repeat_does_not_say_that_nothing_ran(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, outcomes: tuple[Exception | bytes, ...]
) -> None:
    """Where the first try has vanished, it may have run, whatever the next ones hear: it is Unknown."""
    monkeypatch.setattr(module, "_SHORTEST_PAUSE", 3600)  # where nobody listens, it is not tried again
    api = await fleet.member(juno, "a1")
    Tries(api, *outcomes)
    with pytest.raises(Unknown):
        await COMPUTE.within(3600).on("h1").call(juno.ComputeAPI.echo, api.context, "x")


async def test_a_call_that_is_refused_twice_did_not_run(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then NotDelivered is certain."""
    monkeypatch.setattr(module, "AGAIN", 0)
    api = await fleet.member(juno, "a1")
    Tries(api, reply("refused"), reply("refused"))
    with pytest.raises(NotDelivered, match="busy"):
        await COMPUTE.within(3600).call(juno.ComputeAPI.echo, api.context, "x")


async def called_with_a_late_first_try(api: Member, tries: Tries) -> None:
    """The first try goes on when the second one is over."""
    call = asyncio.create_task(COMPUTE.within(3600).call(juno.ComputeAPI.echo, api.context, "x"))
    await tries.over.wait()
    await settled()
    tries.go_on.set()
    await call


async def test_a_call_that_was_cancelled_where_it_ran_is_unknown(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one try hears that of its member, the other one's refusal, which comes later, does not say that nothing
    ran."""
    monkeypatch.setattr(module, "AGAIN", 0)
    api = await fleet.member(juno, "a1")
    tries = Tries(api, None, reply("refused", TWICE))
    tries.late = reply("refused")
    with pytest.raises(Unknown, match="its last try was refused, but an earlier one may have run"):
        await called_with_a_late_first_try(api, tries)


async def test_a_call_for_which_nobody_listens_twice_did_not_run(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first try is still on its way when the second is sent, and neither is taken, NotDelivered is
    certain."""
    monkeypatch.setattr(module, "AGAIN", 0)
    monkeypatch.setattr(module, "_SHORTEST_PAUSE", 3600)  # it is not tried again
    api = await fleet.member(juno, "a1")
    tries = Tries(api, None, NOBODY)
    with pytest.raises(NotDelivered, match="nobody listened at compute"):
        await called_with_a_late_first_try(api, tries)


async def test_the_handler_of_a_cancelled_call_is_cancelled(fleet: Fleet) -> None:
    """It sees CancelledError, is counted, and its member serves on."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    slow, before = Slow(agent), counted("transport.calls_cancelled", topic="compute")
    call = asyncio.create_task(COMPUTE.within(3600).call(juno.ComputeAPI.work, api.context, "long", 3600))
    await until(lambda: slow.running == 1)
    call.cancel()
    await until(lambda: slow.cancelled == 1)
    assert await COMPUTE.call(juno.ComputeAPI.work, api.context, "short") == "short"
    assert counted("transport.calls_cancelled", topic="compute") == before + 1


async def test_the_handler_of_a_call_whose_deadline_has_passed_is_cancelled(fleet: Fleet) -> None:
    """Nobody waits for it any more."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    slow = Slow(agent)
    with pytest.raises(Unknown, match="no answer from compute before its deadline"):
        await COMPUTE.within(1).call(juno.ComputeAPI.work, api.context, "long", 3600)
    await until(lambda: slow.cancelled == 1)


async def test_a_call_made_for_a_cancelled_call_is_cancelled_too(fleet: Fleet) -> None:
    """From the first caller through the one in the middle to the last: nobody goes on for nobody."""
    first, middle = await fleet.juno("h1"), await fleet.juno("h2")
    slow, api = Slow(first), await fleet.member(juno, "a1")
    passing = Slow(middle)

    async def pass_on(context: object, what: str, seconds: float = 0) -> str:
        return await COMPUTE.on("h1").within(3600).call(juno.ComputeAPI.work, middle.context, what, seconds)

    passing.work = pass_on  # type: ignore[assignment]  # a service that asks another one
    call = asyncio.create_task(COMPUTE.on("h2").within(3600).call(juno.ComputeAPI.work, api.context, "long", 3600))
    await until(lambda: slow.running == 1)
    call.cancel()
    await until(lambda: slow.cancelled == 1)
