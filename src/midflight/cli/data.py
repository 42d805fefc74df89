"""``midflight data``: online data migrations, run chunk by chunk by a conductor."""

from __future__ import annotations

from cyclopts import App

from midflight.cli.options import ConfigFile, Json, Rows
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.conductor.interface import MigrationState, SweepResult
from midflight.project import Project
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.roster import ago

app = App(name="data", help="Online data migrations: let rows catch up while everything works.")

CHUNK = 100
"""Rows at once where the operator does not say."""


@app.command
async def run(name: str | None = None, /, *, rows: Rows = None, config: ConfigFile = None, json: Json = False) -> int:
    """Migrate rows, and say how many matched, were completed, deferred or failed.

    Exits 0 when nothing is left and that is proven, 1 when there is more to do, 2 when only deferred rows are left,
    3 when rows failed.

    Parameters
    ----------
    name
        One data migration; else all of the project.
    rows
        Migrate one chunk of at most so many rows; else go on until nothing more can be done now.
    """
    out, place = Output(json=json), open_place(config)
    results: list[SweepResult] = []
    async with operating(place.config, place.project) as operator:
        chosen = _chosen(place.project, name)
        for each in chosen:
            if len(chosen) > 1:
                out.say(f"{each}:")
            results += await _run(operator, each, rows, out)
    if not results:
        out.say(f"project {place.project.name} has no data migrations")
    out.document(results)
    return max((result.exit_code for result in _last_of_each(results)), default=0)


def _chosen(project: Project, name: str | None) -> list[str]:
    return list(project.migrations) if name is None else [project.migration(name).name]


async def _run(operator: Operator, name: str, rows: int | None, out: Output) -> list[SweepResult]:
    """One chunk of ``rows``; without a number, chunk after chunk for as long as there is more."""
    results = [await _chunk(operator, name, rows or CHUNK, out)]
    while rows is None and results[-1].more:
        results.append(await _chunk(operator, name, CHUNK, out))
    return results


async def _chunk(operator: Operator, name: str, rows: int, out: Output) -> SweepResult:
    result = await operator.sweep(name, rows)
    out.say(result.line)
    for key, error in sorted(result.failed.items()):
        out.mark("failed", f"{key}: {error}", indent=2)
    return result


def _last_of_each(results: list[SweepResult]) -> list[SweepResult]:
    return list({result.name: result for result in results}.values())


@app.command(name="list")
async def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """All data migrations that the answering conductor knows, and how far they have come."""
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
    columns = ("name", "release", "table", "form", "completed", "deferred", "failed", "proven")
    out.table(columns, [_row(state) for state in fleet.migrations])
    out.document(fleet.migrations)
    return 0


def _row(state: MigrationState) -> tuple[str, ...]:
    proven = "no" if not state.proven else f"{ago(state.proven_age or 0)} ago"
    numbers = map(str, (state.completed, state.deferred, state.failed))
    return state.name, state.release, state.table, state.form, *numbers, proven
