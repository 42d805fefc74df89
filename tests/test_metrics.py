"""What a process has counted, as Prometheus reads it."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
import threading
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from structlog.testing import capture_logs

from midflight import metrics, telemetry
from midflight.config import Metrics
from midflight.metrics import COUNTERS, GAUGES, HISTOGRAMS, Process, exposition
from midflight.probes import Standing
from midflight.rpc.client import Client
from midflight.service import RunningService
from tests.conductor import juno, kilo
from tests.conductor.world import World

ROOT = Path(__file__).parents[1]
COMPUTE = Client(juno.ComputeAPI)
STANDING = Standing("api", "h1", "juno", "api.h1.1", 3, "ready")
LISTEN: dict[str, Any] = {"metrics": Metrics(listen="127.0.0.1:0")}


def samples(text: str, parse: Any = plain_text) -> dict[str, float]:
    """All samples of an exposition, each with its labels: ``name{label=value,…}``."""
    return {
        f"{each.name}{{{','.join(f'{label}={value}' for label, value in sorted(each.labels.items()))}}}": each.value
        for family in parse(text)
        for each in family.samples
    }


def exposed(accepted: str = "") -> dict[str, float]:
    """What this process exposes now."""
    answer = exposition(Process.now(STANDING), accepted)
    return samples(answer.body.decode(), open_metrics if "openmetrics" in answer.kind else plain_text)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Asker:
    """Asks a service over HTTP."""

    def __init__(self, running: RunningService) -> None:
        assert running.probes is not None
        self.url = f"http://{running.probes.address}"

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(self.url + path, headers=headers)
            return answer.status_code, answer.text


async def test_a_service_says_how_it_stands(world: World) -> None:
    """It lives from its first step on; it is ready when it takes work, and no more when it drains; the gauges agree."""
    seen: list[tuple[str, int, str]] = []
    running = RunningService(world.project(), world.config("conductor", **LISTEN), "conductor", "h1")

    async def look(when: str) -> None:
        asker = Asker(running)
        seen.extend([(when, *(await asker.get(path))) for path in ("/healthz", "/readyz")])

    connect, leave = running._connect, running._begin_to_drain

    async def connecting(stack: Any) -> None:
        await look("first step")
        await connect(stack)

    async def draining() -> None:
        await leave()
        await look("draining")

    running._connect, running._begin_to_drain = connecting, draining  # type: ignore[method-assign]
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        await running._start(stack)
        await look("ready")
        _, text = await Asker(running).get("/metrics")
    assert seen == [
        ("first step", 200, "ok\n"), ("first step", 503, "starting\n"),
        ("ready", 200, "ok\n"), ("ready", 200, "ready\n"),
        ("draining", 200, "ok\n"), ("draining", 503, "draining\n"),
    ]  # fmt: skip
    found = samples(text)
    assert found[f"midflight_service_info{{host=h1,member={running.id},release=juno,service=conductor}}"] == 1
    assert found[f"midflight_service_ready{{member={running.id}}}"] == 1
    with pytest.raises(httpx.ConnectError):
        await Asker(running).get("/healthz")


async def test_calls_backports_and_rejections_are_told(world: World) -> None:
    """What a fleet did is counted and timed by method and outcome, with the peers for whom objects were made older."""
    world.add("m1")
    before = exposed()
    async with (
        world.running("conductor", release=kilo),
        world.running("agent", release=juno),
        world.running("api", release=kilo, **LISTEN) as api,
    ):
        machine = await kilo.Machine.get(api.context(), "m1")
        for _ in range(3):
            await Client(kilo.ComputeAPI).on("h1").call(kilo.ComputeAPI.look, api.context(), machine)
        _, plain = await Asker(api).get("/metrics")
        _, opened = await Asker(api).get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    now = samples(plain)
    grown = {name: value - before.get(name, 0) for name, value in now.items() if "compute.look" in name}
    assert grown.pop("midflight_rpc_call_seconds_sum{interface=compute,method=compute.look,outcome=answered}") > 0
    labels = "interface=compute,method=compute.look,outcome=answered"
    assert grown.pop("midflight_rpc_calls_total{method=compute.look,outcome=answered}") == 3
    assert grown.pop(f"midflight_rpc_call_seconds_count{{{labels}}}") == 3
    buckets = {name: value for name, value in grown.items() if name.startswith("midflight_rpc_call_seconds_bucket")}
    counts = [value for name, value in buckets.items() if all(label in name for label in labels.split(","))]
    assert (len(counts), counts[-1], counts) == (len(telemetry.BUCKETS) + 1, 3, sorted(counts))
    older = "{from_version=1.1,lossy=,object=Machine,peer=compute@h1,to_version=1.0,where=sender}"
    name = f"midflight_objects_backport_total{older}"
    assert now[name] - before.get(name, 0) == 3
    assert opened.endswith("# EOF\n")
    assert samples(opened, open_metrics)[name] == now[name]


async def test_the_loop_is_not_held_up_by_a_long_text(world: World) -> None:
    """It is written in another thread, and what an application has registered with prometheus_client is in it."""
    wrote: list[int] = []

    class Own:
        def collect(self) -> list[Any]:
            wrote.append(threading.get_ident())
            return [metrics.CounterMetricFamily("shop_machines_sold", "Sold.", value=7)]

    own: Any = Own()
    async with world.running("conductor", **LISTEN) as conductor:
        REGISTRY.register(own)
        wrote.clear()
        try:
            _, text = await Asker(conductor).get("/metrics")
        finally:
            REGISTRY.unregister(own)
    assert samples(text)["shop_machines_sold_total{}"] == 7
    assert len(wrote) == 1
    assert wrote != [threading.get_ident()]


async def test_a_collector_of_the_application_that_raises(world: World) -> None:
    """Who asks is answered 500, and the log has the traceback; the probes are answered, and so is the next scrape."""

    class Own:
        def __init__(self) -> None:
            self.wrong = False

        def collect(self) -> list[Any]:
            return [1 // 0] if self.wrong else []

    own: Any = Own()
    REGISTRY.register(own)
    own.wrong = True
    try:
        async with world.running("conductor", **LISTEN) as conductor:
            with capture_logs() as logs:
                answer = await Asker(conductor).get("/metrics")
            assert answer == (500, "/metrics failed: ZeroDivisionError; the log has its traceback\n")
            assert (await Asker(conductor).get("/healthz"))[0] == 200
            own.wrong = False
            assert (await Asker(conductor).get("/metrics"))[0] == 200
            odd = {"Accept": "application/openmetrics-text; version=new, text/plain;q=x"}
            assert (await Asker(conductor).get("/metrics", **odd))[0] == 200
    finally:
        REGISTRY.unregister(own)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["probes.page_failed"]


@pytest.fixture
def nothing_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has just begun."""
    for kept in ("_counters", "_histograms", "_kinds"):
        monkeypatch.setattr(telemetry, kept, {})


@pytest.mark.usefixtures("nothing_counted")
def test_labels_that_peers_choose_are_bounded() -> None:
    """After a thousand senders, all others are one."""
    for number in range(telemetry.MOST_LABELS + 5):
        telemetry.count("rpc.rejected", sender=f"api@{number}", method="compute.reboot")
    found = {name: value for name, value in exposed().items() if name.startswith("midflight_rpc_rejected_total")}
    assert len(found) == telemetry.MOST_LABELS + 1
    assert found["midflight_rpc_rejected_total{method=others,sender=others}"] >= 5
    for number in range(telemetry.MOST_LABELS + 5):
        telemetry.histogram("rpc.call_seconds", interface="a", method=f"a.{number}", outcome="answered").took(0.1)
    timed = [name for name in exposed() if name.startswith("midflight_rpc_call_seconds_count")]
    assert len(timed) == telemetry.MOST_LABELS + 1


@pytest.mark.usefixtures("nothing_counted")
def test_a_duration_is_in_the_first_bucket_that_it_does_not_exceed() -> None:
    """Limits belong to their bucket; what exceeds all is in +Inf only."""
    labels = {"interface": "test", "method": "test.buckets", "outcome": "answered"}
    timed = telemetry.histogram("rpc.call_seconds", **labels)
    for seconds in (0.0005, 0.0006, 60.0, 61.0):
        timed.took(seconds)
    said = {name.partition("le=")[2].partition(",")[0]: value for name, value in exposed().items() if "test.b" in name}
    assert (said["0.0005"], said["0.001"], said["10.0"], said["60.0"], said["+Inf"]) == (1, 2, 2, 3, 4)


def _counted_in_code() -> dict[str, set[str]]:
    """The names of counters and histograms in the code, each with the labels that are written there."""
    found: dict[str, set[str]] = {}
    says = {"count", "counter", "histogram", "note", "_say_seldom"}
    for path in (ROOT / "src/midflight").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            for function, name in pairwise([node.func, *node.args]):  # called here, or handed on to be called
                said = getattr(function, "attr", getattr(function, "id", ""))
                text = getattr(name, "value", None)
                if said in says and isinstance(text, str) and re.fullmatch(r"[a-z]+[.][a-z_]+", text):
                    labels = {"kind"} if said in ("note", "_say_seldom") else {k.arg for k in node.keywords if k.arg}
                    found.setdefault(text, set()).update(labels)
    return found


def test_all_that_is_counted_is_described() -> None:
    """Each counter and histogram of the code has its words and labels, and none is described that is not there."""
    described = {name: set(each.labels) for name, each in (COUNTERS | HISTOGRAMS).items()}
    found = _counted_in_code()
    assert found.keys() == described.keys()
    assert {n: labels for n, labels in found.items() if not labels <= described[n]} == {}


def test_the_page_of_the_metrics_is_as_the_code() -> None:
    """It has a line for each, with its labels and its words, and no other."""
    page = (ROOT / "docs/reference/metrics.md").read_text()
    said = [line for line in page.splitlines() if line.startswith("| `midflight_")]
    kinds = (("_total", COUNTERS), ("", HISTOGRAMS), ("", GAUGES))
    assert said == [
        f"| `{metrics.PREFIX}{name.replace('.', '_')}{end}` | {', '.join(each.labels)} | {each.help} |"
        for end, kind in kinds
        for name, each in kind.items()
    ]


def test_without_the_extra() -> None:
    """Where prometheus_client is not installed, a service that is to say its metrics names the extra in one line."""
    script = "import sys; sys.modules['prometheus_client'] = None\nfrom midflight import metrics"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "needs prometheus-client, which is not installed: pip install 'midflight[metrics]'." in ended.stderr
