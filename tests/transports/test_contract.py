"""What every transport promises. Each claim is made of the memory bus, of real NATS brokers (one server, three that are
one cluster, and one behind TLS that wants to see a certificate and an nkey), and of a real RabbitMQ."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from midflight.errors import MessageTooLarge
from midflight.transports import places
from midflight.transports.base import (
    Address,
    CastDelivery,
    Identity,
    NoAnswer,
    NobodyListens,
    ParkedMessage,
    Redeliver,
    Transport,
)
from tests.transports.conftest import ACK_WAIT, Fleet
from tests.transports.recorder import MEMBER, PATIENCE, Gated, Recorder, eventually

COMPUTE = Address("compute")
HOST1 = Address("compute", "host1")
HOST2 = Address("compute", "host2")


async def test_call_is_answered(fleet: Fleet[Transport]) -> None:
    """A call to a topic comes back with what the handler returned, byte for byte."""
    await Recorder().listen(await fleet.join(), "compute", "host1")
    caller = await fleet.join()
    assert await caller.call(COMPUTE, b"\x00\xff\r\n", timeout=5) == b"one:\x00\xff\r\n"
    assert await caller.call(COMPUTE, b"", timeout=5) == b"one:"


async def test_member_may_call_itself(fleet: Fleet[Transport]) -> None:
    """A member that listens can call its own address."""
    member = await fleet.join()
    await Recorder().listen(member, "compute", "host1")
    assert await member.call(HOST1, b"hello", timeout=5) == b"one:hello"


async def test_calls_run_side_by_side(fleet: Fleet[Transport]) -> None:
    """Ten calls at once to one listener are in hand at once."""
    agent = Gated()
    await agent.listen(await fleet.join(), "compute", "host1")
    caller = await fleet.join()
    calls = [asyncio.create_task(caller.call(HOST1, b"%d" % number, timeout=5)) for number in range(10)]
    await eventually(lambda: agent.running == 10)
    agent.gate.set()
    assert sorted(await asyncio.gather(*calls)) == [b"gated:%d" % number for number in range(10)]
    assert agent.most == 10


async def test_topic_is_shared(fleet: Fleet[Transport]) -> None:
    """Calls and casts to a topic go to one of its listeners each, and all of them get some."""
    workers = [Recorder(), Recorder()]
    for number, worker in enumerate(workers):
        await worker.listen(await fleet.join(), "compute", f"host{number}")
    caller = await fleet.join()
    for number in range(40):
        await caller.call(COMPUTE, b"%d" % number, timeout=5)
        await caller.cast(COMPUTE, b"%d" % number, f"cast-{number}")
    await eventually(lambda: sum(len(worker.casts) for worker in workers) == 40)
    assert sorted(workers[0].calls + workers[1].calls) == sorted(b"%d" % number for number in range(40))
    assert sorted(workers[0].bodies + workers[1].bodies) == sorted(b"%d" % number for number in range(40))
    assert all(worker.calls and worker.casts for worker in workers)


async def test_one_host(fleet: Fleet[Transport]) -> None:
    """Calls and casts to a host go to that host alone."""
    first, second = Recorder("first"), Recorder("second")
    await first.listen(await fleet.join(), "compute", "host1")
    await second.listen(await fleet.join(), "compute", "host2")
    caller = await fleet.join()
    for number in range(5):
        assert await caller.call(HOST2, b"hello", timeout=5) == b"second:hello"
        await caller.cast(HOST2, b"hello", f"cast-{number}")
    await eventually(lambda: len(second.casts) == 5)
    assert (first.calls, first.casts) == ([], [])


async def test_a_host_is_shared_with_its_successor(fleet: Fleet[Transport]) -> None:
    """Who follows somebody on a host listens there before that one leaves: each call to the host is run by one of them,
    large or small, and also while the old one finishes what it has in hand."""
    old, new, caller = Gated("old"), Recorder("new"), await fleet.join()
    listener = await old.listen(await fleet.join(), "compute", "host1")
    first = asyncio.create_task(caller.call(HOST1, b"first", timeout=60))
    await eventually(lambda: old.running == 1)
    await new.listen(await fleet.join(), "compute", "host1")
    bodies = [(b"%d," % number) * (600_000 if number % 5 == 0 else 300) for number in range(30)]  # quickly made

    async def call(body: bytes) -> None:
        while True:
            with suppress(NobodyListens):
                assert (await caller.call(HOST1, body, timeout=60)).partition(b":")[2] == body
                return
            await asyncio.sleep(0.01)

    calls = [asyncio.create_task(call(body)) for body in bodies[:15]]
    await eventually(lambda: len(new.calls) + old.running == 1 + 15)
    draining = asyncio.create_task(listener.drain(timeout=60))
    calls += [asyncio.create_task(call(body)) for body in bodies[15:]]
    await eventually(lambda: len(new.calls) + old.running == 1 + 30)
    old.gate.set()
    await asyncio.gather(first, draining, *calls)
    assert Counter(old.calls + new.calls) == Counter([b"first", *bodies])


async def test_listener_without_a_host(fleet: Fleet[Transport]) -> None:
    """A listener may take only what is sent to its topic and to all."""
    worker, caller = Recorder(), await fleet.join()
    await worker.listen(await fleet.join(), "scheduler")
    assert await caller.call(Address("scheduler"), b"hello", timeout=5) == b"one:hello"
    await caller.cast(Address("scheduler"), b"cast", "cast-1")
    await caller.fanout("scheduler", b"all")
    await eventually(lambda: worker.bodies == [b"cast"] and worker.fanouts == [b"all"])


async def test_fanout(fleet: Fleet[Transport]) -> None:
    """A fanout reaches everyone who listens to the topic, once, and nobody else."""
    agents, scheduler = [Recorder() for _ in range(3)], Recorder()
    for number, agent in enumerate(agents):
        await agent.listen(await fleet.join(), "compute", f"host{number}")
    await scheduler.listen(await fleet.join(), "scheduler", "host1")
    caller = await fleet.join()
    await caller.fanout("compute", b"all")
    await caller.fanout("scheduler", b"other")
    await eventually(lambda: scheduler.fanouts == [b"other"])
    await eventually(lambda: all(agent.fanouts for agent in agents))
    assert [agent.fanouts for agent in agents] == [[b"all"]] * 3
    assert [agent.calls + agent.bodies for agent in agents] == [[]] * 3
    await caller.fanout("nobody", b"lost")


async def test_nobody_listens(fleet: Fleet[Transport]) -> None:
    """A call that nobody can take fails at once: nobody is at the topic, or not this host, or no longer."""
    agent, caller = Recorder(), await fleet.join()
    with pytest.raises(NobodyListens, match=r"^Nobody listens at compute\.$"):
        await caller.call(COMPUTE, b"hello", timeout=3600)
    listener = await agent.listen(await fleet.join(), "compute", "host1")
    with pytest.raises(NobodyListens, match=r"^Nobody listens at compute@host2\.$"):
        await caller.call(HOST2, b"hello", timeout=3600)
    await listener.drain(timeout=1)
    for address in (COMPUTE, HOST1):
        with pytest.raises(NobodyListens):
            await caller.call(address, b"hello", timeout=3600)
    assert agent.calls == []


async def test_no_answer(fleet: Fleet[Transport]) -> None:
    """A call whose handler takes too long ends at its timeout, and an answer all the same disturbs no later call."""

    class Stubborn(Gated):
        async def on_call(self, body: bytes, sender: Identity) -> bytes:
            with suppress(asyncio.CancelledError):
                return await super().on_call(body, sender)
            return await super().on_call(body, sender)

    agent, caller = Stubborn(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    with pytest.raises(NoAnswer, match=r"^No answer from compute@host1 within 0\.5 s\.$"):
        await caller.call(HOST1, b"slow", timeout=0.5)
    await eventually(lambda: agent.cancelled == 1)
    agent.gate.set()
    assert await caller.call(HOST1, b"quick", timeout=5) == b"gated:quick"
    assert agent.calls == [b"slow", b"quick"]


async def test_cast_waits_for_a_listener(fleet: Fleet[Transport]) -> None:
    """Casts to a topic and to a host wait for a listener that starts later, and come in their order."""
    caller, agent, other = await fleet.join(), Recorder(), Recorder()
    for number in range(3):
        await caller.cast(COMPUTE, b"topic %d" % number, f"topic-{number}")
        await caller.cast(HOST1, b"host %d" % number, f"host-{number}")
    await other.listen(await fleet.join(), "scheduler", "host1")
    await agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: len(agent.casts) == 6)
    assert [body for body in agent.bodies if body.startswith(b"topic")] == [b"topic 0", b"topic 1", b"topic 2"]
    assert [body for body in agent.bodies if body.startswith(b"host")] == [b"host 0", b"host 1", b"host 2"]
    assert {delivery.attempt for delivery in agent.casts} == {1}
    assert {delivery.message_id for delivery in agent.casts} >= {"topic-0", "host-2"}
    assert other.casts == []


async def test_cast_outlives_its_sender(fleet: Fleet[Transport]) -> None:
    """A cast that was handed over is run although its sender has left."""
    caller, agent = await fleet.join(), Recorder()
    await caller.cast(HOST1, b"last words", "cast-1")
    await caller.close()
    await agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: agent.bodies == [b"last words"])


async def test_casts_run_side_by_side_within_the_limit(fleet: Fleet[Transport]) -> None:
    """As many casts as the limit says run at once, topic and host together, and not one more."""
    agent, caller = Gated(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1", limit=3)
    for number in range(10):
        await caller.cast(COMPUTE if number % 2 else HOST1, b"%d" % number, f"cast-{number}")
    await eventually(lambda: agent.running == 3)
    await asyncio.sleep(0.1)
    assert agent.running == 3
    agent.gate.set()
    await eventually(lambda: agent.finished == 10)
    assert agent.most == 3
    assert Counter(agent.bodies) == Counter(b"%d" % number for number in range(10))


class Waiting(Recorder):
    """Casts that begin with ``w`` stand aside until ``gate`` is set; ``begun`` are those that came so far."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.begun, self.inside, self.most = asyncio.Event(), list[bytes](), 0, 0

    async def on_cast(self, delivery: CastDelivery) -> None:
        self.begun.append(delivery.body)
        if delivery.body.startswith(b"w"):
            async with delivery.aside():
                await self.gate.wait()
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        await super().on_cast(delivery)


async def test_what_stands_aside_holds_up_no_others(fleet: Fleet[Transport], monkeypatch: pytest.MonkeyPatch) -> None:
    """Casts that came to a host and must wait take no places of those that need not, up to a bound; beyond it they stay
    with the broker. In the end each has run, no more of them at once than the limit says."""
    monkeypatch.setattr(places, "ASIDE", 3)
    agent, caller = Waiting(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1", limit=2)
    for number in range(3):
        await caller.cast(HOST1, b"w%d" % number, f"wait-{number}")
    await eventually(lambda: len(agent.begun) == 3)
    await caller.cast(HOST1, b"quick", "quick-1")
    await caller.cast(COMPUTE, b"shared", "quick-2")
    await eventually(lambda: len(agent.casts) == 2)
    for number in range(3, 9):
        await caller.cast(HOST1, b"w%d" % number, f"wait-{number}")
    await eventually(lambda: len(agent.begun) == 2 + 2 + 3)
    await caller.cast(HOST1, b"late", "quick-3")
    await asyncio.sleep(0.1)
    assert (len(agent.begun), agent.bodies.count(b"late")) == (7, 0)
    agent.gate.set()
    await eventually(lambda: len(agent.casts) == 12)
    assert agent.most <= 2
    assert Counter(agent.bodies) == Counter([b"quick", b"shared", b"late", *(b"w%d" % number for number in range(9))])


async def test_killed_listener(fleet: Fleet[Transport]) -> None:
    """The cast that a killed listener had in hand is run by another one, as the second attempt."""
    agent, next_agent, doomed, caller = Gated(), Recorder(), await fleet.join(), await fleet.join()
    await agent.listen(doomed, "compute", "host1")
    await caller.cast(HOST1, b"precious", "cast-1")
    await eventually(lambda: agent.running == 1)
    await doomed.close()
    assert (agent.cancelled, agent.finished) == (1, 0)
    await next_agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: len(next_agent.casts) == 1)
    assert next_agent.casts == [CastDelivery(b"precious", "cast-1", attempt=2, sender=MEMBER)]


async def test_acknowledged_cast_never_comes_again(fleet: Fleet[Transport]) -> None:
    """A cast that has run stays done when its listener is killed afterwards."""
    agent, next_agent, doomed, caller = Recorder(), Recorder(), await fleet.join(), await fleet.join()
    listener = await agent.listen(doomed, "compute", "host1")
    await caller.cast(HOST1, b"first", "cast-1")
    await eventually(lambda: len(agent.casts) == 1)
    await listener.drain(timeout=5)
    await doomed.close()
    await next_agent.listen(await fleet.join(), "compute", "host1")
    await asyncio.sleep(1.2 * ACK_WAIT)
    await caller.cast(HOST1, b"second", "cast-2")
    await eventually(lambda: len(next_agent.casts) == 1)
    assert next_agent.bodies == [b"second"]


async def test_long_cast_is_not_taken_for_dead(fleet: Fleet[Transport]) -> None:
    """A handler that runs for longer than a killed one would be waited for keeps its cast to itself."""
    agent, other, caller = Gated(), Recorder(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    await caller.cast(COMPUTE, b"long", "cast-1")
    await eventually(lambda: agent.running == 1)
    await other.listen(await fleet.join(), "compute", "host2")
    await asyncio.sleep(1.5 * ACK_WAIT)
    agent.gate.set()
    await eventually(lambda: agent.finished == 1)
    await asyncio.sleep(1.2 * ACK_WAIT)
    assert (len(agent.casts), other.casts) == (1, [])


async def test_redeliver(fleet: Fleet[Transport]) -> None:
    """A cast whose handler raises Redeliver comes again, with a higher attempt, and lets others pass meanwhile."""

    class Busy(Recorder):
        async def on_cast(self, delivery: CastDelivery) -> None:
            await super().on_cast(delivery)
            if delivery.body == b"again" and delivery.attempt < 3:
                raise Redeliver(0.1)

    agent, caller = Busy(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1", limit=1)
    await caller.cast(HOST1, b"again", "cast-1")
    await caller.cast(HOST1, b"other", "cast-2")
    await eventually(lambda: len(agent.casts) == 4)
    assert [(delivery.body, delivery.attempt) for delivery in agent.casts] == [
        (b"again", 1),
        (b"other", 1),
        (b"again", 2),
        (b"again", 3),
    ]


async def test_duplicate_cast(fleet: Fleet[Transport]) -> None:
    """A message id that was handed over before is not run again, whether the first is still waiting or was run."""
    agent, caller, other = Recorder(), await fleet.join(), await fleet.join()
    await caller.cast(HOST1, b"once", "cast-1")
    await other.cast(HOST1, b"once", "cast-1")
    await agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: len(agent.casts) == 1)
    await caller.cast(HOST1, b"once", "cast-1")
    await caller.cast(HOST1, b"next", "cast-2")
    await eventually(lambda: len(agent.casts) == 2)
    assert agent.bodies == [b"once", b"next"]


async def test_failing_handlers(fleet: Fleet[Transport]) -> None:
    """Handlers that raise, whatever it is, do not end the listener; a failed cast comes again."""

    class Clumsy(Recorder):
        async def on_call(self, body: bytes, sender: Identity) -> bytes:
            if body == b"break":
                raise KeyError(body)
            return await super().on_call(body, sender)

        async def on_cast(self, delivery: CastDelivery) -> None:
            await super().on_cast(delivery)
            if delivery.attempt == 1:
                raise RecursionError

        async def on_fanout(self, body: bytes, sender: Identity) -> None:
            await super().on_fanout(body, sender)
            raise ZeroDivisionError

    agent, caller = Clumsy(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    await caller.fanout("compute", b"all")
    await caller.cast(HOST1, b"cast", "cast-1")
    with pytest.raises(NoAnswer):
        await caller.call(HOST1, b"break", timeout=0.5)
    await eventually(lambda: len(agent.fanouts) == 1 and len(agent.casts) == 2)
    assert [delivery.attempt for delivery in agent.casts] == [1, 2]
    assert await caller.call(HOST1, b"hello", timeout=5) == b"one:hello"


async def test_drain_finishes_what_is_in_hand(fleet: Fleet[Transport]) -> None:
    """A drained listener answers the calls it has, acknowledges the casts it has, and takes no new ones."""
    agent, caller = Gated(), await fleet.join()
    listener = await agent.listen(await fleet.join(), "compute", "host1", limit=1)
    call = asyncio.create_task(caller.call(HOST1, b"call", timeout=60))
    await caller.cast(HOST1, b"in hand", "cast-1")
    await eventually(lambda: agent.running == 2)
    await caller.cast(HOST1, b"not begun", "cast-2")
    draining = asyncio.create_task(listener.drain(timeout=60))
    with pytest.raises(NobodyListens):
        await until_nobody_listens(caller)
    assert not draining.done()
    agent.gate.set()
    await draining
    await listener.drain(timeout=10)
    assert (await call, agent.bodies) == (b"gated:call", [b"in hand"])
    next_agent = Recorder()
    await next_agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: next_agent.bodies == [b"not begun"])


async def until_nobody_listens(caller: Transport) -> None:
    """Call until that is refused: what the broker has sent before it hears of a drain is in hand."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(NoAnswer):
                await caller.call(HOST1, b"late", timeout=1)


class Leaving(Waiting):
    """Besides, casts that begin with ``r`` run until ``released`` is set; ``rw`` wants to stand aside only then."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    async def on_cast(self, delivery: CastDelivery) -> None:
        if not delivery.body.startswith(b"r"):
            await super().on_cast(delivery)
            return
        self.begun.append(delivery.body)
        await self.released.wait()
        if delivery.body == b"rw":
            async with delivery.aside():
                pass
        self.casts.append(delivery)


async def test_drain_gives_back_what_has_not_begun(fleet: Fleet[Transport]) -> None:
    """Of a drained listener's casts only what runs is finished. What stands aside, wants to after that, or waits for
    its place does not begin, although it could, and is run by the next listener."""
    agent, next_agent, caller = Leaving(), Recorder(), await fleet.join()
    listener = await agent.listen(await fleet.join(), "compute", "host1", limit=2)
    for count, bodies in ((2, [b"w0", b"w1"]), (4, [b"r", b"rw"]), (4, [b"not begun"])):
        for body in bodies:
            await caller.cast(HOST1, body, f"cast-{body.decode()}".replace(" ", "-"))
        await eventually(lambda count=count: len(agent.begun) == count)
    draining = asyncio.create_task(listener.drain(timeout=60))
    with pytest.raises(NobodyListens):
        await until_nobody_listens(caller)
    agent.gate.set()
    agent.released.set()
    await draining
    assert (agent.bodies, sorted(agent.begun)) == ([b"r"], [b"r", b"rw", b"w0", b"w1"])
    await next_agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: len(next_agent.casts) == 4)
    assert sorted(next_agent.bodies) == [b"not begun", b"rw", b"w0", b"w1"]


async def test_drain_gives_back_what_takes_too_long(fleet: Fleet[Transport]) -> None:
    """When the bound of a drain is over, what is left is cancelled, and its casts are run by somebody else at once."""
    agent, next_agent, caller = Gated(), Recorder(), await fleet.join()
    listener = await agent.listen(await fleet.join(), "compute", "host1")
    await next_agent.listen(await fleet.join(), "compute", "host2")
    for number in range(10):
        await caller.cast(HOST1 if number == 0 else COMPUTE, b"%d" % number, f"cast-{number}")
    call = asyncio.create_task(caller.call(HOST1, b"call", timeout=60))
    await eventually(lambda: len(agent.casts) + len(next_agent.casts) == 10 and agent.running == len(agent.casts) + 1)
    held = len(agent.casts)
    await listener.drain(timeout=0.05)
    assert agent.cancelled == held + 1
    await eventually(lambda: len(next_agent.casts) == 9)
    assert {delivery.attempt for delivery in next_agent.casts} <= {1, 2}
    assert not call.done()
    call.cancel()


def at_least(counts: Counter[bytes], total: int) -> bool:
    """Whether so many were counted."""
    return sum(counts.values()) >= total


async def test_drain_under_load_loses_nothing(fleet: Fleet[Transport]) -> None:
    """While twenty callers call and cast without a pause, one of two listeners is drained and replaced, three times:
    each call is answered once, each cast is run once."""
    handled: Counter[bytes] = Counter()

    class Worker(Recorder):
        async def on_call(self, body: bytes, sender: Identity) -> bytes:
            await asyncio.sleep(0.005)
            handled[body] += 1
            return b"answer to " + body

        async def on_cast(self, delivery: CastDelivery) -> None:
            await asyncio.sleep(0.005)
            handled[delivery.body] += 1

    answered, handed_over, stop = Counter[bytes](), Counter[bytes](), asyncio.Event()

    async def load(name: int, member: Transport) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            call, cast = b"call %d.%d" % (name, number), b"cast %d.%d" % (name, number)
            assert await member.call(COMPUTE, call, timeout=60) == b"answer to " + call
            answered[call] += 1
            await member.cast(COMPUTE, cast, cast.decode().replace(" ", "-"))
            handed_over[cast] += 1

    ack_wait = 20  # so that a busy machine makes nobody look dead
    patient = partial(fleet.join, ack_wait=ack_wait)
    members, stays, leaves = [await patient(), await patient()], await patient(), await patient()
    await Worker().listen(stays, "compute", "host1")
    listener = await Worker().listen(leaves, "compute", "host2")
    callers = [asyncio.create_task(load(number, members[number % 2])) for number in range(20)]
    for _ in range(3):
        await eventually(partial(at_least, answered, sum(answered.values()) + 100))
        await listener.drain(timeout=10)
        await leaves.close()
        leaves = await patient()
        listener = await Worker().listen(leaves, "compute", "host2")
    stop.set()
    await asyncio.gather(*callers)
    # A cluster may send a cast to who has just left, before all its servers know: it comes again when that is noticed.
    total = sum(answered.values()) + sum(handed_over.values())
    await eventually(partial(at_least, handled, total), patience=ack_wait + PATIENCE)
    assert handled == answered + handed_over
    assert set(handled.values()) == {1}


async def test_too_large(fleet: Fleet[Transport]) -> None:
    """The largest body passes every way; one byte more is refused before it is sent, with its size and the limit."""
    agent, caller = Recorder(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    largest, all_take = b"x" * caller.max_whole, b"x" * caller.max_body
    assert caller.max_body > 1_000_000
    assert caller.max_whole > 15 * caller.max_body - 100_000
    assert await caller.call(HOST1, largest[:-4], timeout=60) == b"one:" + largest[:-4]
    await caller.cast(HOST1, largest, "cast-1")
    await caller.fanout("compute", all_take)
    await eventually(lambda: agent.bodies == [largest] and agent.fanouts == [all_take])
    with pytest.raises(MessageTooLarge, match=f"^call to compute@host1 is {len(largest) + 1} bytes"):
        await caller.call(HOST1, largest + b"x", timeout=60)
    with pytest.raises(MessageTooLarge, match="^cast to compute@host1 is"):
        await caller.cast(HOST1, largest + b"x", "cast-2")
    with pytest.raises(MessageTooLarge, match="^fanout to compute is"):
        await caller.fanout("compute", all_take + b"x")
    assert (len(agent.calls), len(agent.casts), len(agent.fanouts)) == (1, 1, 1)


async def test_too_large_an_answer(fleet: Fleet[Transport]) -> None:
    """An answer that is too large is not sent, and its listener goes on."""
    agent, caller = Recorder(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    with pytest.raises(NoAnswer):
        await caller.call(HOST1, b"x" * caller.max_whole, timeout=2)
    assert await caller.call(HOST1, b"small", timeout=5) == b"one:small"


def different(number: int, size: int) -> bytes:
    """A body that differs from others, and of which no part looks like another."""
    return b"".join(b"%d.%d," % (number, at) for at in range(size // 6))[:size]


async def test_large_bodies_side_by_side(fleet: Fleet[Transport]) -> None:
    """Large calls and casts to a topic and its hosts, between small ones: each body and each answer arrives whole, and
    each call and cast is run once, by one listener."""
    workers, caller = [Recorder("one"), Recorder("two")], await fleet.join()
    for number, worker in enumerate(workers, 1):
        await worker.listen(await fleet.join(), "compute", f"host{number}")
    large = [different(number, 2_500_000 + number) for number in range(4)]
    small = [different(number, 1_000) for number in range(20)]

    async def call(address: Address, body: bytes) -> None:
        assert (await caller.call(address, body, timeout=30)).partition(b":")[2] == body

    calls = [call(COMPUTE if number % 2 else HOST1, body) for number, body in enumerate([*large, *small])]
    casts = [caller.cast(COMPUTE if n % 2 else HOST2, body, f"cast-{n}") for n, body in enumerate([*large, *small])]
    await asyncio.gather(*calls, *casts)
    await eventually(lambda: sum(len(worker.casts) for worker in workers) == 24)
    assert Counter(workers[0].bodies + workers[1].bodies) == Counter([*large, *small])
    assert Counter(workers[0].calls + workers[1].calls) == Counter([*large, *small])


async def test_a_large_call_to_nobody(fleet: Fleet[Transport]) -> None:
    """It fails as fast as a small one, and is certainly not executed."""
    caller = await fleet.join()
    with pytest.raises(NobodyListens):
        await caller.call(HOST1, b"x" * 3_000_000, timeout=3600)


async def test_a_large_cast_outlives_its_sender_and_its_first_receiver(fleet: Fleet[Transport]) -> None:
    """Its parts are acknowledged as one, after it has run: they come again, whole, when its receiver is killed."""
    body = different(1, 3_000_000)
    sender, doomed = await fleet.join(), await fleet.join()
    await sender.cast(HOST1, body, "cast-1")
    await sender.close()
    agent, next_agent = Gated(), Recorder()
    await agent.listen(doomed, "compute", "host1")
    await eventually(lambda: agent.running == 1)
    await doomed.close()
    await next_agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: len(next_agent.casts) == 1)
    assert next_agent.casts == [CastDelivery(body, "cast-1", 2, MEMBER)]


async def test_a_large_message_can_be_parked(fleet: Fleet[Transport]) -> None:
    """It is found and listed whole, comes again when it is replayed though it came and was acknowledged before, and
    its facts are kept; and it can be discarded."""
    agent, sender, member = Recorder(), await fleet.join(), await fleet.join()
    await agent.listen(member, "compute", "host1")
    body = different(1, 3_000_000)
    await sender.cast(HOST1, body, "cast-1")
    await eventually(lambda: len(agent.casts) == 1)
    message = ParkedMessage(HOST1, body, "cast-1", {"reason": "new"})
    await member.park(message)
    assert await sender.find_parked(HOST1, "cast-1") == message
    await sender.replay(message, "again")
    await eventually(lambda: len(agent.casts) == 2)
    assert agent.casts == [
        CastDelivery(body, "cast-1", 1, MEMBER),
        CastDelivery(body, "cast-1", 1, MEMBER, replayed=True),
    ]
    assert await member.parked() == [message]
    assert await sender.discard(HOST1, "cast-1")
    assert await member.parked() == []


async def test_drain_finishes_large_calls(fleet: Fleet[Transport]) -> None:
    """A listener that is drained hands out the whole of the large answers that it has in hand."""
    agent, caller = Gated(), await fleet.join()
    listener = await agent.listen(await fleet.join(), "compute", "host1")
    bodies = [different(number, 5_000_000) for number in range(2)]
    calls = [asyncio.create_task(caller.call(HOST1, body, timeout=60)) for body in bodies]
    await eventually(lambda: agent.running == 2)
    draining = asyncio.create_task(listener.drain(timeout=20))
    await asyncio.sleep(0.1)
    agent.gate.set()
    await draining
    assert await asyncio.gather(*calls) == [b"gated:" + body for body in bodies]


async def test_parked(fleet: Fleet[Transport]) -> None:
    """Parked messages are kept, with their facts, for every member to see, oldest first; the same one is kept once."""
    receiver, operator = await fleet.join(), await fleet.join()
    assert await operator.parked() == []
    first = ParkedMessage(HOST1, b"\x00\xff", "cast-1", {"sender": "api@host1 (kilo)", "reason": "line\r\nbreak …"})
    second = ParkedMessage(COMPUTE, b"", "cast-2", {})
    for message in (first, second, first):
        await receiver.park(message)
    await receiver.close()
    assert await operator.parked() == [first, second]


async def test_a_parked_message_is_found_by_its_id_and_can_be_discarded(fleet: Fleet[Transport]) -> None:
    """By who parked it, and by everyone else; it is gone for all then, and the others stay."""
    receiver, operator = await fleet.join(), await fleet.join()
    first, second = ParkedMessage(HOST1, b"a", "cast-1", {"reason": "new"}), ParkedMessage(COMPUTE, b"b", "cast-2", {})
    for message in (first, second):
        await receiver.park(message)
    assert await receiver.find_parked(HOST1, "cast-1") == await operator.find_parked(HOST1, "cast-1") == first
    assert await operator.find_parked(HOST1, "cast-3") is None
    assert [await operator.discard(HOST1, "cast-1"), await receiver.discard(HOST1, "cast-1")] == [True, False]
    assert await receiver.find_parked(HOST1, "cast-1") is None
    assert await receiver.parked() == [second]


async def test_what_is_parked_belongs_to_its_address(fleet: Fleet[Transport]) -> None:
    """One id at two addresses are two messages: each is listed, found and discarded at its own, and nothing is at a
    third."""
    member, own = await fleet.join(), Address("compute", "compute.host1.3f")
    first, second = ParkedMessage(HOST1, b"a", "cast-1", {}), ParkedMessage(COMPUTE, b"b", "cast-1", {})
    third, fourth = ParkedMessage(own, b"c", "cast 1.*", {}), ParkedMessage(HOST1, b"d", "cast-2", {})
    for message in (first, second, third, fourth):
        await member.park(message)
    assert [await member.parked(address) for address in (HOST1, COMPUTE, own)] == [[first, fourth], [second], [third]]
    assert await member.parked(Address("compute", "host2")) == []
    assert await member.find_parked(Address("compute", "host2"), "cast-1") is None
    assert await member.find_parked(own, "cast 1.*") == third
    assert not await member.discard(Address("compute", "host2"), "cast-1")
    other = await fleet.join()
    assert sorted(await asyncio.gather(*(who.discard(HOST1, "cast-1") for who in (member, other)))) == [False, True]
    assert await member.find_parked(COMPUTE, "cast-1") == second
    assert await member.parked() == [second, third, fourth]


async def test_a_replayed_message_comes_under_its_own_id(fleet: Fleet[Transport]) -> None:
    """At its address, at once also just after it was sent and parked; it stays parked until it is discarded."""
    agent, sender, member = Recorder(), await fleet.join(), await fleet.join()
    await agent.listen(member, "compute", "host1")
    await sender.cast(HOST1, b"x", "cast-1")
    await eventually(lambda: len(agent.casts) == 1)
    message = ParkedMessage(HOST1, b"x", "cast-1", {})
    await member.park(message)
    for act, count in (("a", 2), ("b", 3)):
        await sender.replay(message, act)
        await eventually(lambda count=count: len(agent.casts) == count)
    assert agent.casts == [
        CastDelivery(b"x", "cast-1", 1, sender=MEMBER),
        *[CastDelivery(b"x", "cast-1", 1, replayed=True, sender=MEMBER)] * 2,
    ]
    assert await member.parked() == [message]


async def test_what_two_replay_in_one_act_is_sent_once(fleet: Fleet[Transport]) -> None:
    """Like a cast of one id."""
    agent, first, second = Recorder(), await fleet.join(), await fleet.join()
    message = ParkedMessage(COMPUTE, b"x", "cast-1", {})
    await asyncio.gather(first.replay(message, "start"), second.replay(message, "start"))
    await first.cast(COMPUTE, b"last", "cast-2")
    await agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: b"last" in agent.bodies)
    assert sorted(agent.bodies) == [b"last", b"x"]


async def test_close_is_harmless(fleet: Fleet[Transport], member: Callable[..., Transport]) -> None:
    """A transport may be closed before it was opened, and twice."""
    await member().close()
    opened = await fleet.join()
    await opened.close()
    await opened.close()


async def test_parked_facts_never_make_a_message_too_large(fleet: Fleet[Transport]) -> None:
    """The largest message can be parked with facts of any length; they may be cut, but are there."""
    member = await fleet.join()
    message = ParkedMessage(HOST1, b"x" * member.max_whole, "cast-1", {"error": "…" * 100_000, "sender": "api"})
    await member.park(message)
    [kept] = await member.parked()
    assert (kept.body, kept.facts["sender"]) == (message.body, "api")
    assert message.facts["error"].startswith(kept.facts["error"])
    assert kept.facts["error"]


async def test_handlers_see_nothing_of_the_sender(fleet: Fleet[Transport]) -> None:
    """What goes to a handler is a copy: it shares no buffer with what was sent."""
    agent, caller = Recorder(), await fleet.join()
    await agent.listen(await fleet.join(), "compute", "host1")
    body = bytearray(b"before")
    await caller.cast(HOST1, body, "cast-1")  # type: ignore[arg-type]  # what if somebody does it all the same
    body[:] = b"after!"
    await eventually(lambda: agent.bodies == [b"before"])
    assert type(agent.bodies[0]) is bytes


# Who sends


async def test_everyone_is_told_who_sent(fleet: Fleet[Transport]) -> None:
    """A call, a cast, one that comes again, and a fanout: each brings the identity of who sent it."""
    agent, api = Recorder(), Identity("api", "host9")
    await agent.listen(await fleet.join(), "compute", "host1")
    caller = await fleet.join(identity=api)
    assert await caller.call(HOST1, b"x", timeout=5) == b"one:x"
    assert await caller.call(COMPUTE, b"x", timeout=5) == b"one:x"
    await caller.cast(HOST1, b"x", "cast-1")
    await caller.cast(COMPUTE, b"x", "cast-2")
    await caller.fanout("compute", b"x")
    await eventually(lambda: len(agent.senders) == 5)
    assert agent.senders == [api] * 5


async def test_what_comes_again_is_from_who_sent_it_first(fleet: Fleet[Transport]) -> None:
    """However often, and by whichever way the broker brings it again."""

    class Failing(Recorder):
        async def on_cast(self, delivery: CastDelivery) -> None:
            await super().on_cast(delivery)
            if delivery.attempt < 3:
                raise Redeliver(0.1)

    agent, api = Failing(), Identity("api", "host9")
    await agent.listen(await fleet.join(), "compute", "host1")
    caller = await fleet.join(identity=api)
    await caller.cast(HOST1, b"x", "cast-1")
    await caller.cast(COMPUTE, b"x", "cast-2")
    await eventually(lambda: len(agent.senders) == 6)
    assert agent.senders == [api] * 6


async def test_it_is_kept_who_sent_what_is_parked(fleet: Fleet[Transport]) -> None:
    """A parked message has its sender, or none where that was not noted; a replayed one comes from who replays it."""
    api, operator = Identity("api", "host9"), Identity("operator", "desk")
    agent, member = Recorder(), await fleet.join(identity=operator)
    await agent.listen(await fleet.join(), "compute", "host1")
    await member.park(ParkedMessage(HOST1, b"x", "cast-1", {}, api))
    await member.park(ParkedMessage(HOST1, b"y", "cast-2", {}))
    assert [message.sender for message in await member.parked()] == [api, None]
    await member.replay((await member.parked())[0], "act")
    await eventually(lambda: len(agent.casts) == 1)
    assert (agent.casts[0].sender, agent.casts[0].replayed) == (operator, True)


async def test_a_listener_without_casts(fleet: Fleet[Transport]) -> None:
    """Who has no room for casts takes calls and fanouts, and the casts wait for others; its host may be of several
    names."""
    agent, worker, member = Recorder(), Recorder("worker"), await fleet.join()
    one = Address("compute", "compute.host1.3f")
    await agent.listen(member, "compute", one.host, limit=0)
    await member.cast(COMPUTE, b"x", "cast-1")
    await member.fanout("compute", b"x")
    assert await member.call(one, b"x", timeout=5) == b"one:x"
    await eventually(lambda: agent.fanouts == [b"x"])
    await worker.listen(await fleet.join(), "compute", "host2")
    await eventually(lambda: worker.bodies == [b"x"])
    assert agent.casts == []
