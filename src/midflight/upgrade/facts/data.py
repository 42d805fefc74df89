"""Facts about data migrations: how far they have come, and what is proven."""

from __future__ import annotations

from collections.abc import Iterator

from midflight.conductor.data_objects import MigrationState
from midflight.conductor.interface import Fleet
from midflight.db.write_form import Form
from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import ago
from midflight.upgrade.verdict import Fact, bad, good, missing, tells, warning


@tells(kinds.EARLIER_DATA)
def earlier_data(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether the data migrations of the releases before the target are done for good."""
    earlier = [state for state in fleet.migrations if aim.precedes(state.release)]
    for state in earlier:
        what = f"{state.name} of {state.release}"
        if not state.proven:
            yield bad(f"{what} is not proven: {_progress(state)}", f"midflight data run {state.name}", state.name)
        elif state.form != Form.NEW.value:
            way_out = f"midflight upgrade finalize --to {state.release}"
            yield bad(f"{what} is proven but not finalized", way_out, state.name)
        else:
            yield good(f"{what} is proven and finalized", state.name)
    if not earlier:
        yield good("no earlier release has data migrations")


def migrations(fleet: Fleet, aim: Aim) -> list[MigrationState]:
    """The states of all data migrations up to the target."""
    return [state for state in fleet.migrations if _belongs(state.release, aim)]


def _belongs(release: str, aim: Aim) -> bool:
    return not aim.reached(release) or release == aim.target


@tells(kinds.MOVED)
def moved(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """How far each data migration has come."""
    yield from _untold(fleet, aim)
    for state in migrations(fleet, aim):
        way_out = f"midflight data run {state.name}"
        if state.proven:
            yield good(f"{state.name} is proven{_proven_when(state)}", state.name)
        elif state.failed:
            yield bad(f"{state.name}: {_progress(state)}", way_out, state.name)
        else:
            yield warning(f"{state.name}: {_progress(state)}", way_out, state.name)


def _untold(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Data migrations that the project has and the fleet's facts lack: an old conductor may have gathered them."""
    told = {state.name for state in fleet.migrations}
    expected = {name for name, release in aim.migrations.items() if _belongs(release, aim)}
    for name in sorted(expected - told):
        yield missing(f"{name}: the conductor {fleet.taken_by} knows nothing of it", "midflight data list", name)
    if not expected and not migrations(fleet, aim):
        yield good(f"{aim.target} has no data migrations")


@tells(kinds.PROVEN)
def provable(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Whether each data migration is proven, or finalized already."""
    yield from _untold(fleet, aim)
    for state in migrations(fleet, aim):
        if state.form == Form.NEW.value:
            yield good(f"{state.name} is finalized", state.name)
        elif state.form == Form.OLD.value:
            yield bad(f"{state.name} is still written in its old form only", None, state.name)
        elif state.proven:
            yield good(f"{state.name} is proven{_proven_when(state)}; it will be proven again", state.name)
        else:
            way_out = f"midflight data run {state.name}"
            yield bad(f"{state.name} is not proven: {_progress(state)}", way_out, state.name)


def _progress(state: MigrationState) -> str:
    deferred = ", ".join(f"{reason} {rows}" for reason, rows in sorted(state.deferred_by.items()))
    parts = [
        f"{state.completed} rows completed so far",
        f"{state.deferred} deferred{deferred and f' ({deferred})'}" if state.deferred else "",
        f"{state.failed} failed" if state.failed else "",
    ]
    return ", ".join(part for part in parts if part)


def _proven_when(state: MigrationState) -> str:
    return "" if state.proven_age is None else f" ({ago(state.proven_age)} ago)"
