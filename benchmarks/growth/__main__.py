"""Measure fleets of 100, 1,000 and 5,000 agents, print the table, write ``build/bench/growth.json``."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.conductor import ROOT, Watched, conductor
from benchmarks.growth.fleet import fill
from benchmarks.growth.simulated import WATCH_SECONDS, as_one_process, measure, quiet
from benchmarks.paper import paper
from benchmarks.rpc.__main__ import machine
from midflight.config import Config
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import MidflightError
from midflight.transports.embedded import EmbeddedBroker

PROJECT = "benchmarks.growth.fleet:project"
SIZES = (100, 1_000, 5_000)
BEAT_SECONDS = 30.0
"""How often each agent beats, in fleets of all sizes. (Ten, unless a configuration says otherwise; then 5,000 agents in
one process would do little else.)"""
LONGEST_SECONDS = 600.0
"""That a fleet may take, whatever its size: a machine that needs longer is too small for it, or does something else."""
FILES = 2
"""That an agent may have open: its connection, and now and then what it reads or writes."""
FLAT = 1.5
"""What one agent, or one message, costs in the largest fleet may be so many times what it costs in the smallest."""
WANTED = (
    "join_cpu_ms", "memory_kb", "second_cpu_ms", "ping_cpu_ms", "remotable_cpu_ms", "cast_cpu_ms", "fanout_cpu_ms",
    "reach_ms",
)  # fmt: skip
"""The figures that have to stay flat: CPU time, which a busy machine does not spoil. (All are written.) Over NATS casts
and joining do not, in the broker's part: docs/decisions/nats-first.md says why."""

Figures = dict[str, float]


class Incomplete(Exception):
    """A fleet of this size cannot be measured here; its text says why."""


async def fleet_of(number: int, seconds: float) -> Figures:
    """The figures of a fleet of so many agents, with a broker, a database and a conductor of its own."""
    with tempfile.TemporaryDirectory() as name, as_one_process():
        folder = Path(name)
        async with (
            EmbeddedBroker(folder / "nats") as broker,
            conductor(folder, PROJECT, broker.url, _database(folder)) as process,
        ):
            watched = Watched({"conductor": process.pid, "broker": broker.pid or 0})
            agents = Config(
                project=PROJECT, broker=broker.url, state=str(folder / "state"), path=str(folder / "x"),
                beat_seconds=BEAT_SECONDS, call_seconds=30.0,
            )  # fmt: skip
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    return await measure(agents, number, watched, seconds)
            except (MidflightError, TimeoutError) as error:
                asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # of agents that are left behind
                if not isinstance(error, MidflightError) and watched.spent.keys() >= set(WANTED):
                    return watched.spent  # it only took too long to leave
                why = str(error) or f"it took too long; in all it may take {LONGEST_SECONDS:.0f} s"
                raise Incomplete(f"{number:,} agents, at {watched.at}: {type(error).__name__}: {why}") from error


def _database(folder: Path) -> str:
    """The URL of a new one, with rows in it."""
    url = f"sqlite:///{folder / 'growth.db'}"
    SchemaRunner(url, None, None, "unreleased").expand()
    engine = create(parse(url))
    with transaction(engine, writes=True) as connection:
        fill(connection)
    engine.dispose()
    return url


def allow_files(number: int) -> None:
    """Let this process open what so many agents need. Raises Incomplete where it may not."""
    needed = FILES * number + 200
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed > most != resource.RLIM_INFINITY:
        raise Incomplete(f"{number:,} agents open up to {needed:,} files, and a process may open {most:,} (ulimit -Hn)")
    if needed > now != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


def ratios(by_size: dict[int, Figures]) -> dict[str, float]:
    """What each wanted figure is in the largest fleet, as a multiple of the smallest."""
    smallest, largest = by_size[min(by_size)], by_size[max(by_size)]
    return {figure: largest[figure] / max(smallest[figure], 0.001) for figure in WANTED}


def show(by_size: dict[int, Figures], found: dict[str, float]) -> None:
    """The table that a person reads."""
    periods = f"each agent beats every {BEAT_SECONDS:g} s, and pings the broker every {WATCH_SECONDS:g} s"
    table = Table("for one agent or message", *(f"{number:,} agents" for number in by_size), "ratio", "")
    for figure in dict.fromkeys(figure for figures in by_size.values() for figure in figures):
        ratio = found.get(figure)
        verdict = "" if ratio is None else "flat" if ratio <= FLAT else "not flat"
        cells = [f"{figures[figure]:,.3f}" if figure in figures else "-" for figures in by_size.values()]
        table.add_row(figure, *cells, "" if ratio is None else f"{ratio:.2f}", verdict)
    paper().print(table)
    paper().print(periods)
    for number, figures in by_size.items():
        if "leave_ms" not in figures:
            paper().print(f"{number:,} agents took too long to leave, so that leave_ms is missing")


def main() -> int:
    """Measure, show, write; 1 where a fleet could not be measured, after those that could."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many agents")
    parser.add_argument("--seconds", type=float, default=BEAT_SECONDS, help="for how long the fleet only beats")
    given = parser.parse_args()
    quiet()
    by_size: dict[int, Figures] = {}
    # The smallest first: what is left of it in this process is little beside the next one. The largest takes minutes:
    # what is known by then is shown and kept.
    for number in sorted(given.sizes):
        try:
            allow_files(number)
            by_size[number] = asyncio.run(fleet_of(number, given.seconds))
        except Incomplete as why:
            paper().print(f"not measured: {why}")
            return 1
        found = ratios(by_size)
        show(by_size, found)
        every = {"beat_seconds": BEAT_SECONDS, "watch_seconds": WATCH_SECONDS}
        _write({"machine": machine(), **every, "agents": by_size, "ratios": found, "flat": FLAT})
    return 0


def _write(figures: dict[str, Any]) -> None:
    path = ROOT / "build/bench/growth.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
