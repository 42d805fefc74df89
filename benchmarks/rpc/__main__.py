"""Measure all contenders by turns, print the table, write ``build/bench/rpc.json``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.paper import paper
from benchmarks.rpc.contenders import ROOT, Contender, Process, brokers

LOADS = [("get", 1), ("get", 16), ("get", 64), ("save", 1), ("echo", 1), ("echo", 16), ("echo", 64)]
"""What is called, and how many calls are in flight."""
CONTENDERS = {
    "nats": ("ours", "nats"), "older": ("older", "nats"), "amqp": ("ours", "amqp"), "incumbent": ("incumbent", "amqp"),
    "bare": ("bare", "nats"),
}  # fmt: skip
"""The module of each, and its broker. Who is ``older`` asks the server of ``nats``."""
PART = {"older": {"get"}, "bare": {"echo"}}
"""What only some loads are measured of."""

TARGETS = {
    "nats_get_p50": ">= 5", "nats_get_rate16": ">= 12", "amqp_get_p50": ">= 2.5", "amqp_get_rate16": ">= 4",
    "nats_save_p50": ">= 2.5", "nats_echo_share": ">= 0.6", "skewed_get": "<= 1.1", "skewed_trips": "<= 0",
    "cpu_share": "<= 0.15",
}  # fmt: skip
"""What is wanted of each ratio."""

Turn = dict[str, float]
Medians = dict[str, dict[str, Turn]]
"""By load and calls in flight, ``get 16``, and by contender: the median of its turns."""


@contextmanager
def started(urls: dict[str, str], incumbent: str, folder: Path) -> Iterator[dict[str, Contender]]:
    """All contenders, each with a folder of its own."""
    with ExitStack() as stack:

        def process(name: str, role: str) -> Process:
            module, broker = CONTENDERS[name]
            python = incumbent if name == "incumbent" else sys.executable
            made = Process(module, role, urls[broker], folder / name / role, python)
            stack.callback(made.end)
            return made

        servers = {name: process(name, "serving") for name in CONTENDERS if name != "older"}
        servers["older"] = servers["nats"]
        yield {name: Contender(process(name, "asking"), servers[name]) for name in CONTENDERS}


def measured(contenders: dict[str, Contender], rounds: int, seconds: float) -> Medians:
    """Every contender is warmed up, and then has its turn at each load in each round."""
    turns: dict[str, dict[str, list[Turn]]] = {}
    for number in range(rounds + 1):
        for load, in_flight in LOADS:
            for name, contender in contenders.items():
                if load not in PART.get(name, {load}):
                    continue
                turn = contender.run(load, in_flight, seconds if number else seconds / 4)
                if number:
                    turns.setdefault(f"{load} {in_flight}", {}).setdefault(name, []).append(turn)
    return {
        load: {name: {what: statistics.median(t[what] for t in run) for what in run[0]} for name, run in runs.items()}
        for load, runs in turns.items()
    }


def figures(medians: Medians, trips: dict[str, float]) -> dict[str, dict[str, float]]:
    """Each figure with its ratio: how many times as fast as the incumbent; a share of the other's rate, time or CPU."""
    one, many, save, echo = (medians[load] for load in ("get 1", "get 16", "save 1", "echo 16"))
    extra = trips["older"] - trips["nats"]
    return {
        "nats_get_p50": _faster(one, "nats", "p50"),
        "nats_get_rate16": _share(many, "nats", "incumbent", "rate"),
        "amqp_get_p50": _faster(one, "amqp", "p50"),
        "amqp_get_rate16": _share(many, "amqp", "incumbent", "rate"),
        "nats_save_p50": _faster(save, "nats", "p50"),
        "nats_echo_share": _share(echo, "nats", "bare", "rate"),
        "skewed_get": _share(one, "older", "nats", "p50"),
        "skewed_trips": {"ours": extra, "incumbent": trips["nats"], "ratio": extra / trips["nats"]},
        "cpu_share": _share(many, "nats", "incumbent", "cpu"),
    }


def _share(turns: dict[str, Turn], ours: str, other: str, what: str) -> dict[str, float]:
    mine, theirs = turns[ours][what], turns[other][what]
    return {"ours": mine, "incumbent": theirs, "ratio": mine / theirs}


def _faster(turns: dict[str, Turn], ours: str, what: str) -> dict[str, float]:
    found = _share(turns, ours, "incumbent", what)
    return found | {"ratio": 1 / found["ratio"]}


def holds(ratio: float, wanted: str) -> bool:
    """Whether a ratio is as wanted."""
    sign, bound = wanted.split()
    return ratio >= float(bound) if sign == ">=" else ratio <= float(bound)


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0].partition(": ")[2] if model else platform.machine(), "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "load": os.getloadavg(),
    }  # fmt: skip


def show(rows: dict[str, dict[str, float]], medians: Medians) -> None:
    """The tables that a person reads."""
    turns = Table("calls", "in flight", "who", "p50 µs", "per second", "CPU s per 1,000")
    for load, found in medians.items():
        for name, turn in found.items():
            cells = [f"{turn['p50']:,.0f}", f"{turn['rate']:,.0f}", f"{turn['cpu']:.2f}"]
            turns.add_row(*load.split(), name, *cells)
    table = Table("figure", "ours", "incumbent", "ratio", "wanted", "")
    for figure, row in rows.items():
        verdict = "holds" if holds(row["ratio"], TARGETS[figure]) else "does not hold"
        table.add_row(figure, *(f"{row[name]:,.2f}" for name in row), TARGETS[figure], verdict)
    console = paper()
    console.print(turns, table)


async def run(incumbent: str, rounds: int, seconds: float) -> tuple[dict[str, dict[str, float]], Medians]:
    """Everything, from the start of the brokers to their end."""
    with tempfile.TemporaryDirectory() as name:
        async with brokers(Path(name)) as urls:
            with started(urls, incumbent, Path(name)) as contenders:
                medians = measured(contenders, rounds, seconds)
                trips = {name: contenders[name].client.ask("trips") for name in ("nats", "older")}
    return figures(medians, trips), medians


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rpc", description=__doc__)
    parser.add_argument("--incumbent", required=True, help="a Python with oslo.messaging, oslo.versionedobjects")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7, help="of one turn of one contender at one load")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench" / "rpc.json", help="where to write")
    told = parser.parse_args()
    before = machine()
    rows, medians = asyncio.run(run(told.incumbent, told.rounds, told.seconds))
    show(rows, medians)
    told.json.parent.mkdir(parents=True, exist_ok=True)
    about = {"machine": before | {"load_after": os.getloadavg()}, "loads": medians}
    told.json.write_text(json.dumps(rows | about, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
