"""The dashboard and the alert rules: every expression is one, and names what a running fleet exposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from cyclopts import App
from prometheus_client.parser import text_string_to_metric_families

from midflight.cli.app import build
from midflight.conductor.interface import ConductorAPI
from midflight.config import Metrics
from midflight.metrics import COUNTERS, GAUGES, HISTOGRAMS, PREFIX, exposition
from midflight.upgrade.aim import Aim
from midflight.upgrade.exporter import GAUGES as FLEET_GAUGES
from midflight.upgrade.exporter import Exporter
from tests.conductor.world import CONDUCTOR, World
from tests.test_metrics import Asker

CONTRIB = Path(__file__).parents[2] / "contrib"
EVERYWHERE = {"job", "instance"}
"""Prometheus adds them."""
LABELS = {
    f"{PREFIX}{name.replace('.', '_')}{end}": {*each.labels, *more}
    for end, kind, more in (
        ("_total", COUNTERS, ()), ("_bucket", HISTOGRAMS, ("le",)), ("", GAUGES, ()), ("", FLEET_GAUGES, ()),
    )
    for name, each in kind.items()
}  # fmt: skip

Expression = tuple[str, str, str]
"""Where it stands, the expression, and the text that shows it."""


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((CONTRIB / "prometheus/alerts.yml").read_text())["groups"]:
        yield from group["rules"]


def expressions() -> Iterator[Expression]:
    for rule in rules():
        yield rule["alert"], rule["expr"], " ".join(rule["annotations"].values())
    dashboard = json.loads((CONTRIB / "grafana/midflight.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            filled = target["expr"].replace("$__rate_interval", "5m").replace("$job", ".*")
            yield f"{panel['title']} {target['refId']}", filled, target["legendFormat"]


def nodes(expression: Any) -> Iterator[Any]:
    """Each part of a parsed expression."""
    yield expression
    for name in ("lhs", "rhs", "expr", "param", "vector_selector", "args"):
        found = getattr(expression, name, None)
        for part in found if isinstance(found, list) else [found]:
            if type(part).__module__ == type(expression).__module__ and not isinstance(part, str | int | float):
                yield from nodes(part)


def selectors(expression: Any) -> list[Any]:
    found = [each for each in nodes(expression) if isinstance(each, promql_parser.VectorSelector)]
    assert found
    return found


@pytest.fixture
async def exposed(tmp_path: Path) -> set[str]:
    """The names of all metrics that a running fleet exposes: those of a service, and those of the fleet."""
    world = World(tmp_path)
    listen: dict[str, Any] = {"metrics": Metrics(listen="127.0.0.1:0")}
    async with world.running("conductor", **listen) as conductor:
        _, text = await Asker(conductor).get("/metrics")

        async def look() -> Any:
            return await CONDUCTOR.call(ConductorAPI.fleet, conductor.context())

        exporter = Exporter(look, Aim(target="kilo", releases=("juno", "kilo")), 60.0)
        text += exposition(await exporter.seen()).body.decode()
    found = set()
    for family in text_string_to_metric_families(text):
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found.update(f"{family.name}{end}" for end in ends)
    return found


async def test_every_expression_names_what_is_exposed(exposed: set[str]) -> None:
    """All metrics of all expressions are there; and most of what there is, is looked at."""
    named = {each.name for _, text, _ in expressions() for each in selectors(promql_parser.parse(text))}
    assert named - exposed == set()
    assert len(named) > 25


@pytest.mark.parametrize("expression", list(expressions()), ids=lambda expression: expression[0])
def test_every_label_is_one(expression: Expression) -> None:
    """What is matched, grouped by and shown is a label of the metrics of the expression."""
    _, text, shown = expression
    parsed = promql_parser.parse(text)
    known = set(EVERYWHERE)
    for each in selectors(parsed):
        labels = LABELS.get(each.name, set()) | EVERYWHERE
        assert {matcher.name for matcher in each.matchers.matchers} <= labels
        known |= labels
    grouped = re.findall(r"\b(?:by|on|without|ignoring|group_left)\s*\(([^)]*)\)", text)
    said = {label.strip() for group in grouped for label in group.split(",")}
    said |= set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", shown))
    assert said - known == set()


def test_each_alert_says_what_to_do() -> None:
    """Each has a severity and a line that a person reads; a command that is named there exists."""
    app: App = build()
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        for words in re.findall(r"midflight ((?:[a-z]+ ?){2})", rule["annotations"].get("description", "")):
            _, apps, _ = app.parse_commands(words.split())
            assert apps[-1].default_command is not None, words


def test_the_page_has_each_alert() -> None:
    """With what it means and what to do about it; and no other."""
    page = (CONTRIB.parent / "docs/reference/fleet-metrics.md").read_text()
    assert re.findall(r"^\| `(Midflight\w+)` \|", page, re.MULTILINE) == [rule["alert"] for rule in rules()]
