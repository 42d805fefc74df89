"""Measure all contenders by turns, print the table, write ``build/bench/objects.json``."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.paper import paper

ROOT = Path(__file__).parent.parent.parent
TARGETS = {
    "round_trip": (60, 2), "list_1000": (30, 2), "read": (30, 2), "assign": (2, None), "from_row": (12, 4),
    "what_changed": (100, None), "clone": (80, None), "backport": (60, None), "wire_bytes": (0.45, None),
    "memory": (0.50, None),
}  # fmt: skip
"""What is wanted: so many times as fast as the incumbent, at most so many times the cost of a bare Struct. For the last
two, at most this share of the incumbent's size."""
SHARES = ("wire_bytes", "memory")


class Contender:
    """One process that is asked for figures."""

    def __init__(self, name: str, python: str) -> None:
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.objects.worker", name], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.figures: list[str] = self.ask("names")

    def ask(self, question: str) -> Any:
        """The answer to one line. Raises RuntimeError when the contender has died."""
        asked, answers = self.process.stdin, self.process.stdout
        if asked is None or answers is None:
            raise RuntimeError("a contender without pipes")
        asked.write(question + "\n")
        asked.flush()
        answer = answers.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args!r} died of {question!r}")
        return json.loads(answer)

    def end(self) -> None:
        """Let it go."""
        self.process.communicate()


def measured(contenders: dict[str, Contender], rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """By figure, by contender: the median of its rounds, in microseconds or bytes."""
    result: dict[str, dict[str, float]] = {}
    for figure in contenders["ours"].figures:
        able = {name: who for name, who in contenders.items() if figure in who.figures}
        runs = [{name: who.ask(f"{figure} {seconds}") for name, who in able.items()} for _ in range(rounds)]
        result[figure] = {name: statistics.median(run[name] for run in runs) for name in able}
    result["wire_bytes"] = {name: who.ask("bytes") for name, who in contenders.items()}
    result["memory"] = {name: who.ask("weigh 2000") for name, who in contenders.items()}
    return _with_geometric_mean(result)


def _with_geometric_mean(result: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """One figure ``assign`` out of those for each kind of field."""
    parts = [result[figure] for figure in result if figure.startswith("assign_")]
    names = parts[0].keys()
    return result | {"assign": {name: statistics.geometric_mean(part[name] for part in parts) for name in names}}


def report(result: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Each figure with its ratio: how many times as fast as the incumbent; for sizes, the share of the incumbent's."""
    rows: dict[str, dict[str, float | None]] = {}
    for figure, values in result.items():
        ours, incumbent, bare = values["ours"], values["incumbent"], values.get("bare")
        ratio = ours / incumbent if figure in SHARES else incumbent / ours
        rows[figure] = {"ours": ours, "incumbent": incumbent, "bare": bare, "ratio": ratio}
    return rows


def show(rows: dict[str, dict[str, float | None]]) -> None:
    """The table that a person reads."""
    table = Table("figure", "ours", "incumbent", "bare", "ratio", "wanted", "of bare", "wanted")
    for figure, row in rows.items():
        wanted, of_bare = TARGETS.get(figure, (None, None))
        share = row["ours"] / row["bare"] if row["bare"] and row["ours"] else None
        cells = [row["ours"], row["incumbent"], row["bare"], row["ratio"], wanted, share, of_bare]
        table.add_row(figure, *["" if cell is None else f"{cell:,.2f}" for cell in cells])
    paper().print(table)


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objects", description=__doc__)
    parser.add_argument("--incumbent", required=True, help="a Python with oslo.versionedobjects")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one round of one figure")
    told = parser.parse_args()
    pythons = {"ours": sys.executable, "incumbent": told.incumbent, "bare": sys.executable}
    contenders = {name: Contender(name, python) for name, python in pythons.items()}
    rows = report(measured(contenders, told.rounds, told.seconds))
    for contender in contenders.values():
        contender.end()
    show(rows)
    target = ROOT / "build" / "bench" / "objects.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
