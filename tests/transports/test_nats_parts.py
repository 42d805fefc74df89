"""What is true of bodies in parts over NATS: what is refused of them, when they are dropped, and where they lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from midflight.transports import nats_parts
from midflight.transports.base import Address, NoAnswer, NobodyListens, ParkedMessage
from midflight.transports.embedded import EmbeddedBroker
from midflight.transports.nats import NatsListener, NatsTransport
from midflight.transports.nats_bodies import TICKET
from midflight.transports.nats_connection import Connection
from midflight.transports.nats_message import identity
from midflight.transports.nats_parts import Part, wanted_in, wanting
from tests.rpc.world import counted
from tests.transports.conftest import Fleet, on_broker
from tests.transports.recorder import MEMBER, Recorder, eventually

HOST1 = Address("compute", "host1")
LARGE = b"".join(b"%d," % number for number in range(400_000))


@pytest.fixture
async def fleet(broker: EmbeddedBroker) -> AsyncIterator[Fleet[NatsTransport]]:
    """A fleet on one NATS broker."""
    fleet = Fleet(on_broker(broker))
    yield fleet
    await fleet.close()


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come is missed sooner, so that tests need not wait for long."""
    monkeypatch.setattr(nats_parts, "PART_SECONDS", 1.0)


class Raw:
    """A peer that says what it likes to a listener, and keeps what it hears."""

    def __init__(self, broker: EmbeddedBroker, member: NatsTransport) -> None:
        self._subjects = member._subjects
        self._connection = Connection(broker.url, "raw", inbox=self._subjects.inbox(MEMBER))
        self.heard: list[Msg] = []
        self.reply = ""

    async def join(self) -> None:
        await self._connection.open()
        self.reply = f"{self._connection.new_inbox()}.call"
        await self._connection.subscribe(self.reply, self.heard.append)
        await self._connection.flush()

    async def say(self, body: bytes, headers: dict[str, str], reply: str = "") -> None:
        deadline, subject = asyncio.get_running_loop().time() + 5, self._subjects.call(HOST1, MEMBER)
        await self._connection.publish(subject, body, deadline=deadline, reply=reply or self.reply, headers=headers)

    async def answers_with(self, *answers: tuple[bytes, dict[str, str]], own: str = "") -> None:
        """Be the agent on host1 that says this, each to one message, and wants what follows at ``own``."""
        waiting = list(answers)

        def called(message: Msg) -> None:
            self.heard.append(message)
            if waiting:
                body, headers = waiting.pop(0)
                deadline = asyncio.get_running_loop().time() + 60
                saying = self._connection.publish(message.reply, body, deadline=deadline, reply=own, headers=headers)
                tasks.append(asyncio.create_task(saying))

        tasks: list[asyncio.Task[None]] = []
        await self._connection.subscribe(self._subjects.call(HOST1, None), called)
        await self._connection.flush()

    async def leave(self) -> None:
        await self._connection.close()


@pytest.fixture
async def raw(broker: EmbeddedBroker, fleet: Fleet[NatsTransport]) -> AsyncIterator[Raw]:
    """A peer in the same project."""
    raw = Raw(broker, await fleet.join())
    await raw.join()
    yield raw
    await raw.leave()


async def stored_bytes(member: NatsTransport) -> int:
    """How much of large bodies the broker keeps."""
    info = await member._store.ask(f"STREAM.INFO.{member._subjects.bodies}")
    return int(info["state"]["bytes"])


async def test_a_large_cast_leaves_nothing_behind(fleet: Fleet[NatsTransport]) -> None:
    """Its parts are stored before it is accepted, and dropped after it has run; no byte of them stays."""
    agent, member, caller = Recorder(), await fleet.join(), await fleet.join()
    await caller.cast(HOST1, LARGE, "cast-1")
    assert await stored_bytes(caller) > len(LARGE)
    await agent.listen(member, "compute", "host1")
    await eventually(lambda: agent.bodies == [LARGE])
    async with asyncio.timeout(60):
        while await stored_bytes(caller) > 1_000:
            await asyncio.sleep(0.02)


async def test_a_large_parked_message_leaves_nothing_behind(fleet: Fleet[NatsTransport]) -> None:
    """Its parts are its own, apart from those of the cast; they are dropped when it is discarded."""
    member, operator = await fleet.join(), await fleet.join()
    await member.park(ParkedMessage(HOST1, LARGE, "cast-1", {}))
    assert await stored_bytes(member) > len(LARGE)
    assert await operator.discard(HOST1, "cast-1")
    async with asyncio.timeout(60):
        while await stored_bytes(member) > 1_000:
            await asyncio.sleep(0.02)


async def test_what_is_no_part_of_the_body_is_refused(fleet: Fleet[NatsTransport], raw: Raw) -> None:
    """What comes twice, too early, or for a body of which nobody knows, is counted and told once; the body arrives as
    it was sent, once."""
    agent, before = Recorder(), counted("transport.refused", kind="part")
    await agent.listen(await fleet.join(), "compute", "host1")
    body, half = b"0123456789", 5
    with capture_logs() as logs:
        await raw.say(b"forged", Part(4, 10).headers, reply=raw.reply + ".other")
        await raw.say(body[:half], Part(0, 10).headers)
        await eventually(lambda: bool(raw.heard))
        assert wanted_in(raw.heard[0]) == Part(half, 0, "host1")
        await raw.say(body[:half], Part(0, 10).headers)
        await raw.say(b"89", Part(8, 10).headers)
        await raw.say(b"later", {**Part(5, 10).headers, "Midflight-Part": "five of ten"})
        await raw.say(body[half:], Part(half, 10).headers)
        await eventually(lambda: agent.calls == [body])
        await raw.say(body[half:], Part(half, 10).headers)
        await eventually(lambda: counted("transport.refused", kind="part") == before + 5)
    assert agent.calls == [body]
    refused = [line for line in logs if line["event"] == "transport.refused"]
    assert len(refused) == 2  # one for each inbox
    assert raw.heard[-1].data == b"one:" + body


@pytest.mark.parametrize(
    ("body", "part"),
    [(b"01234", Part(5, 10)), (b"0123456", Part(5, 9)), (b"0123456789", Part(5, 10)), (b"", Part(5, 10))],
)
async def test_a_part_that_does_not_fit_ends_it(fleet: Fleet[NatsTransport], raw: Raw, body: bytes, part: Part) -> None:
    """More bytes than were announced, or another size: nothing has run, and nothing is kept."""
    agent = Recorder()
    listener = await agent.listen(await fleet.join(), "compute", "host1")
    assert isinstance(listener, NatsListener)
    await raw.say(b"01234", Part(0, 10).headers)
    await eventually(lambda: bool(raw.heard))
    fits = len(body) == 5 and part.size == 10
    await raw.say(body, part.headers)
    await eventually(lambda: not listener._hands._tasks)
    assert (agent.calls == [b"0123401234"]) is fits
    assert listener._large._coming._taken == {}


@pytest.mark.usefixtures("brisk")
async def test_a_sender_that_goes_on_no_more_holds_nothing(fleet: Fleet[NatsTransport], raw: Raw) -> None:
    """A hundred bodies of which only the beginning comes are dropped soon; a good call is served meanwhile."""
    agent, caller = Recorder(), await fleet.join()
    listener = await agent.listen(await fleet.join(), "compute", "host1")
    assert isinstance(listener, NatsListener)
    for number in range(100):
        await raw.say(b"x" * 1000, Part(0, 100_000).headers, reply=f"{raw.reply}.{number}")
    await eventually(lambda: bool(listener._large._coming._taken))
    assert await caller.call(HOST1, b"hello", timeout=5) == b"one:hello"
    await eventually(lambda: not listener._hands._tasks)
    assert (listener._large._coming._taken, listener._large._transfers._open) == ({}, {})
    assert agent.calls == [b"hello"]


async def test_a_sender_has_room_for_so_much_and_no_more(
    fleet: Fleet[NatsTransport], raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no room is not executed, and its caller hears that at once; others have room of their own."""
    monkeypatch.setattr(nats_parts, "ROOM_PER_SENDER", 2_000_000)
    agent, caller = Recorder(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    await raw.say(b"x", Part(0, 1_500_000).headers)
    await eventually(lambda: len(raw.heard) == 1)
    await raw.say(b"x", Part(0, 1_000_000).headers, reply=raw.reply[:-4] + "call2")
    await raw.say(b"x", Part(0, 10**15).headers, reply=raw.reply[:-4] + "call3")
    assert await caller.call(HOST1, LARGE[:1_900_000], timeout=5) == b"one:" + LARGE[:1_900_000]
    with pytest.raises(NobodyListens):
        await caller.call(HOST1, LARGE[:2_100_000], timeout=3600)
    assert len(agent.calls) == 1


@pytest.mark.usefixtures("brisk")
async def test_a_callee_that_takes_no_further_part_has_not_run_it(fleet: Fleet[NatsTransport], raw: Raw) -> None:
    """Until the last part has gone out, the call is NobodyListens, long before its deadline."""
    caller = await fleet.join()
    await raw.answers_with((b"", wanting(caller.max_body, "host1")))
    with pytest.raises(NobodyListens):
        await caller.call(HOST1, LARGE, timeout=3600)
    assert [len(message.data) for message in raw.heard][:2] == [caller.max_body, caller.max_body]


@pytest.mark.parametrize("place", ["$JS.API.STREAM.PURGE.MF_shop", "mf.shop.call.compute.host2.compute.host1", ""])
async def test_nobody_is_made_to_speak_elsewhere(fleet: Fleet[NatsTransport], raw: Raw, place: str) -> None:
    """A callee that wants the next part at a place that is no inbox is sent it where its host listens; so is one from
    before parts went to the very listener."""
    caller, elsewhere = await fleet.join(), list[Msg]()
    if place:
        await raw._connection.subscribe(place, elsewhere.append)
    await raw.answers_with((b"", wanting(caller.max_body, "host1")), (b"done", {}), own=place)
    assert await caller.call(HOST1, LARGE[: caller.max_body + 10], timeout=60) == b"done"
    assert [len(message.data) for message in raw.heard] == [caller.max_body, 10]
    assert elsewhere == []


@pytest.mark.usefixtures("brisk")
async def test_an_answer_of_which_a_part_is_lost_is_no_answer(fleet: Fleet[NatsTransport], raw: Raw) -> None:
    """It has run: the call is NoAnswer, long before its deadline. So is one that is too large to be true."""
    caller = await fleet.join()
    await raw.answers_with((b"begin", Part(0, 1_000, "host1").headers), (b"x", Part(999, 1_000).headers))
    with pytest.raises(NoAnswer):
        await caller.call(HOST1, b"hello", timeout=3600)
    await raw.answers_with((b"begin", Part(0, 10**12, "host1").headers))
    with pytest.raises(NoAnswer):
        await caller.call(HOST1, b"hello", timeout=3600)
    assert caller._calls._transfers._open == {}


async def test_a_listener_without_a_host_takes_nothing_in_parts(fleet: Fleet[NatsTransport]) -> None:
    """Nobody could send it the rest; its caller hears at once that it did not run."""
    agent, caller = Recorder(), await fleet.join()
    await agent.listen(await fleet.join(), "compute")
    with pytest.raises(NobodyListens):
        await caller.call(Address("compute"), LARGE, timeout=3600)
    assert agent.calls == []


async def test_bytes_that_look_like_a_ticket_arrive_as_they_are(fleet: Fleet[NatsTransport]) -> None:
    """A transport carries any bytes; a ticket that somebody else made up leads nowhere, and is given as it is to who
    knows what to do with what cannot be read."""
    agent, caller = Recorder(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    body = TICKET + b"\x93\xa1a\x01\x01"
    await caller.cast(HOST1, body, "cast-1")
    await eventually(lambda: agent.bodies == [body])
    before = counted("transport.bodies_gone")
    await caller._store.put(caller._subjects.cast(HOST1, MEMBER), body, identity("cast-2", ""), 60)
    await caller._store.put(caller._subjects.cast(HOST1, MEMBER), TICKET + b"\xff", identity("cast-3", ""), 60)
    await eventually(lambda: len(agent.casts) == 3)
    assert agent.bodies[1:] == [body, TICKET + b"\xff"]
    assert counted("transport.bodies_gone") == before + 2


async def test_a_large_cast_whose_parts_are_gone_is_given_as_it_lies(fleet: Fleet[NatsTransport]) -> None:
    """It is counted and logged, and not lost: who takes it can park it."""
    agent, caller = Recorder(), await fleet.join()
    await caller.cast(HOST1, LARGE, "cast-1")
    await caller._store.ask(f"STREAM.PURGE.{caller._subjects.bodies}")
    with capture_logs() as logs:
        await agent.listen(await fleet.join(), "compute", "host1")
        await eventually(lambda: len(agent.casts) == 1)
    assert agent.bodies[0].startswith(TICKET)
    assert [line["message_id"] for line in logs if line["event"] == "transport.body_gone"] == ["cast-1"]
