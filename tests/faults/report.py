"""All counts of a run, in one file, and as a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.counts import Counts

FOLDER = Path(__file__).parents[2] / "build" / "faults"
REPORT = FOLDER / "report.json"

SHORT = {
    "not_delivered": "not\ndelivered", "run_twice": "twice\n(rows)", "run_twice_elsewhere": "twice\n(files)",
    "interrupted": "inter-\nrupted", "undelivered_but_run": "undelivered\nbut run", "recovered": "flows\nafter s",
    "caught_up": "caught up\nafter s",
}  # fmt: skip


def clear() -> None:
    """Before the first case of a run."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("case-*.json"):
        old.unlink()


def keep(counts: Counts) -> None:
    """Each case in a file of its own: several processes run cases at once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"case-{counts.broker}-{counts.case.replace(' ', '-')}.json"
    file.write_text(json.dumps(asdict(counts)))


def write() -> list[Counts]:
    """Make one file of them."""
    cases = [Counts(**json.loads(file.read_text())) for file in sorted(FOLDER.glob("case-*.json"))]
    REPORT.write_text(json.dumps([asdict(each) for each in cases], indent=2) + "\n")
    return cases


def show(cases: list[Counts]) -> str:
    """A table, with what is wrong in its last column."""
    table = Table(box=None, padding=(0, 1))
    for name in Counts.names():
        table.add_column(SHORT.get(name, name), justify="left" if name in ("case", "broker") else "right")
    table.add_column("wrong")
    for each in cases:
        table.add_row(*(str(getattr(each, name)) for name in Counts.names()), ", ".join(each.wrong()))
    console = Console(width=220)
    with console.capture() as captured:
        console.print(table)
    return captured.get()
