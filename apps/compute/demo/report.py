"""The end of a run: which figures are wrong, the table, and ``report.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from demo.size import RELEASES

LEAST_SHARE = 5.0
"""Percent of the requests that each kind must be."""

ZEROS = ("failed", "instances_interrupted", "lost_updates", "rejected_versions")
NOT_ZEROS = ("migrated", "deferred", "paused")


def wrong(report: dict[str, Any], least_requests: int) -> list[str]:
    """Every figure that is not as promised, in words; empty when the upgrade was one that nobody noticed.

    Of a road that ended early nobody expects what lies behind its end.
    """
    behind = [f"the road ended early: {report['stopped']}"] if report["stopped"] else _unreached(report, least_requests)
    return [*_not_zero(report), *_wrong_processes(report), *behind]


def _not_zero(report: dict[str, Any]) -> Iterator[str]:
    for name in ZEROS:
        if report[name] != 0:
            yield f"{name} is {report[name]}, not 0"


def _unreached(report: dict[str, Any], least_requests: int) -> Iterator[str]:
    for name in NOT_ZEROS:
        if report[name] == 0:
            yield f"{name} is 0"
    for where in ("sender", "reply"):
        if report["backports"].get(where, 0) == 0:
            yield f"backports.{where} is 0"
    if report["requests"] < least_requests:
        yield f"requests is {report['requests']}, fewer than {least_requests}"
    for op, share in report["mix"].items():
        if share < LEAST_SHARE:
            yield f"{op} is {share} % of the requests, less than {LEAST_SHARE:.0f} %"
    for name, path in report["releases"].items():
        if path[-1]["release"] != RELEASES[-1]:
            yield f"{name} ended as {path[-1]['release']}, not {RELEASES[-1]}"
    if report["rows_disagree"]:
        yield report["rows_disagree"]
    if report["old_home"] != []:
        yield f"the old home of flavors is there still: {report['old_home'] or 'nobody looked'}"


def _wrong_processes(report: dict[str, Any]) -> Iterator[str]:
    for restart in report["restarts"]:
        if restart["writes_meanwhile"] == 0:
            yield f"no write was in flight while {restart['member']} ({restart['release']}) was stopped"
    for process in report["disagreeing"]:
        should, ran = f"{process['release']} in {process['tree']}", f"{process['said']} from {process['code']}"
        yield f"{process['name']} should be {should}, and ran {ran}"


def write(report: dict[str, Any], path: Path) -> None:
    """Keep it as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def show(report: dict[str, Any], console: Console) -> None:
    """The steps as a table, and the figures below."""
    console.print(steps_table(report["steps"]))
    console.print(figures_table(report))
    for title, found in report["details"].items():
        for one in list(found.items() if isinstance(found, dict) else found)[:10]:
            console.print(f"{title}: {one}", markup=False, highlight=False, soft_wrap=True)


def steps_table(steps: list[dict[str, Any]]) -> Table:
    """One line per step of the road."""
    table = Table("step", *(_right(name) for name in ("seconds", "requests", "failed", "p50 ms", "p99 ms")))
    for step in steps:
        table.add_row(*(_text(step[name]) for name in ("step", "seconds", "requests", "failed", "p50", "p99")))
    return table


def figures_table(report: dict[str, Any]) -> Table:
    """Every figure of the report but the steps."""
    table = Table(show_header=False)
    for name in ("requests", "failed", "instances", "instances_interrupted", "lost_updates", "rejected_versions"):
        table.add_row(name, _text(report[name]))
    table.add_row("backports", ", ".join(f"{where} {number}" for where, number in report["backports"].items()))
    for name in (*NOT_ZEROS, "seconds"):
        table.add_row(name, _text(report[name]))
    table.add_row("engine", ", ".join(report["engine"].values()))
    table.add_row("mix", ", ".join(f"{op} {share} %" for op, share in report["mix"].items()))
    for name, path in report["releases"].items():
        table.add_row(name, " → ".join(run["release"] for run in path))
    return table


def _right(name: str) -> Column:
    return Column(name, justify="right")


def _text(value: Any) -> str:
    return "" if value is None else str(value)
