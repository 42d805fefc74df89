"""Traces: one piece of work is one trace, wherever it goes."""

from __future__ import annotations

import asyncio
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from midflight import tracing
from midflight.conductor.interface import ConductorAPI
from midflight.config import Config, Traces
from midflight.context import Context
from midflight.errors import ConfigError
from midflight.project import load_project
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.transports.embedded import EmbeddedBroker
from tests.conductor import juno
from tests.conductor.world import CONDUCTOR, World, count_calls

ROOT = Path(__file__).parents[1]
COMPUTE = Client(juno.ComputeAPI)
ON: dict[str, Any] = {"traces": Traces(endpoint="http://127.0.0.1:4318")}
PARENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where all spans of the services of a test come to, when the services stop."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(exporter, "shutdown", lambda: None)
    monkeypatch.setattr(tracing, "exporter_to", lambda endpoint: exporter)
    return exporter


def tree(spans: tuple[ReadableSpan, ...], root: int | None = None, depth: int = 0) -> Iterator[str]:
    """One line for each span below another one, in the order in which they began: ``agent SERVER compute.look``."""
    for span in sorted(spans, key=lambda each: each.start_time or 0):
        if (span.parent.span_id if span.parent else None) == root:
            yield f"{'  ' * depth}{span.resource.attributes['service.name']} {span.kind.name} {span.name}"
            yield from tree(spans, span.context.span_id, depth + 1)


class Looking(juno.Agent):
    """Saves what it looks at, on a conductor."""

    async def look(self, context: Context, machine: juno.Machine) -> str:
        found = await juno.Machine.get(context, machine.name)
        found.boots += 1
        await found.save()
        return found.name


async def test_one_trace_from_an_api_over_an_agent_and_a_conductor_to_the_row(
    world: World, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call and a cast, each is one trace, with the remotables and the rows beneath; the beats begin none."""
    monkeypatch.setattr(juno, "Agent", Looking)
    world.add("m1")
    async with (
        world.running("conductor", **ON),
        world.running("agent", **ON),
        world.running("api", **ON) as api,
    ):
        machine = await juno.Machine.get(api.context(), "m1")
        await COMPUTE.on("h1").call(juno.ComputeAPI.look, api.context(), machine)
        await COMPUTE.on("h1").cast(juno.ComputeAPI.look, api.context(), machine)
        async with asyncio.timeout(60):
            while (await juno.Machine.get(api.context(), "m1")).boots < 2:
                await asyncio.sleep(0.05)
        await api.membership.beat()
    finished = spans.get_finished_spans()
    one = [
        "  agent INTERNAL Machine.get",
        "    agent CLIENT conductor.run",
        "      conductor SERVER conductor.run",
        "        conductor CLIENT read row_of",
        "  agent INTERNAL Machine.save",
        "    agent CLIENT conductor.run",
        "      conductor SERVER conductor.run",
        "        conductor CLIENT write change",
    ]
    lines = [line for line in tree(finished) if line != "api CLIENT read row_of"]
    assert lines == [
        "api CLIENT compute.look", "  agent SERVER compute.look", *(f"  {line}" for line in one),
        "api PRODUCER compute.look", "  agent CONSUMER compute.look", *(f"  {line}" for line in one),
    ]  # fmt: skip
    (call,) = [span for span in finished if span.name == "compute.look" and span.kind is SpanKind.CLIENT]
    assert len([span for span in finished if span.context.trace_id == call.context.trace_id]) == 10
    served = next(span for span in finished if span.name == "conductor.run" and span.kind is SpanKind.SERVER)
    assert served.attributes is not None
    assert served.attributes["midflight.remotable"] == "Machine.get"
    assert served.attributes["midflight.sender"] == "agent@h1 (juno)"
    assert served.resource.attributes["service.version"] == "juno"


async def test_an_error_is_in_the_spans_that_it_went_through(world: World, spans: InMemorySpanExporter) -> None:
    """At the callee and at the caller, with its words."""
    world.add("m1", host="h1")
    async with world.running("conductor", **ON), world.running("agent", **ON) as agent:
        machine = await juno.Machine.get(agent.context(), "m1")
        machine.host = None
        with pytest.raises(juno.OutOfOrder):
            await machine.boot()
    failed = [span for span in spans.get_finished_spans() if span.status.status_code is StatusCode.ERROR]
    assert sorted(span.name for span in failed) == ["Machine.boot", "conductor.run", "conductor.run"]
    assert all("OutOfOrder" in (span.status.description or "") for span in failed)


async def test_a_process_that_traces_nothing_hands_the_trace_on(world: World, spans: InMemorySpanExporter) -> None:
    """Between two that trace, it is a gap in one trace, and not the end of it. A conductor goes on with the trace of
    whoever asks it."""
    world.add("m1")
    async with world.running("conductor", **ON), world.running("agent") as agent:
        await juno.Machine.get(agent.context(trace=PARENT), "m1")
        await CONDUCTOR.call(ConductorAPI.fleet, agent.context(trace=PARENT))
    finished = spans.get_finished_spans()
    assert sorted(span.name for span in finished) == ["conductor.fleet", "conductor.run", "read row_of"]
    assert {f"{span.context.trace_id:032x}" for span in finished} == {PARENT["traceparent"].split("-")[1]}


async def test_where_nobody_traces_nothing_is_different(world: World) -> None:
    """No port has anything around it, an endpoint is run as it is, and no message is a byte longer."""
    world.add("m1")
    async with world.running("conductor") as conductor, world.running("agent") as agent:
        sent = count_calls(agent, lambda said: f"{said.what} {said.trace}")
        await juno.Machine.get(agent.context(), "m1")
        assert "conductor.run None" in sent  # and a beat now and then
        assert [each for each in sent if not each.endswith(" None")] == []
        assert type(agent.context().conductor).__module__ == "midflight.conductor.client"
        assert type(agent.context().messenger).__module__ == "midflight.conductor.rejections"
        assert conductor.context().database is conductor.database
        (route,) = [each for each in conductor._dispatcher._routes.values() if each.form.what == "conductor.run"]
        assert route.run == conductor.server.run if conductor.server else None


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "grpc://a:4317", "http://", ""])
def test_no_endpoint(world: World, endpoint: str) -> None:
    """What is none is told with its place."""
    config = world.config("agent", traces=Traces(endpoint=endpoint))
    with pytest.raises(
        ConfigError, match=r"\[traces\] endpoint: received .* expected a URL like http://127.0.0.1:4318"
    ):
        RunningService(world.project(), config, "agent", "h1")


def test_without_the_extra() -> None:
    """Where OpenTelemetry is not installed, a service that is to trace names the extra in one line."""
    script = "import sys; sys.modules['opentelemetry'] = None\nfrom midflight import tracing"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "pip install 'midflight[otel]'." in ended.stderr


def test_what_is_not_asked_for_is_not_imported() -> None:
    """A service imports neither OpenTelemetry nor prometheus_client by itself."""
    script = "import sys, midflight.cli.app, midflight.service; print(*sorted(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "midflight.service" in ended.stdout.split()
    assert not [name for name in ended.stdout.split() if name.startswith(("opentelemetry", "prometheus_client"))]


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans as a collector of OpenTelemetry does."""

    taken: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def collecting() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector: its URL, and the path and the body of each message that it got."""
    handler = type("Handler", (Collector,), {"taken": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as collector:
        serving = threading.Thread(target=collector.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{collector.server_port}", handler.taken
        finally:
            collector.shutdown()
            serving.join()


async def test_a_collector_gets_what_there_is_when_a_service_stops(world: World) -> None:
    """Over real HTTP, at OTLP's own path; one that is away holds a stop up for a moment only, and is in the log."""
    world.add("m1")
    with collecting() as (url, taken):
        here = Traces(endpoint=url)
        async with world.running("conductor", traces=here) as conductor:
            await juno.Machine.get(conductor.context(), "m1")
    assert [path for path, body in taken if body] == ["/v1/traces"]
    with capture_logs() as logs:
        async with world.running("conductor", traces=here) as conductor:
            await juno.Machine.get(conductor.context(), "m1")
    assert [line["event"] for line in logs if line["event"] == "traces.trouble"]
    assert logs[-1]["event"] == "service.stopped"


APP = """
from contextlib import asynccontextmanager
from midflight.project import Project, Service
from tests.conductor import juno

class Looking(juno.Agent):
    async def look(self, context, machine):
        found = await juno.Machine.get(context, machine.name)
        found.boots += 1
        await found.save()
        return found.name

@asynccontextmanager
async def run_agent(runtime):
    yield [Looking(runtime)]

project = Project(
    "NAME", objects=[juno.Disk, juno.Machine, juno.MachineList], interfaces=[juno.ComputeAPI],
    services=[Service("api", juno.run_api, database=True), Service("agent", run_agent, agent=True)],
)
"""


@contextmanager
def serving(folder: Path, services: dict[str, dict[str, str]]) -> Iterator[None]:
    """Services in processes of their own, each with its environment; at the end they have stopped as they should."""
    command, quiet = [sys.executable, "-m", "midflight.cli", "run"], subprocess.DEVNULL
    started = [
        subprocess.Popen([*command, service, "--host", "h1"], cwd=folder, env=environment, stderr=quiet)
        for service, environment in services.items()
    ]
    try:
        yield
        for process in started:
            process.terminate()
        assert [process.wait(60) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()


async def test_one_trace_across_real_processes(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An api here, an agent and a conductor in processes of their own, over a real broker: what the collector gets of
    one call is one trace, from the api over the agent to the row."""
    world = World(tmp_path)
    world.add("m1")
    name = f"traces-{tmp_path.name.replace('_', '-')}"
    (tmp_path / "traced.py").write_text(APP.replace("NAME", name))
    monkeypatch.syspath_prepend(str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT), *sys.path])}
    with collecting() as (url, taken):
        lines = ["[midflight]", 'project = "traced:project"', f'broker = "{broker.url}"', "call_seconds = 60"]
        text = "\n".join([*lines, "[traces]", f'endpoint = "{url}"'])
        (tmp_path / "midflight.toml").write_text(text)
        opening = {**environment, "MIDFLIGHT_DATABASE": world.database}
        with serving(tmp_path, {"conductor": opening, "agent": environment}):
            config = Config.load(tmp_path / "midflight.toml", opening)
            project = load_project("traced:project")
            async with RunningService.running(project, config, "api", "web") as api, asyncio.timeout(120):
                while not api.floors.hosts("compute"):
                    await asyncio.sleep(0.1)
                machine = await juno.Machine.get(api.context(), "m1")
                await COMPUTE.on("h1").call(juno.ComputeAPI.look, api.context(), machine)
        sys.modules.pop("traced", None)
    spans = [span for _, body in taken for span in exported(body)]
    (root,) = [span for span in spans if span["name"] == "compute.look" and not span["parent"]]
    one = [span for span in spans if span["trace"] == root["trace"]]
    assert sorted(f"{span['service']} {span['name']}" for span in one) == sorted(
        ["api compute.look", "agent compute.look", "agent Machine.get", "agent Machine.save"]
        + ["agent conductor.run", "conductor conductor.run"] * 2
        + ["conductor read row_of", "conductor write change"]
    )
    known = {span["id"] for span in one} | {b""}
    assert [span["name"] for span in one if span["parent"] not in known] == []


def exported(body: bytes) -> Iterator[dict[str, Any]]:
    """The spans of one message to a collector."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        said = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "service": said["service.name"], "name": span.name, "trace": span.trace_id, "id": span.span_id,
                    "parent": span.parent_span_id,
                }  # fmt: skip
