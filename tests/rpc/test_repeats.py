"""What comes a second time under the same id: answered or dropped without running, never guessed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from midflight.errors import IdReused, NotDelivered, Unknown
from midflight.rpc import answers, messages
from midflight.rpc.faults import Faults
from midflight.rpc.logbook import Logbook
from midflight.rpc.messages import Request
from midflight.rpc.noted import Kept, Noted
from midflight.rpc.repeats import Note, Notes, Receipt, State, unkept
from midflight.transports.base import Address, CastDelivery, Identity, Redeliver
from tests.rpc import kilo
from tests.rpc.world import FAILURES, Fleet, KiloCompute, Member, counted, settled

HERE, SENDER, OPERATOR = Address("compute", "h1"), Identity("api", "a1"), Identity("operator", "desk")


class Asked:
    """A member, and the messages of one who asks it: each may be handed over as often as a test likes."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    async def open(self, notes: Notes | None = None) -> Asked:
        self.api = await self.fleet.member(kilo, "a1")
        self.agent = await self.serving(notes)
        return self

    async def serving(self, notes: Notes | None = None) -> Member:
        """Another process of the same host."""
        agent = await self.fleet.member(kilo, "h1", "compute", **({"notes": notes} if notes else {}))
        agent.dispatcher.add(KiloCompute(agent.done, agent.seen))
        return agent

    def said(self, kind: str, endpoint: Any, **arguments: Any) -> Request:
        _, request, _ = self.api.messenger._said(kind, endpoint, "h1", self.api.context, arguments)
        request.manifest_text = self.api.release.contract.manifest.to_wire()
        return request

    async def call(self, request: Request, agent: Member | None = None) -> Any:
        """What the caller gets for this request."""
        dispatcher = (agent or self.agent).dispatcher
        reply = messages.decode_reply(await dispatcher.on_call(messages.encode(request), SENDER))
        if reply.status == "ok":
            return bytes(reply.result)
        raise Faults().error(reply.fault, request.what, str(reply.sender))

    async def cast(
        self, request: Request, agent: Member | None = None, *, attempt: int = 1, replayed: bool = False
    ) -> None:
        sender = OPERATOR if replayed else SENDER
        delivery = CastDelivery(messages.encode(request), request.message_id, attempt, sender, replayed)
        await (agent or self.agent).dispatcher.on_cast(delivery, HERE)


@pytest.fixture
async def asked(fleet: Fleet) -> Asked:
    return await Asked(fleet).open()


def changed(request: Request, other: Request) -> Request:
    """The second request under the id of the first."""
    other.message_id = request.message_id
    return other


async def test_a_call_that_comes_again_is_answered_and_not_run_again(asked: Asked) -> None:
    """Whether the first is still in hand or was answered, and with whatever is left of its time."""
    request = asked.said("call", kilo.ComputeAPI.work, what="once", seconds=0.5)
    before = counted("rpc.repeats_dropped", method="compute.work")
    first = asyncio.create_task(asked.call(request))
    await settled()
    request.ttl = 3.0
    found = {*await asyncio.gather(first, asked.call(request), asked.call(request)), await asked.call(request)}
    assert (asked.agent.done, found) == (["once"], {await first})
    assert counted("rpc.repeats_dropped", method="compute.work") == before + 3


async def test_each_call_has_an_id_of_its_own(asked: Asked) -> None:
    """Two calls that ask for the same are two; and those of a sender who knows no ids are never taken for repeats."""
    one, two = (asked.said("call", kilo.ComputeAPI.echo, text="a") for _ in range(2))
    assert one.message_id != two.message_id
    older = asked.said("call", kilo.ComputeAPI.echo, text="b")
    older.message_id = ""
    for request in (one, two, older, older):
        await asked.call(request)
    assert asked.agent.done == ["a", "a", "b", "b"]


@pytest.mark.parametrize("kind", ["call", "cast"])
async def test_an_id_that_stands_for_another_request_is_refused(asked: Asked, kind: str) -> None:
    """Counted by its kind, with one clear error; it is not run."""
    first = asked.said(kind, kilo.ComputeAPI.work, what="mine")
    other = changed(first, asked.said(kind, kilo.ComputeAPI.work, what="yours"))
    before = counted("rpc.refused", kind="IdReused")
    if kind == "cast":
        await asked.cast(first)
        await asked.cast(other)
    else:
        await asked.call(first)
        with pytest.raises(IdReused, match=r"api@a1 \(kilo\) sent compute.work under the id \w{32}, which stands"):
            await asked.call(other)
    assert asked.agent.done == ["mine"]
    assert counted("rpc.refused", kind="IdReused") == before + 1
    assert await asked.api.transport.parked() == []


async def test_a_repeat_of_a_call_that_was_cancelled_is_unknown(asked: Asked) -> None:
    """Nobody knows how far it came."""
    request = asked.said("call", kilo.ComputeAPI.work, what="long", seconds=9)
    first = asyncio.create_task(asked.call(request))
    await settled()
    again = asyncio.create_task(asked.call(request))
    await settled()
    first.cancel()
    with pytest.raises(Unknown, match="it was sent twice, and cancelled where it ran"):
        await again
    assert asked.agent.done == ["long"]


class InTransactions(Noted):
    """Notes of a process that has a database."""

    in_transactions = True


class RanElsewhere(KiloCompute):
    """As the database tells it: another process has run the call first. It is told when ``go_on`` is set."""

    go_on: asyncio.Event

    async def work(self, context: Any, what: str, seconds: float = 0) -> str:
        self.done.append(what)
        await self.go_on.wait()
        receipt = unkept()
        assert receipt is not None
        receipt.met = True
        raise Unknown(what=what, reason="it has run before")


async def test_a_repeat_of_a_call_that_another_process_answers_is_not_answered_here(asked: Asked) -> None:
    """Nor is the first one that came here, for which it waits: either would forestall the answer."""
    agent = await asked.fleet.member(kilo, "h1", "compute", notes=InTransactions())
    implementation = RanElsewhere(agent.done, agent.seen)
    implementation.go_on = asyncio.Event()
    agent.dispatcher.add(implementation)
    body = messages.encode(asked.said("call", kilo.ComputeAPI.work, what="once"))
    both = [asyncio.create_task(agent.dispatcher.on_call(body, SENDER)) for _ in range(2)]
    await settled()
    implementation.go_on.set()
    assert (await asyncio.gather(*both), agent.done) == ([None, None], ["once"])


async def test_answers_are_kept_within_bounds(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, by their number and by their bytes; a very long one is not kept."""
    monkeypatch.setattr(answers, "MOST", 3)
    requests = [asked.said("call", kilo.ComputeAPI.echo, text=str(number)) for number in range(4)]
    for request in [*requests, *requests[1:], requests[0]]:
        await asked.call(request)
    assert asked.agent.done == ["0", "1", "2", "3", "0"]
    kept = asked.agent.dispatcher._answers
    assert kept._bytes == sum(call.size for call in kept._ended.values()) > 0
    monkeypatch.setattr(answers, "MOST_BYTES", 0)
    await asked.call(asked.said("call", kilo.ComputeAPI.echo, text="none"))
    assert (kept._ended, kept._bytes, kept._in_hand) == ({}, 0, {})
    monkeypatch.undo()
    monkeypatch.setattr(answers, "LONGEST", 10)
    await asked.call(asked.said("call", kilo.ComputeAPI.echo, text="none"))
    assert kept._ended == {}


async def test_a_cast_that_has_run_is_dropped(asked: Asked) -> None:
    """Also when the broker says that it has given it out before."""
    request = asked.said("cast", kilo.ComputeAPI.work, what="once")
    for attempt in (1, 1, 2):
        await asked.cast(request, attempt=attempt)
    assert asked.agent.done == ["once"]


async def test_a_cast_in_hand_comes_again_later(asked: Asked) -> None:
    """It is neither run beside itself nor dropped: its first run may still fail."""
    request = asked.said("cast", kilo.ComputeAPI.work, what="slow", seconds=0.5)
    first = asyncio.create_task(asked.cast(request))
    await settled()
    with pytest.raises(Redeliver):
        await asked.cast(request)
    await first
    await asked.cast(request)
    assert asked.agent.done == ["slow"]


async def test_a_cast_that_failed_is_run_again(asked: Asked) -> None:
    """Its handler has said that it is not done."""
    FAILURES["bad"] = ValueError("not yet")
    request = asked.said("cast", kilo.ComputeAPI.work, what="bad")
    with pytest.raises(Redeliver):
        await asked.cast(request)
    FAILURES.clear()
    for attempt in (2, 3):
        await asked.cast(request, attempt=attempt)
    assert asked.agent.done == ["bad", "bad"]


class Killed(Logbook):
    """The logbook of a process that is killed before it notes how anything ended."""

    async def end(self, receipt: Receipt, state: State | None) -> None:
        pass


async def restarted(asked: Asked, folder: Path, request: Request) -> Member:
    """An agent whose predecessor was killed when it had run this cast."""
    before = Killed(folder, "compute@h1", "one")
    asked.agent = await asked.serving(before)
    await asked.cast(request)
    before.close()
    logbook = Logbook(folder, "compute@h1", "two")
    logbook.open()
    return await asked.serving(logbook)


async def test_what_was_interrupted_by_a_kill_is_parked_as_unknown(asked: Asked, tmp_path: Path) -> None:
    """It is counted, and not run again, however often it comes; only an operator's word runs it, once."""
    before = counted("rpc.interrupted", method="compute.work")
    request = asked.said("cast", kilo.ComputeAPI.work, what="half")
    agent = await restarted(asked, tmp_path, request)
    for attempt in (2, 3):
        await asked.cast(request, agent, attempt=attempt)
    [parked] = await asked.api.transport.parked()
    assert (parked.message_id, parked.facts["error"]) == (request.message_id, "Unknown")
    assert "killed before it could note that it was done" in parked.facts["reason"]
    assert counted("rpc.interrupted", method="compute.work") == before + 1
    assert agent.done == []
    await asked.cast(request, agent, replayed=True)
    assert (agent.done, await asked.api.transport.parked()) == (["half"], [])
    await asked.cast(request, agent, attempt=4)
    assert agent.done == ["half"]


async def test_what_may_run_twice_runs_again_after_a_kill(asked: Asked, tmp_path: Path) -> None:
    """An idempotent endpoint says so, and is not even noted on the disk."""
    request = asked.said("cast", kilo.ComputeAPI.echo, text="any")
    agent = await restarted(asked, tmp_path, request)
    await asked.cast(request, agent, attempt=2)
    assert agent.done == ["any"]
    assert (await asked.api.transport.parked(), list(tmp_path.iterdir())) == ([], [])


async def test_a_cast_that_cannot_be_noted_does_not_run(asked: Asked, tmp_path: Path) -> None:
    """It goes back to the broker, until there is room on the disk."""
    folder = tmp_path / "later"
    agent = await asked.serving(Logbook(folder, "compute@h1", "one"))
    request = asked.said("cast", kilo.ComputeAPI.work, what="noted")
    with pytest.raises(Redeliver):
        await asked.cast(request, agent)
    assert agent.done == []
    folder.mkdir()
    await asked.cast(request, agent, attempt=2)
    assert agent.done == ["noted"]


class Committing(Noted):
    """As the database tells it: the work had committed something when it ended."""

    async def begin(self, receipt: Receipt) -> None:
        await super().begin(receipt)
        receipt.kept = True


async def test_a_handler_that_fails_after_its_first_transaction_is_not_tried_again(asked: Asked) -> None:
    """What it committed would be there twice: it is parked with its error at once."""
    agent = await asked.serving(Committing())
    FAILURES["bad"] = ValueError("too late")
    request = asked.said("cast", kilo.ComputeAPI.work, what="bad")
    for attempt in (1, 2):
        await asked.cast(request, agent, attempt=attempt)
    [parked] = await asked.api.transport.parked()
    assert (parked.facts["error"], parked.facts["reason"]) == ("ValueError", "too late")
    assert agent.done == ["bad"]
    FAILURES.clear()
    await asked.cast(request, agent, replayed=True)
    assert (agent.done, await asked.api.transport.parked()) == (["bad", "bad"], [])


async def test_a_replay_whose_run_is_interrupted_stays_parked(asked: Asked, tmp_path: Path) -> None:
    """An operator's word is for one run."""
    request = asked.said("cast", kilo.ComputeAPI.work, what="half")
    agent = await restarted(asked, tmp_path, request)
    await asked.cast(request, agent, attempt=2)
    notes, receipt = Noted(), Receipt(request, request.message_id)
    notes.put(receipt.message_id, Kept(Note(receipt.digest, State.BEGUN), receipt.until(State.BEGUN)))
    third = await asked.serving(notes)
    await asked.cast(request, third, attempt=2, replayed=True)
    assert third.done == []
    assert [each.message_id for each in await asked.api.transport.parked()] == [request.message_id]
    assert notes.kept[request.message_id].note.state == State.PARKED


async def test_a_refused_call_may_be_sent_again_under_its_id(asked: Asked) -> None:
    """It did not run, so there is nothing to remember."""
    request = asked.said("call", kilo.ComputeAPI.work, what="late")
    request.ttl = 0.0
    with pytest.raises(NotDelivered):
        await asked.call(request)
    request.ttl = 3.0
    await asked.call(request)
    assert asked.agent.done == ["late"]
