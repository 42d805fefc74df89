"""Clients and the messenger, over the memory transport."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from midflight.context import Context
from midflight.errors import (
    InvalidValue,
    NotDelivered,
    PinnedOut,
    ProjectError,
    RemoteError,
    Unknown,
)
from midflight.objects.registry import Registry
from midflight.rpc.client import Client, Messenger, Unpinned
from midflight.rpc.interface import Contract
from midflight.rpc.messages import decode_request
from midflight.transports.base import Address, NoAnswer, NobodyListens
from tests.rpc import juno, kilo
from tests.rpc.world import FAILURES, Fleet, counted

COMPUTE: Client[juno.ComputeAPI] = Client(juno.ComputeAPI)
SILENCE = NoAnswer(address="compute", seconds=0.0)
NOBODY = NobodyListens(address="compute")


async def test_a_call_is_answered_by_any_member_of_the_topic(fleet: Fleet) -> None:
    """Calls to a topic are shared among its members."""
    agents = [await fleet.juno("h1"), await fleet.juno("h2")]
    api = await fleet.member(juno, "a1")
    for number in range(50):
        assert await COMPUTE.call(juno.ComputeAPI.work, api.context, str(number)) == str(number)
    assert sorted(agents[0].done + agents[1].done, key=int) == [str(number) for number in range(50)]
    assert all(agent.done for agent in agents)


async def test_a_call_on_a_host_goes_to_that_host(fleet: Fleet) -> None:
    """``on`` picks one host."""
    first, second = await fleet.juno("h1"), await fleet.juno("h2")
    api = await fleet.member(juno, "a1")
    for _ in range(3):
        await COMPUTE.on("h2").call(juno.ComputeAPI.echo, api.context, "x")
    assert (first.done, second.done) == ([], ["x", "x", "x"])


async def test_values_request_id_and_caller_travel(fleet: Fleet) -> None:
    """The callee's context has the caller's values and request id, and the caller with its manifest."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    await Client(kilo.ComputeAPI).call(kilo.ComputeAPI.evacuate, api.context)
    (context,) = agent.seen[-1:]
    assert context.values == {"user": "ada"}
    assert context.request_id == "req-1"
    assert context.caller is not None
    assert str(context.caller) == "api@a1 (kilo)"
    assert (context.caller.member, context.caller.pin_epoch) == ("api-a1", 7)
    assert context.caller.manifest == kilo.contract.manifest


async def test_the_answers_objects_keep_the_callers_context(fleet: Fleet) -> None:
    """An object that comes home in an answer has the context of the call."""
    await fleet.juno("h1")
    api = await fleet.member(juno, "a1")
    context = api.context
    assert (await COMPUTE.call(juno.ComputeAPI.reboot, context, juno.Instance(name="vm"))).context is context


async def test_when_nobody_listens_the_call_is_certainly_not_delivered(fleet: Fleet) -> None:
    """NotDelivered after the deadline, having tried more than once."""
    api = await fleet.member(juno, "a1")
    before = counted("rpc.calls", method="compute.echo", outcome="not_delivered")
    with pytest.raises(NotDelivered) as caught:
        await COMPUTE.on("h9").within(0.4).call(juno.ComputeAPI.echo, api.context, "x")
    assert str(caught.value) == (
        "compute.echo was certainly not executed: nobody listened at compute@h9 before its deadline. "
        "It is safe to send it again."
    )
    assert len(api.transport.calls) >= 2
    assert counted("rpc.calls", method="compute.echo", outcome="not_delivered") == before + 1


async def test_a_call_that_its_caller_gives_up_is_counted_as_such(fleet: Fleet) -> None:
    """A start that is stopped in its middle has met no malformed message."""
    api = await fleet.member(juno, "a1")
    before = counted("rpc.calls", method="compute.echo", outcome="abandoned")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await COMPUTE.on("h9").within(5).call(juno.ComputeAPI.echo, api.context, "x")
    assert counted("rpc.calls", method="compute.echo", outcome="abandoned") == before + 1


async def test_a_call_waits_for_a_service_that_is_just_starting(fleet: Fleet) -> None:
    """While nobody listens the call is sent again, so a restart within the deadline is not seen."""
    api = await fleet.member(juno, "a1")
    asked = asyncio.create_task(COMPUTE.call(juno.ComputeAPI.echo, api.context, "x"))
    while not api.transport.calls:
        await asyncio.sleep(0)
    agent = await fleet.juno("h1")
    assert await asked == "x"
    assert agent.done == ["x"]


async def test_a_call_without_an_answer_is_unknown(fleet: Fleet) -> None:
    """Unknown, and it is not sent again, for it may have run."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    with pytest.raises(Unknown) as caught:
        await COMPUTE.within(1).call(juno.ComputeAPI.work, api.context, "slowly", 30)
    assert str(caught.value) == (
        "compute.work may or may not have been executed: no answer from compute before its deadline. "
        "Look before you send it again."
    )
    assert agent.done == ["slowly"]


async def test_an_idempotent_call_is_sent_again_when_its_answer_stays_away(fleet: Fleet) -> None:
    """A lost answer is asked for once more within the deadline, where the endpoint says that this does no harm."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    api.transport.failing = [SILENCE]
    assert await COMPUTE.within(2).call(juno.ComputeAPI.echo, api.context, "x") == "x"
    assert (len(api.transport.calls), agent.done) == (2, ["x"])


@pytest.mark.parametrize("silent", [0, 1])
async def test_of_two_tries_the_first_answer_is_taken(fleet: Fleet, silent: int) -> None:
    """Whichever try of an idempotent call stays silent, the answer of the other one is the answer."""
    await fleet.juno("h1")
    api = await fleet.member(juno, "a1")
    deliver, tries = api.transport.call, []

    async def call(address: Address, body: bytes, timeout: float) -> bytes:
        tries.append(body)
        this = len(tries) - 1
        while this == silent or len(tries) < 2:
            await asyncio.sleep(0.001)
        return await deliver(address, body, timeout)

    api.transport.call = call  # type: ignore[method-assign]  # a connection that loses one of two
    assert await COMPUTE.within(4).call(juno.ComputeAPI.echo, api.context, "x") == "x"
    assert len(tries) == 2


async def test_an_idempotent_call_that_nobody_answers_is_unknown(fleet: Fleet) -> None:
    """When both tries end without an answer it may have run; when nobody listens it is tried anew."""
    api = await fleet.member(juno, "a1")
    api.transport.failing = [NOBODY, SILENCE, SILENCE]
    with pytest.raises(Unknown):
        await COMPUTE.within(2).call(juno.ComputeAPI.echo, api.context, "x")
    assert len(api.transport.calls) == 3


async def test_a_call_that_nobody_takes_was_not_delivered_however_late_that_is_heard(fleet: Fleet) -> None:
    """A process that is held up hears of its deadline and that nobody listens at once; the latter is what is known."""
    api = await fleet.member(juno, "a1")

    async def call(address: Address, body: bytes, timeout: float) -> bytes:
        time.sleep(timeout + 0.05)  # noqa: ASYNC251  # the whole process is held up
        raise NOBODY

    api.transport.call = call  # type: ignore[method-assign]  # a connection at a bad moment
    with pytest.raises(NotDelivered):
        await COMPUTE.within(0.2).call(juno.ComputeAPI.echo, api.context, "x")


async def test_a_call_that_is_not_idempotent_is_sent_once(fleet: Fleet) -> None:
    """A lost answer of any other endpoint is Unknown at once."""
    api = await fleet.member(juno, "a1")
    api.transport.failing = [SILENCE]
    with pytest.raises(Unknown):
        await COMPUTE.within(2).call(juno.ComputeAPI.evacuate, api.context)
    assert len(api.transport.calls) == 1


async def test_a_transport_that_hangs_does_not_hang_the_caller(fleet: Fleet) -> None:
    """There is a time limit round everything, whatever the transport does."""
    api = await fleet.member(juno, "a1")

    async def hang(*_: object) -> bytes:
        await asyncio.Event().wait()
        return b""

    api.transport.call = hang  # type: ignore[method-assign, assignment]  # a stalled connection
    with pytest.raises(Unknown):
        await COMPUTE.within(0.2).call(juno.ComputeAPI.evacuate, api.context)


async def test_a_nested_call_never_waits_longer_than_the_outer_one(fleet: Fleet) -> None:
    """The deadline travels: the callee's context carries it, and what is left of it bounds what the callee sends."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    await COMPUTE.within(30).call(juno.ComputeAPI.echo, api.context, "x")
    deadline = agent.seen[-1].deadline
    assert deadline is not None
    assert 0 < deadline - time.monotonic() <= 30
    await COMPUTE.within(600).call(juno.ComputeAPI.echo, agent.seen[-1], "nested")
    ttl = decode_request(agent.transport.calls[-1]).ttl
    assert ttl is not None
    assert ttl <= 30


async def test_a_call_for_which_no_time_is_left_is_not_sent(fleet: Fleet) -> None:
    """When the outer deadline has passed, the nested call is certainly not executed."""
    api = await fleet.member(juno, "a1")
    late = replace(api.context, deadline=time.monotonic() - 1)
    with pytest.raises(NotDelivered, match="its deadline had passed before it was sent"):
        await COMPUTE.call(juno.ComputeAPI.echo, late, "x")
    assert api.transport.calls == []


async def test_arguments_are_coerced_and_refused_at_the_sender(fleet: Fleet) -> None:
    """A value of a wrong kind names the argument before anything is sent; "7" is a 7."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    instance = juno.Instance(name="vm")
    with pytest.raises(InvalidValue) as caught:
        await COMPUTE.call(juno.ComputeAPI.build_instance, api.context, instance, "seven")  # type: ignore[arg-type]
    assert str(caught.value) == "compute.build_instance(image_id): received 'seven' (str), expected int."
    assert api.transport.calls == []
    await COMPUTE.call(juno.ComputeAPI.build_instance, api.context, instance, "7")  # type: ignore[arg-type]
    assert agent.done == [(instance, 7)]


async def test_arguments_bind_as_in_a_call(fleet: Fleet) -> None:
    """Too many, unknown, doubled and missing arguments are TypeErrors that list what the endpoint takes."""
    api = await fleet.member(juno, "a1")
    call, reboot, instance = COMPUTE.call, juno.ComputeAPI.reboot, juno.Instance(name="vm")
    with pytest.raises(
        TypeError, match=r"takes at most 2 arguments in order, received 3; it takes \(instance, note, tw"
    ):
        await call(reboot, api.context, instance, "", True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"ComputeAPI\.reboot received 'hrad', which it does not take"):
        await call(reboot, api.context, instance, hrad=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="received 'instance' twice"):
        await call(reboot, api.context, instance, instance=instance)  # type: ignore[misc]
    with pytest.raises(TypeError, match="needs 'instance'"):
        await call(reboot, api.context, note="x")  # type: ignore[call-arg]
    assert api.transport.calls == []


async def test_what_is_no_endpoint_cannot_be_called(fleet: Fleet) -> None:
    """A function that no interface declares is a TypeError; an interface outside the project a ProjectError."""
    api = await fleet.member(juno, "a1")
    with pytest.raises(TypeError, match="expected an endpoint of an interface, like ComputeAPI.reboot"):
        await COMPUTE.call(print, api.context)  # type: ignore[arg-type]
    with pytest.raises(ProjectError, match=r"ComputeAPI\.echo: its interface is not in this project"):
        await Client(kilo.ComputeAPI).call(kilo.ComputeAPI.echo, api.context, "x")


async def test_a_context_without_a_messenger_sends_nothing() -> None:
    """The error says where a context that can send comes from."""
    with pytest.raises(
        NotDelivered, match=r"ComputeAPI\.echo was certainly not executed: its context has no messenger"
    ):
        await COMPUTE.call(juno.ComputeAPI.echo, Context(), "x")


async def test_a_cast_returns_when_the_broker_has_it_and_runs_when_somebody_listens(fleet: Fleet) -> None:
    """A cast waits for a listener that starts later, and carries its sender's manifest."""
    api = await fleet.member(juno, "a1")
    before = counted("rpc.casts", method="compute.work")
    await COMPUTE.on("h1").cast(juno.ComputeAPI.work, api.context, "later")
    request = decode_request(api.transport.told[0])
    assert request.manifest_text == juno.contract.manifest.to_wire()
    assert (request.kind, request.host, request.ttl) == ("cast", "h1", None)
    agent = await fleet.juno("h1")
    await _until(lambda: agent.done)
    assert agent.done == ["later"]
    assert agent.seen[-1].deadline is None
    assert counted("rpc.casts", method="compute.work") == before + 1


async def test_a_cast_that_is_not_confirmed_is_handed_over_again_under_its_id(fleet: Fleet) -> None:
    """The broker stores an id once, so a silent broker is asked a second time; after that it is Unknown."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    api.transport.failing = [SILENCE]
    await COMPUTE.cast(juno.ComputeAPI.work, api.context, "once")
    assert len({decode_request(body).message_id for body in api.transport.told}) == 1
    assert len(api.transport.told) == 2
    api.transport.failing = [SILENCE, SILENCE]
    with pytest.raises(Unknown, match=r"compute\.work may or may not .*: the broker did not confirm that it has it"):
        await COMPUTE.cast(juno.ComputeAPI.work, api.context, "never")
    await _until(lambda: agent.done)
    assert agent.done == ["once"]


async def test_a_fanout_is_sent_once_per_distinct_manifest_and_read_by_those_it_is_meant_for(fleet: Fleet) -> None:
    """Each member runs it once, in its own versions."""
    old = [await fleet.juno("h1"), await fleet.juno("h2")]
    new = [await fleet.kilo("h3"), await fleet.kilo("h4")]
    api = await fleet.member(kilo, "a1")
    sent: list[bytes] = []

    async def fanout(topic: str, body: bytes) -> None:
        sent.append(body)
        await type(api.transport).__getattr__(api.transport, "fanout")(topic, body)

    api.transport.fanout = fanout  # type: ignore[attr-defined]
    api.floors.listening = [member.release.contract.manifest for member in [*old, *new]]
    await Client(kilo.ComputeAPI).fanout(kilo.ComputeAPI.reboot, api.context, kilo.Instance(name="vm", tags=[]))
    await _until(lambda: all(member.done for member in [*old, *new]))
    assert sorted(decode_request(body).version for body in sent) == ["3.35", "4.1"]
    assert [member.done for member in old] == [[(juno.Instance(name="vm"), "", False)]] * 2
    assert [member.done for member in new] == [[(kilo.Instance(name="vm"), "", False, False)]] * 2


async def test_a_fanout_under_one_manifest_is_meant_for_everyone(fleet: Fleet) -> None:
    """Under one pin a single message goes out without an audience, so members that have just joined read it too."""
    members = [await fleet.juno("h1"), await fleet.kilo("h2")]
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    await Client(kilo.ComputeAPI).fanout(kilo.ComputeAPI.work, api.context, "hear")
    await _until(lambda: all(member.done for member in members))
    assert [member.done for member in members] == [["hear"], ["hear"]]


async def test_a_fanout_that_one_release_cannot_be_told_is_not_begun(fleet: Fleet) -> None:
    """PinnedOut comes before the first message is sent."""
    agent, api = await fleet.kilo("h1"), await fleet.member(kilo, "a1")
    api.floors.listening = [kilo.contract.manifest, juno.contract.manifest]
    with pytest.raises(PinnedOut, match=r"compute\.attach"):
        await Client(kilo.ComputeAPI).fanout(kilo.ComputeAPI.attach, api.context, kilo.Volume())
    assert agent.done == []


async def test_errors_of_the_project_cross_by_name(fleet: Fleet) -> None:
    """What juno raises as its Overloaded, kilo catches as its own."""
    await fleet.juno("h1")
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    FAILURES["full"] = juno.Overloaded("h1", 3)
    with pytest.raises(kilo.Overloaded) as caught:
        await Client(kilo.ComputeAPI).call(kilo.ComputeAPI.work, api.context, "full")
    assert caught.value.args == ("h1", 3)


async def test_an_error_that_cannot_show_itself_is_remote(fleet: Fleet) -> None:
    """A project's error whose text is broken breaks nothing on its way, and is told by its name."""
    await fleet.juno("h1")
    api = await fleet.member(juno, "a1")
    FAILURES["mumble"] = juno.Mumbling(3)
    with pytest.raises(RemoteError, match=r"with Mumbling: \(Mumbling, whose text cannot be shown\)"):
        await COMPUTE.call(juno.ComputeAPI.work, api.context, "mumble")


async def test_an_argument_that_cannot_travel_is_refused_at_the_sender(fleet: Fleet) -> None:
    """Half a character is no text for anyone."""
    api = await fleet.member(juno, "a1")
    with pytest.raises(
        InvalidValue, match=r"compute\.work: received .*surrogates not allowed, expected arguments that can t"
    ):
        await COMPUTE.call(juno.ComputeAPI.work, api.context, "\udcff")
    assert api.transport.calls == []


async def test_any_other_error_is_remote(fleet: Fleet) -> None:
    """RemoteError names what failed, where and how; a failure is counted as one."""
    await fleet.juno("h1")
    api = await fleet.member(juno, "a1")
    FAILURES["broken"] = ZeroDivisionError("division by zero")
    before = counted("rpc.calls", method="compute.work", outcome="failed")
    with pytest.raises(RemoteError) as caught:
        await COMPUTE.call(juno.ComputeAPI.work, api.context, "broken")
    assert str(caught.value) == "compute.work failed at compute@h1 (juno) with ZeroDivisionError: division by zero"
    assert counted("rpc.calls", method="compute.work", outcome="failed") == before + 1


def test_a_fleet_of_one_release_needs_no_pin() -> None:
    """Unpinned floors are our own manifest, for everyone."""
    contract = Contract(Registry([juno.Instance], "p"), [])
    floors = Unpinned(contract.manifest)
    assert floors.manifest_for("compute", "h1") == contract.manifest
    assert list(floors.manifests_of("compute")) == [contract.manifest]
    assert floors.audience("compute", contract.manifest) == (contract.manifest.digest,)
    assert floors.epoch == 0


def test_a_client_shows_what_it_is() -> None:
    """Its repr names interface and host."""
    assert repr(COMPUTE.on("h1")) == "Client(ComputeAPI, host='h1')"


async def test_the_messenger_names_the_acknowledged_epoch(fleet: Fleet) -> None:
    """A new epoch of the floors goes into the next envelope."""
    await fleet.juno("h1")
    api = await fleet.member(juno, "a1")
    await COMPUTE.call(juno.ComputeAPI.echo, api.context, "x")
    api.floors.epoch = 8
    await COMPUTE.call(juno.ComputeAPI.echo, api.context, "x")
    assert isinstance(api.messenger, Messenger)
    epochs = [decode_request(body).sender.pin_epoch for body in api.transport.calls]
    assert list(dict.fromkeys(epochs)) == [7, 8]


async def _until(done: object, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not done():  # type: ignore[operator]
            await asyncio.sleep(0.001)
