"""``midflight data``: online data migrations, run chunk by chunk by the conductors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cyclopts import App

from midflight.cli.background import brake, cancel, pace, pause, resume, start
from midflight.cli.options import ConfigFile, Json, Rows
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.cli.progress import shown
from midflight.conductor.data_objects import Comparison, MigrationDetail, MigrationState, ProofResult, SweepResult
from midflight.errors import StepBlocked
from midflight.migrations.online import DataMigration
from midflight.project import Project
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.roster import ago
from midflight.upgrade.sweeping import Total

T = TypeVar("T")

app = App(name="data", help="Online data migrations: let rows catch up while everything works.")
for command in (start, pause, resume, cancel, brake, pace):
    app.command(command)

ROWS = 1_000
"""Rows that are compared at once."""
SAMPLE = 1_000
"""Rows that are compared where the operator does not say how many."""


@app.command
async def run(name: str | None = None, /, *, rows: Rows = None, config: ConfigFile = None, json: Json = False) -> int:
    """Migrate rows, and say how many matched, were completed, deferred or failed.

    Exits 0 when nothing is left and that is proven, 1 when there is more to do, 2 when only deferred rows are left or
    the brake is on, 3 when rows failed.

    Parameters
    ----------
    name
        One data migration; else all of the project, those first that others need.
    rows
        Migrate one chunk of at most so many rows; else go on, at the fleet's pace, until nothing more can be done now.
    """
    out, place = Output(json=json), open_place(config)
    results: list[SweepResult] = []
    async with operating(place.config, place.project) as operator:
        chosen, unproven = _chosen(place.project, name), set[str]()
        for each in chosen:
            if waits := unproven.intersection(each.needs):
                out.say(f"{each.name}: waits for {', '.join(sorted(waits))}")
                continue
            if len(chosen) > 1:
                out.say(f"{each.name}:")
            result = await (operator.sweep(each.name, rows) if rows else _run(operator, each, out))
            _tell(result, out)
            results.append(result)
            unproven |= {each.name} if result.exit_code else set()
    if not results:
        out.say(f"project {place.project.name} has no data migrations")
    out.document(results)
    return max((result.exit_code for result in results), default=0)


def _chosen(project: Project, name: str | None) -> list[DataMigration]:
    return list(project.migrations.values()) if name is None else [project.migration(name)]


async def _run(operator: Operator, migration: DataMigration, out: Output) -> SweepResult:
    """Chunk after chunk for as long as there is more. Raises StepBlocked when the brake is on."""
    total = Total(migration.table)
    with shown(out.terminal, out.say, migration.name) as bar:
        while True:
            result = await operator.sweep_paced(migration.name)
            if result.braked:
                raise StepBlocked(step=f"Running {migration.name}", reason=result.held)
            bar.chunk(result)
            total.add(result)
            if not result.more or result.stopped:
                return total.result(result)
            await asyncio.sleep(result.wait)


def _tell(result: SweepResult, out: Output) -> None:
    out.say(result.line)
    _rows("failed", result.failed, out)
    if result.stopped:
        out.mark("stopped", result.stopped)


@app.command(name="list")
async def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """All data migrations that the answering conductor knows, and how far they have come."""
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
    columns = ("name", "release", "table", "form", "state", "background", "completed", "deferred", "failed", "proven")
    out.table(columns, [_row(state) for state in fleet.migrations])
    out.document(fleet.migrations)
    return 0


def _row(state: MigrationState) -> tuple[str, ...]:
    proven = "no" if not state.proven else f"{ago(state.proven_age or 0)} ago"
    numbers = map(str, (state.completed, state.deferred, state.failed))
    return (
        state.name, state.release, state.table, state.form, state.state, state.wanted or "-", *numbers, proven
    )  # fmt: skip


async def _asked(config: ConfigFile, name: str, ask: Callable[[Operator, str], Awaitable[T]]) -> T:
    """What the conductors say about one data migration, which this copy of the project has."""
    place = open_place(config)
    async with operating(place.config, place.project) as operator:
        return await ask(operator, place.project.migration(name).name)


@app.command
async def show(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """One data migration: how far it is, why rows are deferred and fail, who migrates them and at which pace.

    Parameters
    ----------
    name
        The data migration.
    """
    out = Output(json=json)
    found = await _asked(config, name, lambda operator, name: operator.migration(name))
    for fact, value in _facts(found):
        out.say(f"{fact + ':':12} {value}")
    _histogram("deferred", found.migration.deferred_by, out)
    _rows("deferred", found.deferred, out, of=found.migration.deferred)
    _histogram("failed", found.errors, out)
    _rows("failed", found.failed, out, of=found.migration.failed)
    out.document(found)
    return 0


def _facts(found: MigrationDetail) -> list[tuple[str, str]]:
    state = found.migration
    proven = f"{ago(state.proven_age or 0)} ago" if state.proven else "no"
    needs = ", ".join(f"{name} ({'proven' if done else 'not proven'})" for name, done in found.needs.items())
    background = f"{state.wanted or 'not started'}" + (f", by {found.holder}" if found.holder else "")
    facts = [
        ("name", f"{state.name}, of {state.release}, on {state.table}"),
        ("form", state.form),
        ("state", f"{state.state}, {state.looked} of about {state.of} rows looked at" if state.of else state.state),
        ("completed", str(state.completed)),
        ("proven", proven),
        ("needs", needs),
        ("background", background),
        ("held", "the brake is on" if found.brake else found.held),
        ("pace", ", ".join(f"{name}={value}" for name, value in found.pace.items() if value != [])),
    ]
    return [(fact, value) for fact, value in facts if value]


def _histogram(what: str, counted: dict[str, int], out: Output) -> None:
    if counted:
        by_number = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        out.table((what, "rows"), [(reason, str(rows)) for reason, rows in by_number])


def _rows(what: str, rows: dict[str, str], out: Output, of: int = 0) -> None:
    """Some of so many rows, by key, each with what is the matter."""
    for key, why in sorted(rows.items(), key=lambda item: (len(item[0]), item[0])):
        out.mark(what, f"{key}: {why}", indent=2)
    if len(rows) < of and rows:
        out.say(f"  … and {of - len(rows)} more")


@app.command
async def retry(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Try the rows again that failed. Exits as run does; 1 where they are well, and all rows are to be looked at again.

    Parameters
    ----------
    name
        The data migration.
    """
    out = Output(json=json)
    result = await _asked(config, name, lambda operator, name: operator.retry(name))
    _tell(result, out)
    out.document(result)
    return result.exit_code


@app.command
async def prove(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Compare both forms of all rows, and remember whether they agree. Exits 0 if so, else 2.

    Parameters
    ----------
    name
        The data migration.
    """
    out = Output(json=json)
    found = await _asked(config, name, lambda operator, name: operator.prove(name))
    _tell_proof(found, out)
    out.document(found)
    return 0 if found.proven else 2


def _tell_proof(found: ProofResult, out: Output) -> None:
    left = found.left or len(found.disagreeing)
    out.say(f"{found.sql}: {found.counted}")
    out.say(f"{found.checked} rows derived again and compared in {found.seconds:.1f} s: {left} differ")
    for key in found.disagreeing[:20]:
        out.mark("fail", key, indent=2)
    openers = ", ".join(f"{release} ({number})" for release, number in sorted(found.releases.items()))
    out.say(f"the database is open to {openers or 'nobody'}")
    if found.constraint:
        out.say(found.constraint)
    out.mark("pass" if found.proven else "fail", f"{found.name} is {'' if found.proven else 'not '}proven")


@app.command
async def compare(
    name: str, /, *, rows: Rows = None, all: bool = False, config: ConfigFile = None, json: Json = False
) -> int:
    """Compare both forms of rows at random, or of all, and name those that do not agree. Changes nothing.

    Exits 0 where all that were compared agree, else 2.

    Parameters
    ----------
    name
        The data migration.
    rows
        How many rows to compare; else a thousand.
    all
        Compare all rows, a thousand at a time.
    """
    out = Output(json=json)

    def compared(operator: Operator, name: str) -> Awaitable[Comparison]:
        return _all(operator, name) if all else operator.compare(name, [], rows or SAMPLE, sample=True)

    found = await _asked(config, name, compared)
    for key, why in found.differing.items():
        out.mark("fail", f"{key}: {why}", indent=2)
    what = "all" if all else "some"
    out.say(f"{found.checked} rows compared ({what}): {len(found.differing)} do not agree")
    out.document(found)
    return 2 if found.differing else 0


async def _all(operator: Operator, name: str) -> Comparison:
    found = await operator.compare(name, [], ROWS)
    checked, differing = found.checked, dict(found.differing)
    while found.after:
        found = await operator.compare(name, found.after, ROWS)
        checked, differing = checked + found.checked, differing | found.differing
    return Comparison(checked=checked, differing=differing)
