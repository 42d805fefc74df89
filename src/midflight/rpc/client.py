"""Clients: the typed way to call, cast and fan out, and the messenger that sends for them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import msgspec

from midflight import telemetry
from midflight.context import Caller, Context
from midflight.context import Messenger as MessengerPort
from midflight.errors import (
    InvalidValue,
    MalformedMessage,
    NotAllowed,
    NotDelivered,
    PinnedOut,
    Unknown,
    UsageError,
    VersionRejected,
)
from midflight.objects import wire
from midflight.rpc import messages
from midflight.rpc.call import Call
from midflight.rpc.endpoints import EndpointSpec, spec_of
from midflight.rpc.faults import Faults
from midflight.rpc.floors import Floors, Unpinned
from midflight.rpc.forms import Form, Saying, defaults_of
from midflight.rpc.interface import Contract
from midflight.rpc.messages import Reply, Request, Sender
from midflight.rpc.rejected import facts_of, log_rejected
from midflight.rpc.rights import forbidden
from midflight.rpc.sizes import check_message, check_request
from midflight.rpc.time_limits import TimeLimits
from midflight.telemetry import Histogram
from midflight.transports.base import Address, Forbidden, NoAnswer, Transport
from midflight.versions import Manifest

__all__ = ["Client", "Floors", "Messenger", "Unpinned"]

P = ParamSpec("P")
R = TypeVar("R")
Api = TypeVar("Api")

_CONFIRMATIONS = 2
"""How often a cast is handed to a broker that does not confirm it; the broker stores one id once."""

_MOST_PLANS = 10_000
"""So many endpoints, each with the hosts that it goes to, are planned once."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one endpoint is said to one host, or to any, as long as the floor there is this one."""

    floor: Manifest
    saying: Saying
    address: Address
    peer: str


class Client(Generic[Api]):
    """Sends to the services of one interface, through the messenger of whatever context it is given.

    ``compute = Client(ComputeAPI)`` may stand at module level: it holds no connection.
    """

    __slots__ = ("_host", "_interface", "_seconds")

    def __init__(self, interface: Callable[..., Api], *, host: str | None = None, seconds: float | None = None) -> None:
        self._interface, self._host, self._seconds = interface, host, seconds

    def on(self, host: str | None) -> Client[Api]:
        """The same for the member on one host; with None, for any member."""
        return Client(self._interface, host=host, seconds=self._seconds)

    def within(self, seconds: float) -> Client[Api]:
        """The same with another time limit for each call than the configuration's ``call_seconds``."""
        return Client(self._interface, host=self._host, seconds=seconds)

    async def call(
        self,
        endpoint: Callable[Concatenate[Api, Context, P], Awaitable[R]],
        context: Context,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Ask one member and wait for its answer, never longer than the limit and than the caller's own caller waits.

        Who is cancelled meanwhile, or waits no longer, has the work cancelled as well, best effort.

        Raises NotDelivered (it did not run), Unknown (it may have run), VersionRejected, PinnedOut, the callee's own
        error where it is one of midflight's or of ``Project(errors=…)``, else RemoteError.
        """
        messenger = _messenger(context, endpoint)
        arguments = spec_of(endpoint).bind(args, kwargs)
        result: R = await messenger.call(endpoint, self._host, context, arguments, self._seconds)
        return result

    async def cast(
        self,
        endpoint: Callable[Concatenate[Api, Context, P], Awaitable[object]],
        context: Context,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Tell one member, durably: returns when the broker has it. It will be run, and repeats of it will not; or it
        will be parked.

        Raises Unknown when the broker did not confirm it, and PinnedOut; and InvalidValue for one that has an ordering
        key and goes to no host: among several receivers, nobody could keep the order.
        """
        messenger = _messenger(context, endpoint)
        await messenger.cast(endpoint, self._host, context, spec_of(endpoint).bind(args, kwargs))

    async def fanout(
        self,
        endpoint: Callable[Concatenate[Api, Context, P], Awaitable[object]],
        context: Context,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Tell all members who listen now, each in its own versions; best effort. Raises PinnedOut before the first."""
        await _messenger(context, endpoint).fanout(endpoint, context, spec_of(endpoint).bind(args, kwargs))

    def __repr__(self) -> str:
        return f"Client({getattr(self._interface, '__name__', self._interface)}, host={self._host!r})"


def _messenger(context: Context, endpoint: Any) -> MessengerPort:
    if context.messenger is None:
        reason = "its context has no messenger: use Runtime.context(), or the context of the method being served"
        raise NotDelivered(what=getattr(endpoint, "__qualname__", repr(endpoint)), reason=reason)
    return context.messenger


class Messenger:
    """Sends for all clients of one process; the port ``context.Messenger``."""

    def __init__(
        self,
        contract: Contract,
        transport: Transport,
        identity: Caller,
        floors: Floors,
        *,
        errors: Iterable[type[Exception]] = (),
        call_seconds: float = 5.0,
    ) -> None:
        self._contract, self._transport, self._identity, self._floors = contract, transport, identity, floors
        self._faults = Faults(errors)
        self.call_seconds = call_seconds
        """How long a call may take that says nothing else. It may be changed between calls."""
        self._manifest_text = contract.manifest.to_wire()
        self._digest = contract.manifest.digest
        self._sender = Sender.of(identity, floors.epoch)
        self._limits = TimeLimits()
        self._plans: dict[tuple[EndpointSpec, str | None], _Plan] = {}
        self._outcomes: dict[tuple[str, str], tuple[Callable[[int], None], Histogram]] = {}

    async def call(
        self,
        endpoint: Any,
        host: str | None,
        context: Context,
        arguments: Mapping[str, Any],
        timeout: float | None = None,
    ) -> Any:
        """See Client.call. ``timeout`` in seconds; None is the configuration's."""
        saying, request, address = self._said("call", endpoint, host, context, arguments)
        deadline, idempotent = self._deadline(context, timeout), saying.form.spec.idempotent
        call = Call(
            self._transport, self._floors, address, request, saying.form.what, deadline, idempotent,
            self._manifest_text, self._limits,
        )  # fmt: skip
        return self._result(await self._replied(call), saying, context)

    async def _replied(self, call: Call) -> Reply:
        """The reply to a call, counted and timed by its outcome."""
        began, outcome = time.perf_counter(), "abandoned"
        try:
            reply = await call.reply()
            outcome = _outcome(reply)
            return reply
        except NotDelivered:
            outcome = "not_delivered"
            raise
        except Unknown:
            outcome = "unknown"
            raise
        except MalformedMessage:
            outcome = "malformed"
            raise
        except NotAllowed:
            outcome = "refused"
            raise
        finally:
            self._note(call.what, outcome, time.perf_counter() - began)

    def _note(self, what: str, outcome: str, seconds: float) -> None:
        noted = self._outcomes.get((what, outcome))
        if noted is None:
            labels = {"method": what, "outcome": outcome}
            timed = telemetry.histogram("rpc.call_seconds", interface=what.partition(".")[0], **labels)
            noted = self._outcomes[what, outcome] = telemetry.counter("rpc.calls", **labels), timed
        counter, timed = noted
        counter(1)
        timed.took(seconds)

    def _deadline(self, context: Context, timeout: float | None) -> float:
        latest = time.monotonic() + (self.call_seconds if timeout is None else timeout)
        return latest if context.deadline is None else min(latest, context.deadline)

    def _result(self, reply: Reply, saying: Saying, context: Context) -> Any:
        form = saying.form
        if reply.status == "ok":
            return saying.result(
                wire.decode(reply.result, form.result, context=context, path=f"{form.what}, its answer")
            )
        error = self._faults.error(reply.fault, form.what, str(reply.sender))
        if reply.status == "refused" and isinstance(error, VersionRejected):
            sender = self._current_sender().caller()
            log_rejected(facts_of(error, sender, reply.sender.caller()), "sender")
        raise error

    async def cast(self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any]) -> None:
        """See Client.cast."""
        saying, request, address = self._said("cast", endpoint, host, context, arguments)
        if request.order and host is None:
            raise _without_order(saying.form)
        request.manifest_text = self._manifest_text
        if (seconds := saying.form.spec.casting.expires) is not None:
            request.expires = time.time() + seconds
        body = messages.encode(request)
        check_request(request.what, body, self._transport, self._floors, address)
        try:
            await self._confirmed(saying.form.what, address, body, request.message_id)
        except Forbidden:
            raise forbidden(saying.form.what, request, address) from None
        telemetry.count("rpc.casts", method=saying.form.what)

    async def _confirmed(self, what: str, address: Address, body: bytes, message_id: str) -> None:
        for _ in range(_CONFIRMATIONS):
            try:
                await self._transport.cast(address, body, message_id)
                return
            except NoAnswer:
                continue
        raise Unknown(what=what, reason="the broker did not confirm that it has it")

    async def fanout(self, endpoint: Any, context: Context, arguments: Mapping[str, Any]) -> None:
        """See Client.fanout."""
        spec = spec_of(endpoint)
        topic = self._contract.topic_of(spec)
        bodies = self._bodies(endpoint, topic, context, arguments)
        for body in bodies:
            await self._transport.fanout(topic, body)
        telemetry.count("rpc.fanouts", method=f"{topic}.{spec.method}")

    def _bodies(self, endpoint: Any, topic: str, context: Context, arguments: Mapping[str, Any]) -> list[bytes]:
        """One message per distinct manifest, each with its audience."""
        manifests, bodies = self._floors.manifests_of(topic), []
        for manifest in manifests:
            _, request, _ = self._said("fanout", endpoint, None, context, arguments, manifest)
            request.manifest_text = self._manifest_text
            if len(manifests) > 1:
                request.audience = tuple(sorted(self._floors.audience(topic, manifest)))
            bodies.append(messages.encode(request))
            check_message(request.what, bodies[-1], self._transport)
        return bodies

    def supports(self, endpoint: Any, parameter: str | None, host: str | None) -> bool:
        """See Context.supports."""
        spec = spec_of(endpoint)
        if parameter is not None and parameter not in spec.parameters:
            known = ", ".join(spec.parameters) or "none"
            raise UsageError(reason=f"received parameter {parameter!r}, expected one of {spec.method}'s: {known}")
        try:
            saying = self._plan(spec, host).saying
        except PinnedOut:
            return False
        lost = {name for revert in saying.form.reverts for name in revert.newer.keys() - revert.takes.keys()}
        return parameter not in lost | {each.name for each in saying.too_new}

    def _said(
        self,
        kind: str,
        endpoint: Any,
        host: str | None,
        context: Context,
        arguments: Mapping[str, Any],
        manifest: Manifest | None = None,
    ) -> tuple[Saying, Request, Address]:
        """The request in the versions of its receiver. Raises PinnedOut, CannotBackport, InvalidValue."""
        spec = spec_of(endpoint)
        plan = self._plan(spec, host) if manifest is None else self._planned(spec, host, manifest)
        saying, ordered = plan.saying, kind != "fanout" and spec.casting.ordered_by
        request = Request(
            protocol=messages.PROTOCOL,
            sender=self._current_sender(),
            kind=kind,
            interface=plan.address.topic,
            version=saying.version,
            method=saying.form.name,
            arguments=_encoded(saying.request(dict(arguments)), plan.floor, plan.peer, saying.form.what),
            manifest=self._digest,
            values=dict(context.values),
            request_id=context.request_id,
            message_id="" if kind == "fanout" else secrets.token_hex(16),
            host=host,
            order=spec.casting.key_of(defaults_of(spec.parameters) | dict(arguments)) if ordered else "",
            trace=None if context.trace is None else dict(context.trace),
        )
        return saying, request, plan.address

    def _plan(self, spec: EndpointSpec, host: str | None) -> _Plan:
        """The same as the last time, unless the floor has moved."""
        floor, plan = self._floors.manifest_for(self._contract.topic_of(spec), host), self._plans.get((spec, host))
        if plan is None or plan.floor is not floor:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[spec, host] = self._planned(spec, host, floor)
        return plan

    def _planned(self, spec: EndpointSpec, host: str | None, floor: Manifest) -> _Plan:
        address = Address(self._contract.topic_of(spec), host)
        return _Plan(floor, self._contract.saying(spec, floor), address, str(address))

    def _current_sender(self) -> Sender:
        if self._sender.pin_epoch != self._floors.epoch:
            self._sender = Sender.of(self._identity, self._floors.epoch)
        return self._sender


def _without_order(form: Form) -> InvalidValue:
    received, expected = "a cast to any member", "one to a host, .on(host): among several, nobody keeps an order"
    return InvalidValue(
        path=f"{form.what}, ordered by {form.spec.casting.ordered_by}", received=received, expected=expected
    )


def _outcome(reply: Reply) -> str:
    """How the fleet's counters call it: answered, failed (it ran), rejected (for its version) or refused."""
    rejected = reply.fault is not None and reply.fault.kind == "VersionRejected"
    return "answered" if reply.status == "ok" else "rejected" if rejected else reply.status


def _encoded(arguments: dict[str, Any], floor: Manifest, peer: str, what: str) -> msgspec.Raw:
    try:
        return msgspec.Raw(wire.encode(arguments, floor, peer=peer))
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError) as wrong:
        raise InvalidValue(path=what, received=str(wrong), expected="arguments that can travel") from None
