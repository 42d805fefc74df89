"""The dispatcher: what is served, what is refused and how, and that nothing can make it raise."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from midflight import errors, telemetry
from midflight.context import Caller, Context
from midflight.errors import ProjectError
from midflight.objects import wire
from midflight.rpc.casts import MOST_ATTEMPTS
from midflight.rpc.client import Client
from midflight.rpc.dispatch import Dispatcher
from midflight.rpc.faults import Faults
from midflight.rpc.messages import Reply, Request, Sender, decode_reply, decode_request, encode
from midflight.transports.base import Address, CastDelivery, Identity, ParkedMessage, Redeliver
from midflight.transports.memory import MemoryBus, MemoryTransport
from midflight.versions import Manifest
from tests.rpc import juno, kilo
from tests.rpc.test_messages import GOLDEN_REQUEST, request
from tests.rpc.world import FAILURES, Fleet, JunoCompute, KiloCompute, counted

AGENT = Caller("compute", "h1", "kilo", "compute-h1", 0)
ADDRESS = Address("compute", "h1")
SENDER = Identity("api", "a1")
"""Who sends by what ``request`` says."""


@pytest.fixture(autouse=True)
def _no_failures() -> Iterator[None]:
    yield
    FAILURES.clear()


@dataclass
class Desk:
    """A dispatcher of one service, with nothing round it."""

    release: Any = kilo
    transport: MemoryTransport = field(default_factory=lambda: MemoryTransport(MemoryBus(), identity=SENDER))
    done: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(
            self.release.contract, AGENT, self.transport,
            lambda values, request_id, caller, deadline: Context(values, request_id, caller, deadline=deadline),
            errors=self.release.errors,
        )  # fmt: skip
        self.dispatcher.add({kilo: KiloCompute, juno: JunoCompute}[self.release](self.done, []))

    async def call(self, body: bytes) -> Reply:
        return decode_reply(await self.dispatcher.on_call(body, SENDER))

    async def error(self, **changes: Any) -> str:
        """What the caller of a wrong request is told."""
        reply = await self.call(encode(said(**changes)))
        assert reply.status == "refused"
        return str(Faults().error(reply.fault, "x", "y"))

    async def cast(self, body: bytes, attempt: int = 1) -> None:
        await self.dispatcher.on_cast(CastDelivery(body, f"id-{attempt}", attempt, sender=SENDER), ADDRESS)

    async def parked(self) -> list[ParkedMessage]:
        return await self.transport.parked()


def said(given: Any = None, **changes: Any) -> Request:
    """A request of a juno caller, with its manifest."""
    own = juno.contract.manifest
    if given is not None:
        changes["arguments"] = msgspec.Raw(wire.encode(given))
    return request(**{"manifest": own.digest, "manifest_text": own.to_wire(), **changes})


async def test_a_request_is_served_by_its_endpoint() -> None:
    """The answer is in the reply, and the reply says who gave it."""
    reply = await Desk().call(encode(said({"text": "hello"})))
    assert (reply.status, msgspec.msgpack.decode(reply.result)) == ("ok", "hello")
    assert str(reply.sender) == "compute@h1 (kilo)"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"interface": "image"},
            "A message from api@a1 (kilo) was refused: no interface 'image' here; served: compute.",
        ),
        (
            {"method": "rebot"},
            "A message from api@a1 (kilo) was refused: compute 3.35 has no endpoint 'rebot'; it has build_instance, "
            "echo, evacuate, reboot, grow, use, work.",
        ),
        (
            {"method": "__init__"},
            "A message from api@a1 (kilo) was refused: compute 3.35 has no endpoint '__init__'; it has build_instance, "
            "echo, evacuate, reboot, grow, use, work.",
        ),
        (
            {"version": "three"},
            "A message from api@a1 (kilo) was refused: received version 'three', expected major.minor like '1.16'.",
        ),
        (
            {"version": "3.36"},
            "compute@h1 (kilo) serves compute 3.35, 4.1 and cannot serve compute.echo of version 3.36, sent by api@a1 "
            "(kilo) (pin epoch 7). Suspect the sender's pin.",
        ),
        (
            {"version": "5.0"},
            "compute@h1 (kilo) serves compute 3.35, 4.1 and cannot serve compute.echo of version 5.0, sent by api@a1 "
            "(kilo) (pin epoch 7). Suspect the sender's pin.",
        ),
        (
            {"version": "2.9"},
            "compute@h1 (kilo) serves compute 3.35, 4.1 and cannot serve compute.echo of version 2.9, sent by api@a1 "
            "(kilo) (pin epoch 7). Suspect the sender's pin.",
        ),
        (
            {"version": "4.0", "method": "attach"},
            "compute@h1 (kilo) serves compute 3.35, 4.1 and cannot serve compute.attach of version 4.0, sent by api@a1 "
            "(kilo) (pin epoch 7). Suspect the sender's pin.",
        ),
        (
            {"given": {"text": "x", "loud": True}},
            "compute.echo has no field 'loud'; it has text.",
        ),
        (
            {"given": {"text": [1]}},
            "compute.echo(text): received list of 1, expected str.",
        ),
        (
            {"given": {}},
            "compute.echo(text): received nothing, expected str: this argument is required.",
        ),
        (
            {"given": [1]},
            "A message from api@a1 (kilo) was refused: compute.echo: Expected `object`, got `array`.",
        ),
        (
            {"method": "reboot", "given": {"instance": {"$": "Instance:1.16", "name": "vm", "memory_mb": "lots"}}},
            "compute.reboot(instance).memory_mb: received 'lots' (str), expected int.",
        ),
        (
            {"method": "reboot", "given": {"instance": {"$": "Volume:1.0", "gigabytes": 1}}},
            "compute.reboot(instance): received object Volume, expected object Instance.",
        ),
        (
            {"ttl": 0.0, "given": {"text": "x"}},
            "compute.echo was certainly not executed: its caller had stopped waiting before it could begin. "
            "It is safe to send it again.",
        ),
        (
            {"ttl": -3.0, "given": {"text": "x"}},
            "compute.echo was certainly not executed: its caller had stopped waiting before it could begin. "
            "It is safe to send it again.",
        ),
    ],
)
async def test_what_cannot_be_served_is_refused_with_one_clear_error(changes: dict[str, Any], told: str) -> None:
    """Each says what was received, what is expected and where; nothing has run, and it is counted by its kind."""
    desk = Desk()
    before = counted("rpc.refused")
    assert await desk.error(**changes) == told
    assert desk.done == []
    assert counted("rpc.refused") == before + 1


async def test_an_unreadable_call_is_answered_so() -> None:
    """Garbage gets an answer too, and the server serves on."""
    desk = Desk()
    reply = await desk.call(b"\xc1garbage")
    assert (reply.status, reply.fault and reply.fault.kind) == ("refused", "MalformedMessage")
    assert (await desk.call(encode(said({"text": "on"})))).status == "ok"


async def test_arguments_of_which_the_depth_has_no_end_are_refused() -> None:
    """Nesting beyond what can be read is a MalformedMessage that says where."""
    deep = msgspec.Raw(b"\x81\xa4text" + b"\x91" * 200_000 + b"\x01")
    reply = await Desk().call(encode(said(arguments=deep)))
    assert reply.status == "refused"
    assert "nested too deep" in str(Faults().error(reply.fault, "x", "y"))


async def test_a_method_that_is_no_endpoint_cannot_be_reached() -> None:
    """Only endpoints are callable, whatever else the implementation has."""
    assert "has no endpoint 'done'" in await Desk().error(method="done")


async def test_an_adapter_that_refuses_refuses_the_call() -> None:
    """An old request that its adapter cannot make new did not run; the caller gets the error itself."""
    desk = Desk()
    with capture_logs() as logs:
        told = await desk.error(method="grow", given={"instance": juno.Instance.unset(), "by_mb": 7})
    assert told == "Instance.memory_mb is not loaded: await obj.load('memory_mb') first."
    assert [entry["event"] for entry in logs] == ["rpc.refused"]


async def test_what_breaks_before_the_work_begins_is_a_remote_error() -> None:
    """A mistake in the service's own code: the traceback is in the callee's log, the caller gets name and text."""
    desk = Desk()
    manifest = kilo.contract.manifest
    desk.dispatcher._make_context = {}.__getitem__  # type: ignore[assignment]  # a service whose context cannot be made
    with capture_logs() as logs:
        reply = await desk.call(encode(said({"text": "x"}, manifest=manifest.digest)))
    assert (reply.status, reply.fault and reply.fault.kind) == ("refused", "TypeError")
    assert [entry["event"] for entry in logs] == ["rpc.not_prepared"]
    assert isinstance(logs[0]["exc_info"], TypeError)


async def test_a_handlers_error_is_logged_with_its_traceback_here() -> None:
    """What crosses only as text leaves its traceback in the callee's log."""
    FAILURES["bad"] = ZeroDivisionError("oh")
    with capture_logs() as logs:
        reply = await Desk().call(encode(said({"what": "bad"}, method="work", request_id="req-9")))
    assert (reply.status, reply.fault and reply.fault.kind) == ("failed", "ZeroDivisionError")
    (entry,) = logs
    assert (entry["event"], entry["method"], entry["request_id"]) == ("rpc.handler_failed", "compute.work", "req-9")
    assert entry["exc_info"] is FAILURES["bad"]


async def test_a_handler_that_calls_exit_ends_nothing_but_its_own_work() -> None:
    """It has failed like any other, in a call, a cast and a fanout, and the process goes on."""
    FAILURES["exit"] = SystemExit("no such disk")
    body, desk = encode(said({"what": "exit"}, method="work")), Desk()
    with capture_logs() as logs:
        reply = await desk.call(body)
        with pytest.raises(Redeliver):
            await desk.cast(body)
        await desk.dispatcher.on_fanout(body, SENDER)
    assert reply.status == "failed"
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.message) == ("RuntimeError", "the handler called exit: no such disk")
    assert [entry["event"] for entry in logs] == ["rpc.handler_failed"] * 3


async def test_a_handler_that_cancels_itself_is_answered() -> None:
    """A CancelledError of the handler's own making is its error, and no silence."""
    FAILURES["cancelled"] = asyncio.CancelledError()
    reply = await Desk().call(encode(said({"what": "cancelled"}, method="work")))
    assert (reply.status, reply.fault and reply.fault.kind) == ("failed", "CancelledError")


async def test_a_cancelled_server_does_not_swallow_its_cancellation() -> None:
    """When the task itself is cancelled, as drain does, the handler stops."""
    body = encode(said({"what": "slow", "seconds": 60}, method="work"))
    dispatcher = Desk().dispatcher
    for serve in (dispatcher.on_call(body, SENDER), Desk().cast(body), dispatcher.on_fanout(body, SENDER)):
        task = asyncio.create_task(serve)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_answer_that_cannot_be_written_is_an_error() -> None:
    """An object that the caller's release does not have becomes CannotBackport at the caller, not silence."""
    manifest = Manifest({"compute": juno.contract.manifest["compute"]})
    body = said(
        {"instance": juno.Instance(name="vm")},
        method="reboot",
        manifest=manifest.digest,
        manifest_text=manifest.to_wire(),
    )
    reply = await Desk(juno).call(encode(body))
    assert (reply.status, reply.fault and reply.fault.kind) == ("failed", "CannotBackport")


async def test_a_cast_that_fails_comes_again_and_is_parked_in_the_end() -> None:
    """Each try waits longer; after the tenth the cast is kept with its error."""
    FAILURES["down"] = errors.NotDelivered(what="db", reason="gone")
    desk, body = Desk(), encode(said({"what": "down"}, method="work", kind="cast"))
    pauses = []
    with capture_logs():
        for attempt in range(1, MOST_ATTEMPTS):
            with pytest.raises(Redeliver) as caught:
                await desk.cast(body, attempt)
            pauses.append(caught.value.delay)
        await desk.cast(body, MOST_ATTEMPTS)
    (parked,) = await desk.parked()
    assert pauses == sorted(pauses)
    assert len(desk.done) == MOST_ATTEMPTS
    assert (parked.body, parked.facts["error"], parked.facts["method"]) == (body, "NotDelivered", "compute.work")
    assert parked.facts["reason"].startswith("db was certainly not executed: gone")


async def test_a_cast_without_its_manifest_is_parked() -> None:
    """Nobody could be asked for it."""
    desk = Desk()
    await desk.cast(encode(said({"what": "x"}, method="work", manifest_text=None)))
    (parked,) = await desk.parked()
    assert parked.facts["reason"].endswith("was refused: a cast must bring its sender's manifest.")
    assert desk.done == []


async def test_a_cast_to_an_older_form_is_adapted() -> None:
    """Casts go through the adapters as calls do."""
    desk = Desk()
    given = {"instance": juno.Instance(name="vm"), "image_id": 3}
    await desk.cast(encode(said(given, method="build_instance", kind="cast")))
    assert desk.done == [(kilo.Instance(name="vm"), "image-3", False)]


async def test_a_fanout_that_cannot_be_served_is_passed_over() -> None:
    """It is counted, and neither answered nor parked; one that fails is logged."""
    desk, before = Desk(), counted("rpc.refused")
    FAILURES["bad"] = ZeroDivisionError("oh")
    await desk.dispatcher.on_fanout(b"garbage", SENDER)
    await desk.dispatcher.on_fanout(encode(said({}, version="9.0")), SENDER)
    await desk.dispatcher.on_fanout(encode(said({}, manifest_text=None)), SENDER)
    assert counted("rpc.refused") == before + 3
    with capture_logs() as logs:
        await desk.dispatcher.on_fanout(encode(said({"what": "bad"}, method="work")), SENDER)
    assert [entry["event"] for entry in logs] == ["rpc.handler_failed"]
    assert (desk.done, await desk.parked()) == (["bad"], [])


async def test_a_fanout_for_others_is_not_for_us() -> None:
    """Whoever is not in the audience does nothing."""
    desk = Desk()
    await desk.dispatcher.on_fanout(encode(said({"what": "x"}, method="work", audience=("feedfeedfeedfeed",))), SENDER)
    ours = ("feedfeedfeedfeed", kilo.contract.manifest.digest)
    await desk.dispatcher.on_fanout(encode(said({"what": "y"}, method="work", audience=ours)), SENDER)
    assert desk.done == ["y"]


def test_only_interfaces_of_the_project_can_be_served_and_each_once() -> None:
    """A stranger's object, and a second one for a topic, are refused with the way out."""
    desk = Desk()
    with pytest.raises(
        ProjectError, match=r"JunoCompute: derives from no interface of the project: Project\(interfaces="
    ):
        desk.dispatcher.add(JunoCompute([], []))
    with pytest.raises(ProjectError, match="KiloCompute: another object serves compute here already"):
        desk.dispatcher.add(KiloCompute([], []))


class WantsMore(JunoCompute):
    async def echo(self, context: Context, text: str, extra: int) -> str:  # type: ignore[override]  # the mistake
        return text


class KnowsLess(JunoCompute):
    async def work(self, context: Context, what: str) -> str:  # type: ignore[override]  # the mistake
        return what


@pytest.mark.parametrize(
    ("implementation", "said"),
    [
        (WantsMore, r"WantsMore.echo: .*\(self, context, text\): missing a required argument: 'extra'"),
        (
            KnowsLess,
            r"KnowsLess.work: .*\(self, context, what, seconds\): got an unexpected keyword .* 'seconds'",
        ),
    ],
)
def test_a_method_that_cannot_be_called_as_its_endpoint_is_refused(implementation: Any, said: str) -> None:
    """It is found when the service starts, with file and line, and not by the first caller."""
    desk = Desk(juno)
    desk.dispatcher._serving.clear()
    with pytest.raises(ProjectError, match=rf"test_dispatch.py:\d+: {said}"):
        desk.dispatcher.add(implementation([], []))


async def test_a_caller_whose_error_answer_is_too_large_is_told_that(fleet: Fleet) -> None:
    """Even an error that does not fit is an answer."""
    await fleet.juno("h1")
    api = await fleet.member(juno, "a1")
    FAILURES["loud"] = juno.Overloaded(*["x" * 1_900] * 600)
    with pytest.raises(errors.MessageTooLarge, match=r"the answer of compute\.work is 11\d+ bytes"):
        await Client(juno.ComputeAPI).call(juno.ComputeAPI.work, api.context, "loud")


# Whatever arrives, there is an answer.

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
_INSTANCE = {"$": "Instance:1.16", "name": "vm", "memory_mb": 1, "power": "on"}
_GOOD: list[tuple[str, dict[str, Any]]] = [
    ("echo", {"text": "x"}),
    ("evacuate", {"host": "h1"}),
    ("build_instance", {"instance": _INSTANCE, "image_id": 7}),
    ("reboot", {"instance": _INSTANCE, "note": "", "twice": True}),
    ("grow", {"instance": _INSTANCE, "by_mb": 7}),
]
_VERSIONS = st.sampled_from(["3.35", "3.35", "3.35", "3.20", "4.0", "4.1", "9.0", "x"])


@st.composite
def _nearly_good(draw: st.DrawFn) -> bytes:
    """A good request, or one with an argument or a field replaced."""
    method, given = draw(st.sampled_from(_GOOD))
    if draw(st.booleans()):
        given = {**given, draw(st.sampled_from([*given, "other"])): draw(_VALUES)}
    plain = msgspec.msgpack.decode(encode(said(given, method=method, version=draw(_VERSIONS))))
    if not draw(st.integers(0, 3)):
        plain[draw(st.sampled_from(Request.__struct_fields__))] = draw(_VALUES)
    return msgspec.msgpack.encode(plain)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A request with some bytes changed, or cut off."""
    body = bytearray(draw(_nearly_good()))
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255)), max_size=2)):
        body[at] = byte
    return bytes(body[: draw(st.integers(0, len(body)) | st.just(len(body)))])


_GARBAGE = st.binary(max_size=300) | _VALUES.map(msgspec.msgpack.encode)
_BODIES = st.integers(0, 9).flatmap(lambda n: _GARBAGE if n < 1 else _damaged() if n < 4 else _nearly_good())

DESK = Desk()


@settings(max_examples=300, deadline=None)
@given(_BODIES)
async def test_every_call_is_answered(body: bytes) -> None:
    """on_call never raises, and what it returns is a reply."""
    reply = await DESK.call(body)
    assert reply.status in ("ok", "failed", "refused", "need_manifest")
    assert (reply.fault is None) == (reply.status in ("ok", "need_manifest"))


@settings(max_examples=200, deadline=None)
@given(_BODIES, st.integers(1, 12))
async def test_every_cast_is_run_or_kept(body: bytes, attempt: int) -> None:
    """on_cast raises nothing but Redeliver, and what did not run is parked or comes again."""
    desk = Desk()
    try:
        await desk.cast(body, attempt)
    except Redeliver:
        return
    assert len(desk.done) + len(await desk.parked()) == 1


@settings(max_examples=100, deadline=None)
@given(_BODIES)
async def test_no_fanout_raises(body: bytes) -> None:
    """on_fanout never raises."""
    await DESK.dispatcher.on_fanout(body, SENDER)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOLDEN_REQUEST) - 1), st.integers(0, 255))
def test_one_wrong_byte_is_read_or_refused(at: int, byte: int) -> None:
    """Reading an envelope raises MalformedMessage and nothing else."""
    body = bytearray(GOLDEN_REQUEST)
    body[at] = byte
    with suppress(errors.MalformedMessage):
        assert isinstance(decode_request(bytes(body)), Request)


# Who sends


async def test_a_message_that_says_it_is_from_somebody_else_is_refused() -> None:
    """The broker's word counts, of service and host; nothing of a call, a cast or a fanout runs, and it is counted.
    Nothing else that it says of its sender is kept, either."""
    desk, body = Desk(), encode(said({"what": "x"}, method="work"))
    for service, host in (("compute", "a1"), ("api", "h1")):
        before = counted("rpc.refused", kind="NotAllowed")
        sender = Identity(service, host)
        reply = decode_reply(await desk.dispatcher.on_call(body, sender))
        assert str(Faults().error(reply.fault, "x", "y")) == (
            f"compute.work was refused, and did not run: {service}@{host} may not ask for it, since the message says "
            "that it is from api@a1."
        )
        await desk.dispatcher.on_fanout(body, sender)
        await desk.dispatcher.on_cast(CastDelivery(body, f"from-{sender}", 1, sender), ADDRESS)
        assert counted("rpc.refused", kind="NotAllowed") == before + 3
    parked = [message.facts for message in await desk.parked()]
    assert [(facts["error"], facts["sender"]) for facts in parked] == [
        ("NotAllowed", "compute@a1"), ("NotAllowed", "api@h1"),
    ]  # fmt: skip
    assert [facts.keys() & {"sender_release", "sender_member", "pin_epoch"} for facts in parked] == [set(), set()]
    assert desk.done == []


@pytest.mark.parametrize(
    "body",
    [b"\xc1", encode(request(protocol=7)), encode(request(protocol=7, sender=Sender("conductor", "c1", "juno")))],
    ids=["garbage", "newer", "newer and forged"],
)
async def test_what_cannot_be_read_is_told_of_whom_the_broker_proves(body: bytes) -> None:
    """Whatever it is and says of its sender: the log, and what is parked of it, name who sent it."""
    telemetry.bad_input.forget()
    desk, rogue = Desk(), Identity("compute", "h9")
    with capture_logs() as logs:
        await desk.dispatcher.on_call(body, rogue)
        await desk.dispatcher.on_fanout(body, rogue)
        await desk.dispatcher.on_cast(CastDelivery(body, "id-1", 1, rogue), ADDRESS)
    told = [(line["event"], line["sender"]) for line in logs]
    assert told == [("rpc.refused", "compute@h9"), ("rpc.parked", "compute@h9")]
    assert [message.facts["sender"] for message in await desk.parked()] == ["compute@h9"]


@pytest.mark.parametrize("wrong", [{"method": "none"}, {"version": "3.99"}], ids=["malformed", "rejected"])
async def test_a_sender_of_many_releases_has_one_line(wrong: dict[str, Any]) -> None:
    """Of what it says of itself, only what the broker proves tells it from others."""
    telemetry.bad_input.forget()
    desk, before = Desk(), counted("rpc.refused")
    with capture_logs() as logs:
        for number in range(5):
            sender = Sender(SENDER.service, SENDER.host, f"made-up-{number}", f"member-{number}")
            await desk.call(encode(said({"text": "x"}, sender=sender, **wrong)))
    assert len(logs) == 1
    assert counted("rpc.refused") == before + 5


async def test_who_never_tells_its_manifest_is_counted() -> None:
    """It is asked each time, nothing runs, and there is a counter that shows it."""
    desk, before = Desk(), counted("rpc.refused", kind="NeedManifest")
    for number in range(3):
        reply = await desk.call(encode(said({"what": "x"}, method=f"m{number}", manifest_text=None)))
        assert reply.status == "need_manifest"
    assert counted("rpc.refused", kind="NeedManifest") == before + 3
    assert desk.done == []
