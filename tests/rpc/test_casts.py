"""Casts with a key and an end: what is parked, held back, taken up, and never run out of order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from midflight.errors import BrokerUnreachable, InvalidValue, NotDelivered
from midflight.rpc import messages
from midflight.rpc.client import Client
from midflight.transports.base import Address, CastDelivery, Identity, ParkedMessage
from tests.rpc.machines import (
    AFTER,
    BEFORE,
    PAUSE_EXPIRES,
    UNORDERED,
    After,
    AfterService,
    BeforeService,
    Release,
    Unordered,
)
from tests.rpc.world import Fleet, Member, counted, settled

MACHINES: Client[After] = Client(After)


class Yard:
    """An API of the newer release, and agents of either, each noting what it runs in one list."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.done: list[str] = []
        self.failing: list[str] = []

    async def open(self) -> Yard:
        self.api = await self.fleet.member(AFTER, "a1")
        self.operator = await self.fleet.member(AFTER, "desk", "operator")
        return self

    async def agent(self, release: Release = AFTER, host: str = "h1") -> Member:
        """One that takes work from now on."""
        service: Any = BeforeService if release is BEFORE else AfterService
        member = await self.fleet.member(release, host, "machines")
        return await member.serve(service(self.done, self.failing), "machines")

    async def cast(self, endpoint: Any, name: str = "a", host: str | None = "h1", *, older: bool = False) -> None:
        """In our own version, or as an older peer understands it."""
        self.api.floors.pins = {"machines": BEFORE.contract.manifest} if older else {}
        await MACHINES.on(host).cast(endpoint, self.api.context, name)

    async def parked(self, count: int) -> list[ParkedMessage]:
        """So many, and not one more or less."""
        found: list[ParkedMessage] = []

        async def look() -> bool:
            found[:] = await self.api.transport.parked()
            return len(found) == count

        async with asyncio.timeout(60):
            while not await look():
                await asyncio.sleep(0.005)
        return found

    async def replay(self, message: ParkedMessage, act: str = "by hand") -> None:
        """As an operator does."""
        await self.operator.transport.replay(message, act)

    async def park_stop_and_start(self) -> tuple[Member, list[ParkedMessage]]:
        """An old agent is told to stop a machine in a way that it does not know, and then to start it."""
        agent = await self.agent(BEFORE)
        await self.cast(After.stop)
        await self.cast(After.start, older=True)
        return agent, await self.parked(2)


@pytest.fixture
async def yard(fleet: Fleet) -> Yard:
    return await Yard(fleet).open()


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_parked_cast_is_taken_up_by_the_next_member_that_understands_it(yard: Yard) -> None:
    """Where its endpoint is declared replayable; once, and it is parked no longer. Others wait for an operator."""
    old = await yard.agent(BEFORE)
    await yard.cast(After.stop, "a")
    await yard.cast(After.erase, "b")
    await yard.parked(2)
    await old.server.drain(1)
    before = counted("rpc.parked_ran", method="machines.stop")
    await yard.agent()
    [left] = await yard.parked(1)
    assert (yard.done, left.facts["method"]) == (["stop a"], "machines.erase")
    assert counted("rpc.parked_ran", method="machines.stop") == before + 1
    await yard.agent(host="h2")
    await settled()
    assert yard.done == ["stop a"]


async def test_a_start_never_overtakes_a_parked_stop(yard: Yard) -> None:
    """It is held back behind it, with the same key; other keys, and what has none, run on."""
    _, (stop, start) = await yard.park_stop_and_start()
    await yard.cast(After.start, "b", older=True)
    await yard.cast(After.look, "a", older=True)
    await eventually(lambda: yard.done == ["start b", "look a"])
    assert (stop.facts["error"], stop.facts["order"]) == ("VersionRejected", "a")
    assert (start.facts["error"], start.facts["behind"]) == ("NotDelivered", stop.message_id)
    assert f"an earlier cast with its ordering key is parked: {stop.message_id}" in start.facts["reason"]


async def test_a_parked_stop_runs_before_the_start_that_came_later(yard: Yard) -> None:
    """The newer agent takes both up in their order; also a start that waited in the queue while nobody listened."""
    old, _ = await yard.park_stop_and_start()
    await old.server.drain(1)
    await yard.cast(After.start, older=True)
    await yard.cast(After.look, older=True)
    await yard.agent()
    await eventually(lambda: len(yard.done) == 4)
    assert [what for what in yard.done if what != "look a"] == ["stop a", "start a", "start a"]
    await yard.parked(0)


async def test_an_older_agent_that_starts_again_knows_what_is_parked(yard: Yard) -> None:
    """The start that comes after its restart is held back too."""
    old, _ = await yard.park_stop_and_start()
    await old.server.drain(1)
    await yard.agent(BEFORE)
    await yard.cast(After.start, older=True)
    assert [message.facts.get("behind", "") != "" for message in await yard.parked(3)] == [False, True, True]
    assert yard.done == []


async def test_what_an_operator_discards_never_runs_and_sets_the_later_ones_free(yard: Yard) -> None:
    """The start goes on when it is replayed, or when anything else with its key comes."""
    _, (stop, start) = await yard.park_stop_and_start()
    assert await yard.api.transport.discard(stop.address, stop.message_id)
    await yard.replay(start)
    await eventually(lambda: yard.done == ["start a"])
    await yard.parked(0)
    await yard.cast(After.stop)
    await yard.cast(After.start, older=True)
    stop, _ = await yard.parked(2)
    await yard.api.transport.discard(stop.address, stop.message_id)
    await yard.cast(After.start, older=True)
    await eventually(lambda: yard.done == ["start a"] * 3)
    await yard.parked(0)


async def test_what_an_operator_replays_runs_and_lets_go_what_was_held_back(yard: Yard) -> None:
    """In the order of the key, though its endpoint is not declared replayable."""
    old = await yard.agent(BEFORE)
    await yard.cast(After.erase)
    await yard.cast(After.start, older=True)
    erase, _ = await yard.parked(2)
    await old.server.drain(1)
    await yard.agent()
    await settled()
    assert yard.done == []
    await yard.replay(erase)
    await eventually(lambda: yard.done == ["erase a", "start a"])
    await yard.parked(0)


async def test_a_later_one_that_is_replayed_first_stays_parked(yard: Yard) -> None:
    """The earlier one is still undecided."""
    _, parked = await yard.park_stop_and_start()
    await yard.replay(parked[1])
    await settled()
    assert (yard.done, await yard.parked(2)) == ([], parked)


async def test_a_replay_that_comes_twice_or_too_late_does_nothing(yard: Yard) -> None:
    """What runs is what is still parked."""
    old = await yard.agent(BEFORE)
    await yard.cast(After.erase, "a")
    await yard.cast(After.erase, "b")
    first, second = await yard.parked(2)
    await old.server.drain(1)
    for act in ("one", "two"):
        await yard.replay(first, act)
    await yard.replay(second)
    await yard.api.transport.discard(second.address, second.message_id)
    await yard.agent()
    await eventually(lambda: yard.done)
    await settled()
    assert yard.done == ["erase a"]


async def test_a_replay_to_one_that_still_does_not_understand_it_changes_nothing(yard: Yard) -> None:
    """It stays parked as it was, and can be replayed again at once."""
    old = await yard.agent(BEFORE)
    await yard.cast(After.erase)
    [message] = await yard.parked(1)
    await yard.replay(message, "one")
    await settled()
    assert await yard.parked(1) == [message]
    await old.server.drain(1)
    await yard.agent()
    await yard.replay(message, "two")
    await eventually(lambda: yard.done == ["erase a"])


async def test_an_expired_cast_is_not_run(yard: Yard) -> None:
    """It waited too long for somebody to listen: it is counted, and kept nowhere."""
    before = counted("rpc.expired", method="machines.pause")
    await yard.cast(After.pause)
    body = structs.replace(messages.decode_request(yard.api.transport.told[0]), expires=time.time() - 1)
    await yard.api.transport.cast(Address("machines", "h1"), messages.encode(body), "late-1")
    await yard.agent()
    await eventually(lambda: counted("rpc.expired", method="machines.pause") == before + 1)
    assert yard.done == ["pause a"]
    await yard.parked(0)


async def test_what_waits_behind_a_parked_cast_goes_on_when_that_has_expired(yard: Yard) -> None:
    """Without anybody's doing; the expired one is never run, and parked no longer."""
    await yard.agent(BEFORE)
    await yard.cast(After.pause)
    await yard.cast(After.start, older=True)
    await yard.parked(2)
    assert yard.done == []
    await eventually(lambda: yard.done == ["start a"])
    await yard.parked(0)


async def test_an_expired_cast_is_not_taken_up(yard: Yard) -> None:
    """Who starts lets go of it, with a count."""
    old = await yard.agent(BEFORE)
    await yard.cast(After.pause)
    await yard.parked(1)
    await old.server.drain(1)
    await asyncio.sleep(PAUSE_EXPIRES)
    await yard.agent()
    await yard.parked(0)
    assert yard.done == []


async def test_what_was_sent_to_any_member_is_taken_up_by_one(yard: Yard) -> None:
    """Though two start at once."""
    old = await yard.agent(BEFORE)
    await yard.cast(After.hint, host=None)
    await yard.parked(1)
    await old.server.drain(1)
    await asyncio.gather(yard.agent(host="h1"), yard.agent(host="h2"))
    await yard.parked(0)
    await settled()
    assert yard.done == ["hint a"]


async def test_a_call_does_not_overtake_a_parked_cast(yard: Yard) -> None:
    """It certainly does not run, and its caller learns why; with another key it is served."""
    _, (stop, _) = await yard.park_stop_and_start()
    with pytest.raises(NotDelivered, match=f"is parked: {stop.message_id}"):
        await MACHINES.on("h1").call(After.start, yard.api.context, "a")
    await MACHINES.on("h1").call(After.start, yard.api.context, "b")
    assert yard.done == ["start b"]


async def test_a_cast_with_a_key_needs_a_host(yard: Yard) -> None:
    """Nothing is sent: among several receivers nobody could keep the order."""
    with pytest.raises(InvalidValue, match=r"machines.start, ordered by name: received a cast to any member"):
        await yard.cast(After.start, host=None)
    assert yard.api.transport.told == []


async def test_a_later_cast_waits_for_one_that_failed_and_comes_again(yard: Yard) -> None:
    """What has another key does not."""
    yard.failing = ["stop a"]
    await yard.agent()
    for endpoint, name in ((After.stop, "a"), (After.start, "a"), (After.start, "b")):
        await yard.cast(endpoint, name)
    await eventually(lambda: len(yard.done) == 3)
    assert yard.done == ["start b", "stop a", "start a"]


async def test_a_later_cast_waits_for_one_that_could_not_be_parked(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker did not take the stop; until it does, the start does not run, and then it is held back."""
    monkeypatch.setattr("midflight.rpc.parked._AGAIN", 0.2)
    agent = await yard.agent(BEFORE)
    agent.transport.failing = [BrokerUnreachable(url="nats://x", reason="gone")]
    await yard.cast(After.stop)
    await yard.cast(After.start, older=True)
    stop, start = await yard.parked(2)
    assert (start.facts["behind"], yard.done) == (stop.message_id, [])


async def test_what_fails_when_it_is_taken_up_stays_parked(yard: Yard) -> None:
    """And holds back the others, until an operator decides or somebody starts again."""
    old, parked = await yard.park_stop_and_start()
    await old.server.drain(1)
    yard.failing = ["stop a"]
    new = await yard.agent()
    await eventually(lambda: not yard.failing)
    await settled()
    assert (yard.done, await yard.parked(2)) == ([], parked)
    await new.server.drain(1)
    await yard.agent()
    await eventually(lambda: yard.done == ["stop a", "start a"])


async def test_what_a_sender_without_keys_sends_has_the_key_of_its_arguments(yard: Yard) -> None:
    """So that it does not overtake, either."""
    await yard.park_stop_and_start()
    older = await yard.fleet.member(UNORDERED, "a2")
    client: Client[Unordered] = Client(Unordered, host="h1")
    await client.cast(Unordered.start, older.context, "a")
    assert [message.facts["order"] for message in await yard.parked(3)] == ["a"] * 3
    assert yard.done == []


async def test_a_cast_that_comes_again_though_it_is_parked_is_parked_once(yard: Yard) -> None:
    """The broker had not heard that it was."""
    agent, parked = await yard.park_stop_and_start()
    for message in parked:
        again = CastDelivery(message.body, message.message_id, attempt=2, sender=Identity("api", "a1"))
        await agent.dispatcher.on_cast(again, message.address)
    assert (yard.done, await yard.parked(2)) == ([], parked)


async def test_drain_leaves_parked_what_was_not_finished(yard: Yard) -> None:
    """It is taken up again by the next one."""
    await yard.park_stop_and_start()
    agent = await yard.fleet.member(AFTER, "h1", "machines")
    gate = asyncio.Event()

    class Slow(AfterService):
        async def stop(self, context: Any, name: str) -> None:
            await gate.wait()

    await yard.fleet.members[1].server.drain(1)
    await agent.serve(Slow(yard.done, yard.failing), "machines")
    await settled()
    await agent.server.drain(0.01)
    await yard.parked(2)
    await yard.agent()
    await eventually(lambda: yard.done == ["stop a", "start a"])
