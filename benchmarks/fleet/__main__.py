"""Measure fleets of 100, 1,000 and 5,000 simulated members, print the table, write ``build/bench/fleet.json``.

A real conductor keeps their facts in a PostgreSQL, which counts its transactions itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from rich.table import Table
from sqlalchemy import text

from benchmarks.conductor import ROOT, Watched, conductor
from benchmarks.data.__main__ import holds
from benchmarks.fleet.console import console_push
from benchmarks.fleet.simulated import Crowd, Line
from benchmarks.paper import paper
from benchmarks.rpc.__main__ import machine
from midflight import Project, telemetry
from midflight.config import Config
from midflight.db.cluster import Cluster
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.runner import SchemaRunner
from midflight.project import load_project
from midflight.transports.embedded import EmbeddedBroker
from midflight.upgrade import plan
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.watch import watch

SIZES = (100, 1_000, 5_000)
BEAT_SECONDS = 10.0
LOOKS = 3
SETTLED_SECONDS = 2.0
"""Until a server of PostgreSQL has told all that it counted."""

APP = ROOT / "apps" / "compute" / "kilo"
PROJECT = "compute.project:project"

TARGETS = {
    "pin_push_s": "<= 2", "gate_s": "<= 0.5", "beat_core_share": "<= 0.10", "beat_writes_per_s": "<= 20",
    "console_push_us_per_member": "<= 50",
}  # fmt: skip
"""What is wanted of the largest fleet. A pin: from the operator's word until all members have acknowledged it. A gate:
asked and answered over the wire. Beats: the share of one core that a conductor takes, more than without any; and all
transactions of the database, reading ones included, in a second. The console: all of its pages drawn
anew, on one core."""

Figures = dict[str, float]


async def fleet_of(number: int, seconds: float, database: str) -> Figures:
    """The figures of a fleet of so many members, with a broker and a conductor of its own, on an empty database."""
    if str(APP) not in sys.path:
        sys.path.insert(0, str(APP))
    project = load_project(PROJECT)
    SchemaRunner(database, project.schema, project.tables, project.releases[-1].name).expand()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = await stack.enter_async_context(EmbeddedBroker(folder / "nats"))
        process = await stack.enter_async_context(conductor(folder, PROJECT, broker.url, database, APP))
        config = Config(project=PROJECT, broker=broker.url, path=str(folder / "x"), call_seconds=60.0)
        operator = await stack.enter_async_context(operating(config, project))
        line = await Line.open(broker.url, project)
        stack.push_async_callback(line.connection.close)
        watched = Watched({"conductor": process.pid, "broker": broker.pid or 0}, "members")
        return await measured(Crowd(line, number), operator, watched, project, database, seconds)


async def measured(
    crowd: Crowd, operator: Operator, watched: Watched, project: Project, database: str, seconds: float
) -> Figures:
    """1. they join 2. they beat 3. a pin is set and cleared 4. a gate is asked 5. the console draws."""
    found: Figures = {}
    idle = watched.cpu()["conductor"]
    await asyncio.sleep(seconds / 2)
    idle = (watched.cpu()["conductor"] - idle) / (seconds / 2)
    with watched.step("join", len(crowd.members)):
        await crowd.join()
    await crowd.beat(BEAT_SECONDS, BEAT_SECONDS)  # the conductor hears of each for the first time
    before, spent, began = _transactions(database), watched.cpu()["conductor"], time.monotonic()
    found["beats"] = await crowd.beat(seconds, BEAT_SECONDS)
    took = time.monotonic() - began
    found["beat_core_share"] = (watched.cpu()["conductor"] - spent) / took - idle
    found["beat_writes_per_s"] = (_transactions(database) - before) / took
    with watched.step("pin", 3):
        pins = [await crowd.pinned(operator.set_pin("*", each.name)) for each in project.releases[:2]]
        pins.append(await crowd.pinned(operator.clear_pin("*")))
    found["pin_push_s"] = statistics.median(pins)
    fleet = await operator.fleet()
    found["unacknowledged"] = sum(member.epoch < fleet.epoch for member in fleet.members)
    aim, roll = Aim.latest(project), plan.step("roll")
    assert roll is not None
    looks = []
    with watched.step("gate", LOOKS):
        for _ in range(LOOKS):
            began = time.monotonic()
            await watch(operator.fleet, aim, roll, wait=None, window=None)
            looks.append(time.monotonic() - began)
    found["gate_s"] = statistics.median(looks)
    return {**found, **console_push(fleet, aim), **watched.spent}


def _transactions(database: str) -> int:
    """How many there have been, by the server's own count."""
    time.sleep(SETTLED_SECONDS)
    engine = create(parse(database))
    with transaction(engine, writes=False) as connection:
        asked = text("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
        counted = int(connection.execute(asked).scalar_one())
    engine.dispose()
    return counted


def show(by_size: dict[int, Figures]) -> None:
    """The table that a person reads."""
    table = Table("figure", *(f"{number:,} members" for number in by_size), "wanted", "")
    largest = by_size[max(by_size)]
    for name in largest:
        target = TARGETS.get(name, "")
        verdict = "" if not target else "yes" if holds(largest[name], target) else "no"
        table.add_row(name, *(f"{figures[name]:,.3f}" for figures in by_size.values()), target, verdict)
    paper().print(table)


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many members")
    parser.add_argument("--seconds", type=float, default=20.0, help="for how long they only beat")
    given = parser.parse_args()
    telemetry.configure(level="error")
    by_size: dict[int, Figures] = {}
    with Cluster() as postgres:
        for number in given.sizes:
            by_size[number] = asyncio.run(fleet_of(number, given.seconds, postgres.create()))
            show(by_size)
    _write(by_size)
    return 0


def _write(by_size: dict[int, Figures]) -> None:
    figures = {f"{name}_{number}": found[name] for number, found in by_size.items() for name in TARGETS}
    path = ROOT / "build/bench/fleet.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"machine": machine(), "members": by_size, "figures": figures, "targets": TARGETS}
    path.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
