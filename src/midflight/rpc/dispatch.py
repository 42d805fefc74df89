"""Dispatch: from the bytes of a request to the method that serves it, and back.

Nothing that a peer sends can make these handlers raise: what cannot be served is refused with a typed error (calls),
kept with its facts (casts) or passed over (fanouts), and counted.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from midflight import telemetry
from midflight.context import Caller, Context
from midflight.errors import (
    IdReused,
    MalformedMessage,
    MessageTooLarge,
    MidflightError,
    NotDelivered,
    NotReadable,
    ProjectError,
    Unknown,
    VersionRejected,
)
from midflight.objects import wire
from midflight.rpc import messages
from midflight.rpc.answers import Answers
from midflight.rpc.casts import Casts
from midflight.rpc.endpoints import EndpointSpec
from midflight.rpc.exits import NoExit
from midflight.rpc.faults import Faults, text_of
from midflight.rpc.forms import Form
from midflight.rpc.interface import Contract, InterfaceSpec
from midflight.rpc.limits import Line, Turns, latest_turn, turns_of
from midflight.rpc.manifests import ManifestStore, NeedManifest
from midflight.rpc.messages import Fault, Reply, Request, Sender
from midflight.rpc.noted import Noted
from midflight.rpc.parked import OnRejected, Parking, tell_nobody
from midflight.rpc.rejected import facts_of, log_rejected
from midflight.rpc.repeats import Elsewhere, Notes, Once
from midflight.rpc.rights import Roles, check_replay, check_sender, not_allowed
from midflight.rpc.sizes import check_answer, check_message
from midflight.rpc.threads import Threads, is_plain
from midflight.rpc.work import Work, leave_if_stopped
from midflight.transports.base import Address, CastDelivery, Identity, ParkedMessage, Transport
from midflight.versions import Version

MakeContext = Callable[[Mapping[str, str], str, Caller, float | None], Context]
"""Makes the context of one piece of work from the values and the request id that came with it, who sent it, and until
when that one waits."""

Traced = Callable[[str, Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]
"""Stands around the method that serves an endpoint, ``compute.reboot``, and does the same."""

_ADAPTER = NoExit("the adapter")

_MOST_ROUTES = 1_000
"""So many versions and methods that were found once are found at once from then on: more than a project has, and fewer
than a stranger can make up."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the requests for one method in one version go."""

    form: Form
    run: Callable[..., Awaitable[Any]]
    turns: Turns


class Dispatcher:
    """Serves the interfaces whose implementations were added, in every version that they understand.

    ``notes`` outlive the process, so that what comes again after its end is not run again.
    """

    def __init__(
        self,
        contract: Contract,
        identity: Caller,
        transport: Transport,
        make_context: MakeContext,
        *,
        errors: Iterable[type[Exception]] = (),
        manifests: ManifestStore | None = None,
        on_rejected: OnRejected = tell_nobody,
        threads: Threads | None = None,
        roles: Roles | None = None,
        notes: Notes | None = None,
        traced: Traced | None = None,
    ) -> None:
        self._contract, self._identity, self._transport = contract, identity, transport
        self._make_context, self._faults = make_context, Faults(errors)
        self._manifests = manifests or ManifestStore(contract.manifest)
        parking = Parking(transport, identity, on_rejected)
        self._roles = roles or Roles()
        memory = Noted()
        self._answers = Answers(in_transactions=notes is not None and notes.in_transactions)
        self.casts = Casts(
            transport, parking, Once(notes or memory, memory), self._prepare, self._admit, self._note_refusal,
            self._note_failure,
        )  # fmt: skip
        self._sender = Sender.of(identity, identity.pin_epoch)
        self._serving: dict[str, tuple[InterfaceSpec, Any]] = {}
        self._turns: dict[tuple[str, str], Turns] = {}
        self._threads, self._traced = threads or Threads(), traced
        self._plain: set[tuple[str, str]] = set()
        self._routes: dict[tuple[str, str, str], Route] = {}

    def add(self, implementation: object, line: Line | None = None) -> None:
        """Serve the interfaces of the contract that this object derives from; all of their work passes the ``line``.

        Raises ProjectError when there is none, when one of them is served already, or when a method does not take what
        its endpoint is given.
        """
        found = [spec for spec in self._contract.interfaces.values() if spec.cls in type(implementation).__mro__]
        where = type(implementation).__qualname__
        if not found:
            raise ProjectError(where=where, reason="derives from no interface of the project: Project(interfaces=…)")
        for spec in found:
            if spec.topic in self._serving:
                raise ProjectError(where=where, reason=f"another object serves {spec.topic} here already")
            for endpoint in spec.endpoints.values():
                _check_method(implementation, endpoint)
                self._prepare_to_run(spec.topic, endpoint, getattr(implementation, endpoint.method), line)
            self._serving[spec.topic] = spec, implementation

    def _prepare_to_run(self, topic: str, endpoint: EndpointSpec, method: Any, line: Line | None) -> None:
        """In a thread where it is a plain def, and under which limits."""
        key, plain = (topic, endpoint.method), is_plain(method)
        self._turns[key] = turns_of(topic, endpoint, self._threads.line if plain else None, line)
        if plain:
            self._plain.add(key)

    def serves(self, topic: str) -> bool:
        """Whether an implementation of this topic was added."""
        return topic in self._serving

    async def on_call(self, body: bytes, sender: Identity) -> bytes | None:
        """Serve a call from ``sender``; the bytes of its answer, or of why there is none. None where another process
        answers it."""
        request: Request | None = None
        try:
            request = messages.decode_request(body)
            work = self._prepare(request, sender)
            if request.host is not None:
                await self.casts.refuse_behind(request, work, request.interface)
        except NeedManifest:
            telemetry.count("rpc.refused", kind=NeedManifest.__name__)
            return self._encoded("need_manifest")
        except Exception as error:  # noqa: BLE001  # a message must never kill the server
            return self._refuse(request, error, sender)
        if work.turns and (full := await work.turns.enter(latest_turn(work.context.deadline))):
            return self._busy(work, full)
        try:
            return await self._answers.once(work, self._answer)
        except (IdReused, Unknown) as error:
            return self._refuse(request, error, sender)
        except Elsewhere:
            return None
        finally:
            work.turns.leave()

    async def on_cast(self, delivery: CastDelivery, address: Address) -> None:
        """Serve a cast that came to ``address``, or park it. Raises Redeliver for one that shall come again."""
        await self.casts.on_cast(delivery, address)

    async def on_fanout(self, body: bytes, sender: Identity) -> None:
        """Serve a fanout from ``sender`` if it is meant for us; what cannot be served is counted and passed over."""
        request: Request | None = None
        try:
            request = messages.decode_request(body)
            if request.audience and self._contract.manifest.digest not in request.audience:
                return
            work = self._prepare(request, sender)
        except Exception as error:  # noqa: BLE001  # as above
            self._note_refusal(request, error, sender)
            return
        try:
            await work.done_in_turn()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # nor must its handler
            leave_if_stopped(error)
            self._note_failure(work, error)

    # From a request to work, in order: who sends, which method in which version, its arguments.

    def _prepare(self, request: Request, sender: Identity | None) -> Work:
        """Raises NeedManifest, and the error of whatever cannot be served; nothing of it has run then. Where the sender
        is not known yet, the work has to be admitted when it is."""
        began = time.monotonic()
        if sender is not None:
            check_sender(request, sender)
        caller = request.sender.caller(self._manifests.of(request))
        route = self._routes.get((request.interface, request.version, request.method)) or self._route(request, caller)
        form, deadline = route.form, None if request.ttl is None else began + request.ttl
        if sender is not None and not self._roles.admit(form.spec.allow, sender.service):
            raise not_allowed(form.what, sender, form.spec.allow or ())
        context = self._make_context(request.values, request.request_id, caller, deadline)
        if request.trace is not None:
            context = replace(context, trace=request.trace)
        given = self._read(request, form, context, caller)
        with _ADAPTER:
            arguments = form.hear(given)
        if deadline is not None and time.monotonic() >= deadline:
            raise NotDelivered(what=form.what, reason="its caller had stopped waiting before it could begin")
        return Work(request, caller, form, route.run, context, arguments, route.turns)

    def _route(self, request: Request, caller: Caller) -> Route:
        """What does not depend on more than interface, version and method is found once."""
        form, implementation = self._find(request, caller)
        run, key = getattr(implementation, form.spec.method), (request.interface, form.spec.method)
        if key in self._plain:
            run = partial(self._threads.run, run)
        route = Route(form, self._traced(form.what, run) if self._traced else run, self._turns[key])
        if len(self._routes) < _MOST_ROUTES:
            self._routes[request.interface, request.version, request.method] = route
        return route

    def _admit(self, work: Work, parked: ParkedMessage, replayer: Identity | None) -> None:
        """What was parked may run by the right of who sent it first. Raises NotAllowed. Without a ``replayer`` it is
        taken from where it is parked."""
        if replayer is not None:
            own = Identity(self._identity.service, self._identity.host)
            check_replay(work.request, replayer, parked, own)
        if parked.sender is not None:
            check_sender(work.request, parked.sender)
        allow = work.form.spec.allow
        if allow is not None and (parked.sender is None or not self._roles.admit(allow, parked.sender.service)):
            raise not_allowed(work.form.what, parked.sender or "its sender, whom nobody has noted,", allow)

    def _find(self, request: Request, caller: Caller) -> tuple[Form, Any]:
        if request.interface not in self._serving:
            raise _malformed(caller, f"no interface {request.interface!r} here; served: {', '.join(self._serving)}")
        interface, implementation = self._serving[request.interface]
        try:
            version = Version.parse(request.version)
        except ValueError as wrong:
            raise _malformed(caller, str(wrong)) from None
        if not interface.understands(version):
            raise self._rejected(request, caller, interface)
        form = interface.forms[version.major].get(request.method)
        if form is None:
            known = ", ".join(interface.forms[version.major])
            reason = f"{request.interface} {version} has no endpoint {request.method!r}; it has {known}"
            raise _malformed(caller, reason)
        if version < form.since:
            raise self._rejected(request, caller, interface)
        return form, implementation

    def _rejected(self, request: Request, caller: Caller, interface: InterfaceSpec) -> VersionRejected:
        return VersionRejected(
            interface=request.interface, method=request.what, requested=request.version,
            understood=interface.understood, sender=str(caller), callee=str(self._identity), pin_epoch=caller.pin_epoch,
        )  # fmt: skip

    def _read(self, request: Request, form: Form, context: Context, caller: Caller) -> dict[str, Any]:
        try:
            return wire.decode_fields(
                request.arguments, form.kinds, context=context, sender=caller.manifest, path=form.what
            )
        except MalformedMessage as wrong:
            raise _malformed(caller, wrong.reason) from None
        except NotReadable as newer:
            raise VersionRejected(
                interface=newer.object, method=newer.path, requested=newer.received, understood=newer.understood,
                sender=str(caller), callee=str(self._identity), pin_epoch=caller.pin_epoch,
            ) from None  # fmt: skip

    # From work to its effect.

    async def _answer(self, work: Work) -> bytes:
        try:
            result = await work.answer()
            raw = wire.encode(result, work.caller.manifest, where=wire.REPLY, peer=_place(work.caller))
            answer = self._encoded("ok", msgspec.Raw(raw))
            check_answer(f"the answer of {work.form.what}", answer, self._transport, work.caller.manifest)
            return answer
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # nor must its handler
            leave_if_stopped(error)
            self._note_failure(work, error)
            return self._failed("failed", self._faults.fault(error), work.form.what)

    # Answers.

    def _refuse(self, request: Request | None, error: Exception, sender: Identity) -> bytes:
        self._note_refusal(request, error, sender)
        what = request.what if request else "a message"
        return self._failed("refused", self._faults.fault(error, ran=False), what)

    def _busy(self, work: Work, full: Line) -> bytes:
        telemetry.count("rpc.busy", method=work.form.what)
        reason = f"{self._identity} is busy: {full.name} runs {full.limit} at once, and there was no turn in time"
        error = NotDelivered(what=work.form.what, reason=reason)
        return self._failed("refused", self._faults.fault(error, ran=False), work.form.what)

    def _failed(self, status: str, fault: Fault, what: str) -> bytes:
        """An answer that surely fits: where the error is itself too large, one that says so."""
        answer = self._encoded(status, fault=fault)
        try:
            check_message(f"the answer of {what}", answer, self._transport)
        except MessageTooLarge as error:
            return self._encoded(status, fault=self._faults.fault(error))
        return answer

    def _encoded(self, status: str, result: msgspec.Raw | None = None, fault: Fault | None = None) -> bytes:
        reply = Reply(protocol=messages.PROTOCOL, sender=self._sender, status=status, fault=fault)
        if result is not None:
            reply.result = result
        return messages.encode(reply)

    # What is told about it.

    def _note_refusal(self, request: Request | None, error: BaseException, sender: Identity | None) -> None:
        kind, who = type(error).__name__, _who(request, sender)
        if isinstance(error, VersionRejected) and request is not None:
            caller = request.sender.caller()
            telemetry.count("rpc.refused", kind=kind)
            telemetry.count("rpc.rejected", sender=_place(caller), method=error.method)
            if (more := telemetry.bad_input.turn("rpc.version_rejected", kind, _place(caller))) is not None:
                log_rejected(facts_of(error, caller, self._identity), "receiver", **more)
        elif isinstance(error, MidflightError | NeedManifest):
            telemetry.bad_input.note("rpc.refused", kind, who, reason=text_of(error))
        else:
            telemetry.count("rpc.refused", kind=kind)
            if (more := telemetry.bad_input.turn("rpc.not_prepared", kind, who)) is not None:
                telemetry.log.error("rpc.not_prepared", sender=who, exc_info=error, **more)

    def _note_failure(self, work: Work, error: BaseException) -> None:
        """The traceback stays here, for errors of which the caller learns only the text."""
        facts = {"method": work.form.what, "sender": str(work.caller), "request_id": work.context.request_id}
        if self._faults.crosses(error):
            telemetry.log.info("rpc.handler_raised", error=type(error).__name__, reason=text_of(error), **facts)
        else:
            telemetry.log.error("rpc.handler_failed", exc_info=error, **facts)


def _check_method(implementation: object, endpoint: EndpointSpec) -> None:
    """An endpoint's method is given the context, and all of the endpoint's parameters by their names."""
    method = getattr(implementation, endpoint.method)
    try:
        inspect.signature(method).bind(None, **dict.fromkeys(endpoint.parameters))
    except TypeError as wrong:
        code = getattr(inspect.unwrap(method), "__code__", None)
        place = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
        takes = ", ".join(("self", "context", *endpoint.parameters))
        where = f"{place}{type(implementation).__qualname__}.{endpoint.method}"
        raise ProjectError(where=where, reason=f"the endpoint is called with ({takes}): {wrong}") from None


def _malformed(caller: Caller, reason: str) -> MalformedMessage:
    return MalformedMessage(sender=str(caller), reason=reason)


def _who(request: Request | None, sender: Identity | None) -> str:
    """Who sent it, by the broker's word; without that, as for what was sent again out of where it was parked, by the
    message's own. What else a message says of its sender, like a release, could be another in each."""
    said = "an unknown sender" if request is None else str(request.sender)
    return said if sender is None else str(sender)


def _place(caller: Caller) -> str:
    return f"{caller.service}@{caller.host}"
