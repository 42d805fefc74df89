"""Floods of bad input over real brokers: counted by kind, told once, survived; and a good call is served meanwhile."""

from __future__ import annotations

import asyncio
import gc
import secrets
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from midflight import telemetry
from midflight.rpc.client import Client
from midflight.rpc.messages import Sender, decode_reply, encode
from midflight.transports import connect
from midflight.transports.base import Address, Identity, NoAnswer, NobodyListens, Transport
from midflight.transports.embedded import EmbeddedBroker
from tests.rpc import juno
from tests.rpc.test_dispatch import said
from tests.rpc.world import Fleet, Member, counted
from tests.transports.rabbit import Rabbit
from tests.transports.recorder import eventually

COMPUTE = Client(juno.ComputeAPI)
HOST1 = Address("compute", "h1")
TOTAL = 1_000
LONG = {"what": "slow", "seconds": 30}
"""Arguments of a call that takes longer than its caller waits."""


@pytest.fixture(autouse=True)
def counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """What strangers made up fills no counters of other tests."""
    monkeypatch.setattr(telemetry, "_counters", {})
    monkeypatch.setattr(telemetry, "_kinds", {})


@pytest.fixture(params=["memory", "broker", "rabbit"])
def url(request: pytest.FixtureRequest) -> str:
    """Of a bus in memory, and of each real broker."""
    if request.param == "memory":
        return f"memory:{secrets.token_hex(4)}"
    server: EmbeddedBroker | Rabbit = request.getfixturevalue(request.param)
    return server.url


@pytest.fixture
async def fleet(url: str) -> AsyncIterator[Fleet]:
    """A fleet that nobody else meets."""
    fleet = Fleet(url, f"floods-{secrets.token_hex(4)}")
    yield fleet
    await fleet.stop()


@pytest.fixture
async def agent(fleet: Fleet) -> Member:
    """Who is flooded."""
    return await fleet.juno("h1")


@pytest.fixture
async def rogue(fleet: Fleet, url: str) -> AsyncIterator[Transport]:
    """Somebody who may send, and sends what comes to mind."""
    transport = await connect(url, name="rogue", project=fleet._project, identity=Identity("compute", "h9")).open()
    yield transport
    await transport.close()


async def flooded(work: Callable[[int], Awaitable[Any]], total: int = TOTAL) -> list[Any]:
    """So many times, a hundred at once."""
    results: list[Any] = []
    for first in range(0, total, 100):
        results += await asyncio.gather(*map(work, range(first, min(first + 100, total))))
    return results


async def served_meanwhile(fleet: Fleet, flood: Awaitable[list[Any]]) -> list[Any]:
    """What the flood brought; during it, good calls are answered, each within its few seconds."""
    api, answered = await fleet.member(juno, "a1"), 0
    flooding = asyncio.ensure_future(flood)
    while not flooding.done() or not answered:
        assert await COMPUTE.on("h1").call(juno.ComputeAPI.echo, api.context, "good") == "good"
        answered += 1
    return await flooding


def lines(logs: list[Any], event: str) -> list[Any]:
    """What was said of one event."""
    return [line for line in logs if line["event"] == event]


def message(given: Any = None, **changes: Any) -> bytes:
    """A request that is understood, but for these changes."""
    sender = Sender("compute", "h9", "juno", "compute-h9", 0)
    return encode(said(given or {"text": "x"}, **{"sender": sender, **changes}))


async def test_a_thousand_calls_of_garbage(fleet: Fleet, agent: Member, rogue: Transport) -> None:
    """Each is answered by one typed error, counted as MalformedMessage, and all are one line in the log."""
    before = counted("rpc.refused", kind="MalformedMessage")
    with capture_logs() as logs:
        answers = await served_meanwhile(
            fleet, flooded(lambda n: rogue.call(HOST1, b"\xc1 garbage %d" % n, timeout=60))
        )
    assert {decode_reply(answer).status for answer in answers} == {"refused"}
    assert counted("rpc.refused", kind="MalformedMessage") == before + TOTAL
    assert len(lines(logs, "rpc.refused")) == 1


async def test_a_thousand_unknown_methods(fleet: Fleet, agent: Member, rogue: Transport) -> None:
    """Of as many interfaces and versions: one line, no counter of their names, nothing has run."""
    before = counted("rpc.refused")
    names = len(telemetry.counted())

    def unknown(number: int) -> bytes:
        changes = [{"method": f"m{number}"}, {"interface": f"i{number}"}, {"version": f"v{number}"}]
        return message(**changes[number % 3])

    with capture_logs() as logs:
        await served_meanwhile(fleet, flooded(lambda n: rogue.call(HOST1, unknown(n), timeout=60)))
    assert counted("rpc.refused") == before + TOTAL
    assert len(lines(logs, "rpc.refused")) == 1
    assert len(telemetry.counted()) < names + 10
    assert set(agent.done) == {"good"}


async def test_a_thousand_versions_that_nobody_serves(
    fleet: Fleet, agent: Member, rogue: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is rejected with the facts; the log has one line, and a minute later one that says how many there were
    besides; and the counters are bounded whatever the methods are called."""
    before = counted("rpc.rejected")

    def newer(number: int) -> bytes:
        return message(version="3.99", method=f"future_{number}")

    with capture_logs() as logs:
        answers = await served_meanwhile(
            fleet, flooded(lambda n: rogue.call(HOST1, newer(n), timeout=60), total=2 * TOTAL)
        )
        monkeypatch.setattr(telemetry.bad_input, "SECONDS", 0.0)
        await rogue.call(HOST1, newer(0), timeout=60)
    faults = [decode_reply(answer).fault for answer in answers]
    assert {fault and fault.kind for fault in faults} == {"VersionRejected"}
    assert counted("rpc.rejected") == before + 2 * TOTAL + 1
    told = [line.get("passed_over") for line in lines(logs, "rpc.version_rejected")]
    assert told == [None, {"VersionRejected": 2 * TOTAL - 1}]
    found = [entry for entry in telemetry.counted() if entry["name"] == "rpc.rejected"]
    assert len(found) <= telemetry.MOST_LABELS + 1


async def test_made_up_senders_fill_no_log(fleet: Fleet, agent: Member, rogue: Transport) -> None:
    """Whoever calls himself by another name in each message, or claims to be the conductor, is counted and told within
    bounds."""
    before = counted("rpc.refused")
    telemetry.bad_input.forget()

    def forged(number: int) -> bytes:
        return message(sender=Sender("conductor", f"host{number}", "juno"))

    with capture_logs() as logs:
        await served_meanwhile(fleet, flooded(lambda n: rogue.call(HOST1, forged(n), timeout=60)))
    assert counted("rpc.refused") == before + TOTAL
    assert len(lines(logs, "rpc.refused")) <= telemetry.BadInput.MOST_SENDERS + 1
    assert len(telemetry.bad_input._said) <= telemetry.BadInput.MOST_SENDERS + 1


async def test_fanouts_of_garbage(fleet: Fleet, agent: Member, rogue: Transport) -> None:
    """They are passed over: counted, one line, nothing answered and nothing parked."""
    before = counted("rpc.refused", kind="MalformedMessage")
    with capture_logs() as logs:
        await served_meanwhile(fleet, flooded(lambda n: rogue.fanout("compute", b"garbage %d" % n)))
        await eventually(lambda: counted("rpc.refused", kind="MalformedMessage") == before + TOTAL)
    assert len(lines(logs, "rpc.refused")) == 1
    assert await rogue.parked() == []


async def test_casts_of_garbage(fleet: Fleet, agent: Member, rogue: Transport) -> None:
    """Each is parked, for nothing accepted is lost; counted, and told in two lines: refused, and parked."""
    before, total = counted("rpc.refused", kind="MalformedMessage"), 50
    with capture_logs() as logs:
        casts = flooded(lambda n: rogue.cast(HOST1, b"garbage %d" % n, f"cast-{n}"), total=total)
        await served_meanwhile(fleet, casts)
        await eventually(lambda: counted("rpc.refused", kind="MalformedMessage") == before + total)
        async with asyncio.timeout(60):
            while len(kept := await rogue.parked()) < total:
                await asyncio.sleep(0.1)
    assert Counter(message.message_id for message in kept) == Counter(f"cast-{n}" for n in range(total))
    assert (len(lines(logs, "rpc.refused")), len(lines(logs, "rpc.parked"))) == (1, 1)


def snapshot() -> tracemalloc.Snapshot:
    """Of what is really in use."""
    gc.collect()
    return tracemalloc.take_snapshot()


async def test_a_flood_leaves_nothing_behind(fleet: Fleet, agent: Member, rogue: Transport) -> None:
    """After a thousand more bad calls, also such whose callers do not wait, there are as many tasks as after the first
    hundreds, and less than two hundred bytes for each."""

    async def bad(number: int) -> None:
        kinds = (b"\xc1%d" % number, message(method=f"m{number}"), message(interface=f"i{number}"))
        if number % 10:
            await rogue.call(HOST1, kinds[number % 3], timeout=60)
        else:
            with pytest.raises((NoAnswer, NobodyListens)):
                await rogue.call(HOST1, message(LONG, method="work"), timeout=0.05)

    with capture_logs():
        await flooded(bad, total=300)
        await asyncio.sleep(2.5)  # until calls that were given up are forgotten
        tasks = len(asyncio.all_tasks())
        tracemalloc.start()
        try:
            before = snapshot()
            await flooded(bad)
            await asyncio.sleep(2.5)
            after = snapshot()
        finally:
            tracemalloc.stop()
    grown = sum(entry.size_diff for entry in after.compare_to(before, "filename") if "midflight" in str(entry))
    assert len(asyncio.all_tasks()) <= tasks + 20
    assert grown < 200_000, grown
