"""Measure on both engines by turns, print the table, write ``build/bench/data.json``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.data import faults
from benchmarks.data.table import fill
from benchmarks.paper import paper
from midflight.db.cluster import Cluster
from midflight.migrations.pace import Pace

ROOT = Path(__file__).parent.parent.parent
LIMITS = (100, 1_000, 10_000)
"""The loop is measured with each, and its best counts."""
TARGETS = {
    "pg_rows_ratio": ">= 5", "sqlite_rows_ratio": ">= 5", "pg_foreground_p99_ratio": "<= 2",
    "pg_memory_ratio": "<= 1.5", "sqlite_memory_ratio": "<= 1.5", "pg_time_ratio": "<= 1.3",
    "sqlite_time_ratio": "<= 1.3", "ddl_worst_select_s": "<= 0.6", "kills_lost": "<= 0", "kills_twice": "<= 0",
    "kills_proven": ">= 2",
}  # fmt: skip
"""What is wanted. Rows: ours, without pauses, beside the loop. The p99 of a writer: with a migration at the default
pace, beside without one. Memory: of the whole table beside a hundredth of it; time for a row: beside a tenth of it."""
SETTINGS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "256MB",
            "max_wal_size": "4GB"}  # fmt: skip
"""PostgreSQL as it is used, and not as tests use it."""


def run(module: str, *arguments: object) -> dict[str, Any]:
    """One contender in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.data.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def writing(url: str, rows: int) -> Iterator[dict[str, Any]]:
    """Somebody changes rows during the block; afterwards the dict has what that took."""
    command = [sys.executable, "-m", "benchmarks.data.writer", url, str(rows)]
    writer = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = {}
    if writer.stdout is None or writer.stdout.readline() != "begins\n":
        raise RuntimeError("the writer does not begin")
    try:
        yield found
    finally:
        said, _ = writer.communicate("over\n")
        found |= json.loads(said)


def filled(url: str, rows: int) -> str:
    """The same, with a table in it."""
    fill(url, rows)
    return url


def rows_of(new: Callable[[], str], rows: int, seconds: float) -> dict[str, Any]:
    """Ours without pauses, on the whole table and on parts of it, and the loop with each limit for so many seconds."""
    found: dict[str, Any] = {}
    for part in (rows // 100, rows // 10, rows):
        found[f"ours {part}"] = run("ours", filled(new(), part), 1.0)
    for limit in LIMITS:
        found[f"loop {limit}"] = run("loop", filled(new(), rows), limit, seconds)
    return found


def foreground(url: str, rows: int, seconds: float) -> dict[str, Any]:
    """What a writer feels: without a migration, and with one at the default pace."""
    fill(url, rows)
    with writing(url, rows) as without:
        time.sleep(seconds)
    with writing(url, rows) as during:
        paced = run("ours", url, Pace().duty)
    return {"without": without, "during": during, "paced": paced}


def figures(found: dict[str, Any], rows: int) -> dict[str, float]:
    """The figures that have a target, out of all that was measured."""
    result: dict[str, float] = {}
    for engine in ("pg", "sqlite"):
        of = found[engine]
        whole, tenth, hundredth = (of[f"ours {part}"] for part in (rows, rows // 10, rows // 100))
        best = max(of[f"loop {limit}"]["rows"] / of[f"loop {limit}"]["seconds"] for limit in LIMITS)
        result[f"{engine}_rows_ratio"] = rows / whole["swept"] / best
        result[f"{engine}_memory_ratio"] = whole["megabytes"] / hundredth["megabytes"]
        result[f"{engine}_time_ratio"] = whole["seconds"] / rows / (tenth["seconds"] / (rows // 10))
    with_it, without = found["foreground"]["during"], found["foreground"]["without"]
    result["pg_foreground_p99_ratio"] = with_it["p99_ms"] / without["p99_ms"]
    result["ddl_worst_select_s"] = found["ddl_worst_select_s"]
    for kind in ("kills_lost", "kills_twice", "kills_proven"):
        result[kind] = sum(found[f"kills {engine}"][kind] for engine in ("pg", "sqlite"))
    return result


def holds(value: float, target: str) -> bool:
    """Whether a figure is as it is wanted: ``>= 5``, ``<= 2``."""
    sign, wanted = target.split()
    return value >= float(wanted) if sign == ">=" else value <= float(wanted)


def measured(urls: dict[str, Any], rows: int, seconds: float) -> dict[str, Any]:
    """Everything. ``urls`` makes an empty database of an engine: ``pg`` or ``sqlite``."""
    found: dict[str, Any] = {"foreground": foreground(urls["pg"](), rows, seconds)}
    found |= {engine: rows_of(urls[engine], rows, seconds) for engine in ("pg", "sqlite")}
    found["ddl_worst_select_s"] = faults.alter_behind_a_reader(filled(urls["pg"](), 1_000))
    for engine in ("pg", "sqlite"):
        found[f"kills {engine}"] = faults.kills(urls[engine](), rows // 5)
    return found


def show(result: dict[str, float]) -> None:
    """The table that a person reads."""
    table = Table("figure", "value", "wanted", "")
    for name, target in TARGETS.items():
        table.add_row(name, f"{result[name]:,.2f}", target, "yes" if holds(result[name], target) else "no")
    paper().print(table)


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each loop, and of a writer alone")
    told = parser.parse_args()
    postgres = Cluster(**SETTINGS).start()
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(100))
        urls = {"pg": postgres.create, "sqlite": lambda: f"sqlite:///{folder}/{next(numbers)}.db"}
        try:
            found = measured(urls, told.rows, told.seconds)
        finally:
            postgres.remove()
    result = figures(found, told.rows)
    show(result)
    target = ROOT / "build" / "bench" / "data.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"rows": told.rows, "figures": result, "measured": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
