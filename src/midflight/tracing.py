"""Traces: what became of one piece of work, through calls, casts, remotables and rows, as OpenTelemetry tells it.

What travels is W3C's trace context, in the envelope of each message: ``traceparent`` and what goes with it. A process
that traces nothing hands it on with the context. One that traces stands around the ports by which work leaves it, and
around the endpoints at which work comes; where nobody traces, there is nothing to pass.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from midflight.conductor.interface import ConductorAPI, MemberAPI
from midflight.config import Config
from midflight.context import Conductor, Context, Database, Messenger
from midflight.db.write_form import Form
from midflight.errors import ConfigError, MissingExtra
from midflight.probes import Standing
from midflight.rpc.endpoints import spec_of
from midflight.rpc.interface import Contract
from midflight.telemetry import log
from midflight.versions import Manifest

try:
    from opentelemetry import propagate, trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
    from opentelemetry.trace import SpanKind
except ModuleNotFoundError as missing:
    raise MissingExtra(module="[traces] endpoint", missing=missing.name or "opentelemetry", extra="otel") from None

EXPORT_SECONDS = 2.0
"""A collector that does not answer for so long has lost what it was to be told; so long may it hold up a stop."""

OWN_TOPICS = (ConductorAPI.topic, MemberAPI.topic)
"""What midflight says to itself begins no trace: there would be one for each beat. It goes on with one."""

_URL = re.compile(r"https?://[^/\s]+(/\S*)?")

Run = Callable[..., Awaitable[Any]]


class Tracing:
    """The traces of one service. ``endpoint`` is where OTLP over HTTP is taken; what else there is to say about the way
    there, and how much is sampled, is in OpenTelemetry's own variables of the environment."""

    def __init__(self, exporter: SpanExporter, resource: Mapping[str, str]) -> None:
        self._provider = TracerProvider(resource=Resource.create(dict(resource)), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("midflight")

    def share(self) -> None:
        """Let spans of the application's own go the same way, unless it has said in this process where they go."""
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self._provider)

    async def close(self) -> None:
        """Bring the last spans away, for up to EXPORT_SECONDS."""
        await asyncio.to_thread(self._provider.shutdown)

    def around(
        self, conductor: Conductor | None, messenger: Messenger, database: Database | None, contract: Contract
    ) -> tuple[Conductor | None, Messenger, Database | None]:
        """The same ports, with a span for each remotable that runs elsewhere, for each call, cast and fanout, in whose
        trace the receiver goes on, and for each piece of work on rows."""
        return (
            conductor and _Conductor(self._tracer, conductor),
            _Messenger(self._tracer, messenger, contract),
            database and _Database(self._tracer, database),
        )

    def run(self, what: str, run: Run) -> Run:
        """The same endpoint, with a span for each time that it runs: in the trace of who sent the message."""
        topic, _, method = what.partition(".")

        async def traced(context: Context, **arguments: Any) -> Any:
            if context.trace is None and topic in OWN_TOPICS:
                return await run(context, **arguments)
            kind = SpanKind.CONSUMER if context.deadline is None else SpanKind.SERVER
            facts = _facts(topic, method, context)
            if what == "conductor.run":
                facts["midflight.remotable"] = f"{arguments['object']}.{arguments['method']}"
            if context.caller is not None:
                facts["midflight.sender"] = str(context.caller)
            parent = propagate.extract(context.trace) if context.trace else None
            with self._tracer.start_as_current_span(what, parent, kind, facts):
                return await run(context, **arguments)

        return traced


def tracing_to(config: Config, standing: Standing) -> Tracing:
    """That of a service. Raises ConfigError for an endpoint that is none."""
    endpoint = config.traces.endpoint or ""
    found = _URL.fullmatch(endpoint)
    if not found:
        reason = f"received {endpoint[:100]!r}, expected a URL like http://127.0.0.1:4318"
        raise ConfigError(path=config.path, where="[traces] endpoint", reason=reason)
    whole = endpoint if found[1] not in (None, "/") else f"{endpoint.rstrip('/')}/v1/traces"
    _tell_in_our_log()
    return Tracing(
        exporter_to(whole),
        {
            "service.name": standing.service, "service.version": standing.release,
            "service.instance.id": standing.member, "host.name": standing.host,
        },
    )  # fmt: skip


def exporter_to(endpoint: str) -> SpanExporter:
    """Brings spans to a collector."""
    return OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS)


class _Messenger:
    """A span for each message; the receiver goes on in its trace."""

    def __init__(self, tracer: trace.Tracer, inner: Messenger, contract: Contract) -> None:
        self._tracer, self._inner, self._contract = tracer, inner, contract

    async def call(
        self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any], timeout: float | None
    ) -> Any:
        with self._sent(SpanKind.CLIENT, endpoint, host, context) as traced:
            return await self._inner.call(endpoint, host, traced, arguments, timeout)

    async def cast(self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any]) -> None:
        with self._sent(SpanKind.PRODUCER, endpoint, host, context) as traced:
            await self._inner.cast(endpoint, host, traced, arguments)

    async def fanout(self, endpoint: Any, context: Context, arguments: Mapping[str, Any]) -> None:
        with self._sent(SpanKind.PRODUCER, endpoint, None, context) as traced:
            await self._inner.fanout(endpoint, traced, arguments)

    def supports(self, endpoint: Any, parameter: str | None, host: str | None) -> bool:
        return self._inner.supports(endpoint, parameter, host)

    @contextmanager
    def _sent(self, kind: SpanKind, endpoint: Any, host: str | None, context: Context) -> Iterator[Context]:
        spec = spec_of(endpoint)
        topic = self._contract.topic_of(spec)
        parent = _parent(context)
        if topic in OWN_TOPICS and not trace.get_current_span(parent).get_span_context().is_valid:
            yield context
            return
        facts = _facts(topic, spec.method, context) | ({"server.address": host} if host else {})
        with self._tracer.start_as_current_span(f"{topic}.{spec.method}", parent, kind, facts):
            travels: dict[str, str] = {}
            propagate.inject(travels)
            yield replace(context, trace=travels)


class _Conductor:
    """A span for each remotable that runs elsewhere."""

    def __init__(self, tracer: trace.Tracer, inner: Conductor) -> None:
        self._tracer, self._inner = tracer, inner

    async def run(self, target: Any, method: str, context: Context, arguments: Mapping[str, Any]) -> Any:
        name = f"{target.__shape__.name}.{method}"
        with self._tracer.start_as_current_span(name, _parent(context), SpanKind.INTERNAL):
            return await self._inner.run(target, method, context, arguments)


class _Database:
    """A span for each piece of work on rows."""

    def __init__(self, tracer: trace.Tracer, inner: Database) -> None:
        self._tracer, self._inner = tracer, inner

    async def read(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        with self._worked("read", work):
            return await self._inner.read(work, *args, **kwargs)

    async def write(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        with self._worked("write", work):
            return await self._inner.write(work, *args, **kwargs)

    def form(self, name: str) -> Form:
        form: Form = self._inner.form(name)
        return form

    def store_manifest(self, since: str | None = None) -> Manifest | None:
        return self._inner.store_manifest(since)

    @contextmanager
    def _worked(self, how: str, work: Any) -> Iterator[None]:
        name = getattr(work, "__qualname__", type(work).__qualname__)
        with self._tracer.start_as_current_span(
            f"{how} {name}", kind=SpanKind.CLIENT, attributes={"db.operation.name": how}
        ):
            yield


def _parent(context: Context) -> Any:
    """The span that we are in, else the one that the context came with. None stands for the first."""
    if context.trace is None or trace.get_current_span().get_span_context().is_valid:
        return None
    return propagate.extract(context.trace)


def _facts(topic: str, method: str, context: Context) -> dict[str, str]:
    """OpenTelemetry's words for a remote procedure call, where there are some."""
    return {
        "rpc.system": "midflight", "rpc.service": topic, "rpc.method": method,
        "midflight.request_id": context.request_id,
    }  # fmt: skip


class _Told(logging.Handler):
    """What OpenTelemetry has to complain of, as events of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("traces.trouble", reason=record.getMessage())


def _tell_in_our_log() -> None:
    theirs = logging.getLogger("opentelemetry")
    if not any(isinstance(each, _Told) for each in theirs.handlers):
        theirs.addHandler(_Told(logging.WARNING))
        theirs.propagate = False
