"""Import all contenders by turns, each time in a fresh process, print the table, write ``build/bench/import.json``."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from benchmarks.paper import paper

ROOT = Path(__file__).parent.parent.parent
INCUMBENT = "oslo_versionedobjects.base, oslo_versionedobjects.fields, oslo_messaging"
DECLARING = "Client, Context, Interface, ObjectList, Project, Service, VersionedObject, endpoint, field, remotable"
OURS = {
    "import": "import midflight",
    "declaring": f"from midflight import {DECLARING}",
    "agent": "import midflight.cli, midflight.transports.nats",
    "conductor": "import midflight.cli, midflight.transports.nats, midflight.conductor.opened",
    "all": "from midflight import *",
}
"""By figure: the package alone, whose names are imported when they are asked for; the names that declare objects,
interfaces and a project; what `midflight run` has in memory on NATS without a database, and with one; every name."""
WANTED = {"import_ratio": 0.25}

TIMED = """
import sys, time
begun = time.process_time()
{statement}
took = time.process_time() - begun
kilobytes = int(open("/proc/self/statm").read().split()[1]) * 4
print(took, kilobytes, len(sys.modules))
"""


class Imported(NamedTuple):
    """Seconds of CPU time from a running interpreter on, kB of memory and modules in the end."""

    seconds: float
    kilobytes: float
    modules: float


def once(python: str, statement: str) -> Imported:
    """In a fresh process; bytecode is there from the turn before."""
    ran = subprocess.run(
        [python, "-c", TIMED.format(statement=statement)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return Imported(*map(float, ran.stdout.split()[-3:]))


def by_turns(incumbent: str, rounds: int) -> dict[str, Imported]:
    """The medians of all contenders, each of which has a turn in each round; one round is for the caches."""
    who = {name: (sys.executable, statement) for name, statement in OURS.items()}
    who["incumbent"] = incumbent, f"import {INCUMBENT}"
    turns = [{name: once(*each) for name, each in who.items()} for _ in range(rounds + 1)][1:]
    return {name: Imported(*map(statistics.median, zip(*(turn[name] for turn in turns), strict=True))) for name in who}


def figures(found: dict[str, Imported]) -> dict[str, float]:
    """Each of ours as a share of the incumbent's time; and what an agent has in memory, in MB."""
    whole = found["incumbent"].seconds
    ratios = {f"{name}_ratio": round(found[name].seconds / whole, 4) for name in OURS}
    return ratios | {f"{name}_mb": round(found[name].kilobytes / 1024, 1) for name in found}


def main() -> int:
    """0 where all figures are as they are wanted, else 1."""
    parser = argparse.ArgumentParser(prog="benchmarks.imports")
    parser.add_argument("--incumbent", required=True, help="a Python with the incumbent")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    found = by_turns(given.incumbent, given.rounds)
    table = Table("imports", "ms", "of the incumbent", "MB", "modules")
    for name, each in found.items():
        share = f"{each.seconds / found['incumbent'].seconds:.0%}"
        table.add_row(name, f"{each.seconds * 1000:.0f}", share, f"{each.kilobytes / 1024:.0f}", f"{each.modules:.0f}")
    paper().print(table)
    result = figures(found)
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    document = {"figures": result, "measured": {name: each._asdict() for name, each in found.items()}}
    (folder / "import.json").write_text(json.dumps(document, indent=2) + "\n")
    return int(any(result[name] > most for name, most in WANTED.items()))


if __name__ == "__main__":
    sys.exit(main())
