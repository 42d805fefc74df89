"""What is true of calls over NATS alone: peers from before signs of life, killed processes, brokers that restart."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from midflight.transports import signs
from midflight.transports.base import Address, Identity, NoAnswer, NobodyListens, Vanished
from midflight.transports.embedded import EmbeddedBroker
from midflight.transports.nats import NatsListener, NatsTransport
from midflight.transports.nats_connection import Connection
from midflight.transports.nats_interest import Interest
from midflight.transports.nats_message import (
    CANCEL,
    SIGN,
    cancelled_by,
    cancelling,
    message_of,
    sign_in,
    sign_of_life,
)
from midflight.transports.nats_subjects import Subjects, last_word
from tests.rpc.world import counted
from tests.transports.conftest import Fleet, on_broker
from tests.transports.ports import Port
from tests.transports.recorder import MEMBER, Gated, Recorder, eventually
from tests.transports.servers import NatsServer

COMPUTE = Address("compute")
HOST1 = Address("compute", "host1")


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life more often, so that tests need not wait for long."""
    monkeypatch.setattr(signs, "SIGN_SECONDS", 0.4)
    monkeypatch.setattr(signs, "FIRST_SECONDS", 0.02)


class OldCallee:
    """A member from before there were signs of life: it answers, and knows nothing else."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.heard: list[Msg] = []

    async def listen(self, subject: str) -> None:
        await self._connection.subscribe(subject, self._called)
        await self._connection.flush()

    def _called(self, message: Msg) -> None:
        self.heard.append(message)

    async def answer(self) -> None:
        deadline = asyncio.get_running_loop().time() + 60
        await self._connection.publish(self.heard[0].reply, b"at last", deadline=deadline)


async def test_an_old_caller_hears_nothing_but_its_answer(broker: EmbeddedBroker) -> None:
    """A caller that knows no signs of life is given none, however long its call takes."""
    fleet, agent = Fleet(on_broker(broker)), Gated()
    member = await fleet.join()
    await agent.listen(member, "compute", "host1")
    old = Connection(broker.url, "old", inbox=member._subjects.inbox(MEMBER))
    await old.open()
    call = asyncio.create_task(old.request(member._subjects.call(HOST1, MEMBER), b"long", timeout=60))
    await asyncio.sleep(4 * signs.SIGN_SECONDS)
    agent.gate.set()
    answer = await call
    assert (answer.data, answer.headers) == (b"gated:long", None)
    await old.close()
    await fleet.close()


async def test_an_old_callee_is_waited_for_until_the_deadline_and_is_sent_no_cancellation(
    broker: EmbeddedBroker,
) -> None:
    """Who has never given a sign of life cannot be missed; and what it would take for a broken call is not sent."""
    fleet = Fleet(on_broker(broker))
    caller = await fleet.join()
    connection = Connection(broker.url, "old")
    await connection.open()
    old = OldCallee(connection)
    await old.listen(caller._subjects.call(HOST1, None))
    call = asyncio.create_task(caller.call(HOST1, b"long", timeout=60))
    await asyncio.sleep(4 * signs.SIGN_SECONDS)
    await old.answer()
    assert await call == b"at last"
    with pytest.raises(NoAnswer) as caught:
        await caller.call(HOST1, b"never", timeout=0.5)
    assert type(caught.value) is NoAnswer
    await asyncio.sleep(2 * signs.SIGN_SECONDS)
    assert [message.data for message in old.heard] == [b"long", b"never"]
    assert len(caller._calls._calls) == 0
    await connection.close()
    await fleet.close()


DOOMED = """
import asyncio, sys
from midflight.transports.base import Address, Identity
from midflight.transports.nats import NatsTransport

async def main(url, project):
    async def on_call(body, sender):
        print(body.decode(), flush=True)
        await asyncio.Event().wait()

    async def nothing(_):
        pass

    transport = await NatsTransport(url, name="doomed", project=project, identity=Identity("compute", "host1")).open()
    await transport.listen(Address("compute", "host1"), on_call, nothing, nothing)
    print("listens", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def port() -> Iterator[Port]:
    """For a broker that is killed and comes back."""
    with Port() as port:
        yield port


def hosts_of_calls(caller: NatsTransport) -> list[str]:
    """Where its calls are in hand, as far as that is known by signs of life."""
    return [awaited.host for _, awaited in caller._calls._calls._calls.values()]


async def test_a_killed_process_is_missed_long_before_the_deadline(broker: EmbeddedBroker) -> None:
    """The calls that it had in hand end as Vanished, short ones and long ones."""
    project = f"test-{secrets.token_hex(4)}"
    caller = await NatsTransport(broker.url, name="caller", project=project, identity=MEMBER).open()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DOOMED, broker.url, project, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    assert await process.stdout.readline() == b"listens\n"
    calls = [asyncio.create_task(caller.call(HOST1, b"%d" % number, timeout=3600)) for number in range(5)]
    printed = {await process.stdout.readline() for _ in calls}
    assert printed == {b"%d\n" % number for number in range(5)}
    await eventually(lambda: hosts_of_calls(caller) == ["host1"] * 5)
    process.kill()
    await process.wait()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in ended] == [Vanished] * 5
    await caller.close()


async def test_a_long_call_outlives_a_restart_of_the_broker(tmp_path: Path, port: Port) -> None:
    """While the broker is away nobody can give a sign of life, and nobody is taken for dead."""
    async with EmbeddedBroker(tmp_path / "broker", port.number) as broker:
        fleet, agent = Fleet(on_broker(broker)), Gated()
        await agent.listen(await fleet.join(), "compute", "host1")
        caller = await fleet.join()
        call = asyncio.create_task(caller.call(HOST1, b"long", timeout=60))
        await eventually(lambda: agent.running == 1)
        await asyncio.sleep(signs.SIGN_SECONDS)
        broker.kill()
        await asyncio.sleep(4 * signs.SIGN_SECONDS)
        await broker.start()
        await eventually(lambda: caller._connection.could_hear(asyncio.get_running_loop().time()))
        await asyncio.sleep(2 * signs.SIGN_SECONDS)
        agent.gate.set()
        assert await call == b"gated:long"
        assert agent.cancelled == 0
        await fleet.close()


async def test_signs_that_are_none_change_nothing(broker: EmbeddedBroker) -> None:
    """Whatever a callee writes into a sign of life, its call ends by its answer or its deadline."""
    fleet = Fleet(on_broker(broker))
    caller = await fleet.join()
    connection = Connection(broker.url, "rogue")
    await connection.open()
    rogue = OldCallee(connection)
    await rogue.listen(caller._subjects.call(HOST1, None))
    call = asyncio.create_task(caller.call(HOST1, b"long", timeout=60))
    await eventually(lambda: len(rogue.heard) == 1)
    deadline = asyncio.get_running_loop().time() + 60
    for said in ("", "nan $JS.API.STREAM.DELETE.X", "-1 host.1", "inf >", "one host1", "1e400 host1"):
        await connection.publish(rogue.heard[0].reply, b"", deadline=deadline, headers={SIGN: said})
    await rogue.answer()
    assert await call == b"at last"
    await connection.close()
    await fleet.close()


def test_what_a_sign_says() -> None:
    """Host and pause, unread, and nothing in any other message."""
    assert sign_in(_message({SIGN: "2.000 host1"})) == ("host1", "2.000")
    assert sign_in(_message({SIGN: ""})) == ("", "")
    assert sign_in(_message(sign_of_life("host1", 2.0))) == ("host1", "2.000")
    assert sign_in(_message(sign_of_life(None, 2.0))) == ("", "2.000")
    assert sign_in(_message({CANCEL: "x"})) is None
    assert sign_in(_message(None)) is None


def _message(headers: dict[str, str] | None) -> Msg:
    return Msg(None, subject="_INBOX.member", data=b"", headers=headers)  # type: ignore[arg-type]  # of no client


RIGHTS = """
authorization { users = [
  { user: api, password: x, permissions: {
    publish: ["mf.test.call.compute.*.api.host9", "$JS.API.>"], subscribe: "_INBOX.test.api.host9.>",
    allow_responses: { max: 100, expires: "10m" } } },
  { user: agent, password: x, permissions: {
    publish: ["$JS.API.>", "$JS.ACK.>"],
    subscribe: [
      "mf.test.call.compute.@any.*.* workers", "mf.test.call.compute.host1.*.*", "mf.test.all.compute.*.*",
      "$JS.EVENT.>", "_INBOX.test.compute.host1.>"],
    allow_responses: { max: 100, expires: "10m" } } },
] }
"""
"""A caller may send to a topic and its hosts; and each may answer, a bounded number of times."""


async def test_signs_and_cancellations_need_no_further_rights(tmp_path: Path) -> None:
    """Who may answer may give signs of life, and who has heard one may cancel: the broker refuses nothing of it."""
    server = await NatsServer(tmp_path / "server", RIGHTS).start()
    users = [server.url.replace("://", f"://{user}:x@") for user in ("agent", "api")]
    identities = zip(users, (MEMBER, Identity("api", "host9")), strict=True)
    member, caller = [
        await NatsTransport(url, name="member", project="test", identity=who).open() for url, who in identities
    ]
    agent = Gated()
    await agent.listen(member, "compute", "host1")
    calls = [asyncio.create_task(caller.call(address, b"long", timeout=60)) for address in (COMPUTE, HOST1, HOST1)]
    await eventually(lambda: hosts_of_calls(caller) == ["host1"] * 3)
    await asyncio.sleep(3 * signs.SIGN_SECONDS)
    calls[0].cancel()
    calls[1].cancel()
    await eventually(lambda: agent.cancelled == 2)
    agent.gate.set()
    assert await calls[2] == b"gated:long"
    await caller.close()
    await member.close()
    server.close()
    assert "Violation" not in (tmp_path / "server" / "server.log").read_text()


async def test_what_one_that_leaves_has_in_hand_is_cancelled_there(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while its successor listens on the same host, and while it drains, which ends when nobody waits any more."""
    monkeypatch.setattr(signs, "SIGN_SECONDS", 60)  # nobody is taken for dead here
    fleet, old, new = Fleet(on_broker(broker)), Gated("old"), Recorder("new")
    caller = await fleet.join()
    listener = await old.listen(await fleet.join(), "compute", "host1")
    calls = [asyncio.create_task(caller.call(HOST1, b"long", timeout=60)) for _ in range(20)]
    await eventually(lambda: hosts_of_calls(caller) == ["host1"] * 20)
    await new.listen(await fleet.join(), "compute", "host1")
    for call in calls[:10]:
        call.cancel()
    await eventually(lambda: old.cancelled == 10)
    draining = asyncio.create_task(listener.drain(timeout=60))
    for call in calls[10:]:
        call.cancel()
    await draining
    assert (old.cancelled, old.running) == (20, 0)
    await fleet.close()


async def until_nobody_listens(caller: NatsTransport) -> None:
    """Call until that is refused: what the broker has sent before it hears of a drain is in hand."""
    while True:
        with suppress(NoAnswer):
            await caller.call(HOST1, b"between", timeout=0.1)


async def test_who_leaves_takes_no_call_from_its_successor(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it finishes what it has in hand, all new calls to its host reach who listens there then."""
    monkeypatch.setattr(signs, "SIGN_SECONDS", 60)  # nobody is taken for dead here
    fleet, old, new = Fleet(on_broker(broker)), Gated("old"), Recorder("new")
    caller = await fleet.join()
    listener = await old.listen(await fleet.join(), "compute", "host1")
    first = asyncio.create_task(caller.call(HOST1, b"first", timeout=60))
    await eventually(lambda: old.running == 1)
    draining = asyncio.create_task(listener.drain(timeout=60))
    with pytest.raises(NobodyListens):
        await until_nobody_listens(caller)
    await new.listen(await fleet.join(), "compute", "host1")
    answers = [await caller.call(HOST1, b"%d" % number, timeout=60) for number in range(20)]
    assert answers == [b"new:%d" % number for number in range(20)]
    assert not draining.done()
    old.gate.set()
    await draining
    assert await first == b"old:first"
    await fleet.close()


async def test_an_older_caller_cancels_where_its_host_listens(broker: EmbeddedBroker) -> None:
    """It knows no better place, and is heard there."""
    fleet, agent = Fleet(on_broker(broker)), Gated()
    member = await fleet.join()
    await agent.listen(member, "compute", "host1")
    connection, name = member._connection, signs.new_name(60)
    subject, deadline = member._subjects.call(HOST1, MEMBER), asyncio.get_running_loop().time() + 60
    await connection.publish(subject, b"long", deadline=deadline, reply=f"{connection.new_inbox()}.{name}")
    await eventually(lambda: agent.running == 1)
    await connection.publish(subject, b"", deadline=deadline, headers=cancelling(name))
    await eventually(lambda: agent.cancelled == 1)
    await fleet.close()


@pytest.mark.parametrize("place", ["", "mf.shop.call.compute.host2.compute.host1"], ids=["none", "no inbox"])
async def test_a_call_of_an_older_callee_is_cancelled_on_its_host(broker: EmbeddedBroker, place: str) -> None:
    """Where a sign of life names no inbox, or something else instead, which nobody is made to speak to."""
    fleet = Fleet(on_broker(broker))
    caller = await fleet.join()
    connection = Connection(broker.url, "old")
    await connection.open()
    old = OldCallee(connection)
    await old.listen(caller._subjects.call(HOST1, None))
    call = asyncio.create_task(caller.call(HOST1, b"long", timeout=60))
    await eventually(lambda: len(old.heard) == 1)
    reply, deadline = old.heard[0].reply, asyncio.get_running_loop().time() + 60
    await connection.publish(reply, b"", deadline=deadline, reply=place, headers=sign_of_life("host1", 60.0))
    await eventually(lambda: hosts_of_calls(caller) == ["host1"])
    call.cancel()
    await eventually(lambda: len(old.heard) == 2)
    assert cancelled_by(old.heard[1]) == last_word(reply)
    await connection.close()
    await fleet.close()


def test_no_sign_of_life_is_missed_in_a_move() -> None:
    """Those of one listener's calls all name its inbox, and are no repeats of each other; a call is one."""
    heard = list[Msg]()
    interest = Interest("_INBOX.member", "", heard.append, seen=set())
    for said in (b"NATS/1.0\r\nMidflight-Sign: 2.000 host1\r\n\r\n", b""):
        for _ in range(2):
            interest._take(message_of(b"_INBOX.member", b"_INBOX.listener", said, b""))
    assert [message.headers is None for message in heard] == [False, False, True]


async def test_a_caller_that_is_gone_is_no_bad_input(broker: EmbeddedBroker) -> None:
    """The broker tells so, where a sign of life reaches nobody; a listener bears that."""
    fleet, agent, before = Fleet(on_broker(broker)), Recorder(), counted("transport.refused", kind="part")
    listener = await agent.listen(await fleet.join(), "compute", "host1")
    assert isinstance(listener, NatsListener)
    listener._hear(message_of(listener._inbox.encode(), b"", b"NATS/1.0 503\r\n\r\n", b""))
    assert counted("transport.refused", kind="part") == before
    await fleet.close()


async def test_cancelling_what_is_not_in_hand_does_no_harm(broker: EmbeddedBroker) -> None:
    """A cancellation for an unknown call, and one without a name, are passed over, and are no call."""
    fleet, agent = Fleet(on_broker(broker)), Recorder()
    member = await fleet.join()
    await agent.listen(member, "compute", "host1")
    deadline = asyncio.get_running_loop().time() + 60
    subject = Subjects(member._subjects.project).call(HOST1, MEMBER)
    for name in ("", "unknown-now"):
        await member._connection.publish(subject, b"", deadline=deadline, headers={CANCEL: name})
    assert await member.call(HOST1, b"call", timeout=5) == b"one:call"
    assert agent.calls == [b"call"]
    await fleet.close()
