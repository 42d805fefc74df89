"""What an operator, or the sweeper itself, decides about one data migration. Each is one write transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from sqlalchemy import Connection

from midflight.db import forms, journal
from midflight.errors import StepBlocked
from midflight.migrations import state
from midflight.migrations.derive import Differs, Failed, Finding, Postponed
from midflight.migrations.keys import Key, from_text
from midflight.migrations.online import DataMigration
from midflight.migrations.pace import Pace
from midflight.migrations.progress import Progress
from midflight.migrations.runner import refuse_blocked
from midflight.migrations.settle import settle
from midflight.migrations.state import Position, State
from midflight.migrations.stuck import limited

RETRIED = 500
"""So many failed rows are tried again at once."""


class Act(StrEnum):
    """What becomes of a migration in the background."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


_WRITTEN: Mapping[Act, journal.Kind] = {
    Act.START: "migration.start", Act.PAUSE: "migration.pause", Act.RESUME: "migration.resume",
    Act.CANCEL: "migration.cancel",
}  # fmt: skip


class Wanted(StrEnum):
    """What somebody wants of it in the background."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """By itself: too many rows fail."""


def steer(connection: Connection, migration: DataMigration, act: Act) -> None:
    """Start it in the background, or pause, resume or cancel it there. Rows that are migrated stay migrated; what is
    cancelled begins at the first row when it is started again. Raises StepBlocked where there is nothing to steer."""
    standing = state.read(connection, migration.name)
    wanted = Wanted(standing.wanted) if standing.wanted else None
    if act in (Act.START, Act.RESUME):
        refuse_blocked(connection, migration, forms.current_of(connection, migration.name), needs=False)
    if act in (Act.PAUSE, Act.CANCEL) and wanted is None:
        raise _nothing(act, migration, "it is not running in the background")
    if act is Act.RESUME and wanted not in (Wanted.PAUSED, Wanted.STOPPED):
        raise _nothing(act, migration, "it is running" if wanted else "it was never started")
    if act is Act.CANCEL:
        standing = replace(standing, cursor=Position(), wanted=None)
    else:
        standing = replace(standing, wanted=Wanted.PAUSED if act is Act.PAUSE else Wanted.RUNNING)
    state.write(connection, standing)
    journal.write(connection, _WRITTEN[act], {"name": migration.name})


def _nothing(act: Act, migration: DataMigration, why: str) -> StepBlocked:
    reason = f"{why}; start it with `midflight data start {migration.name}`"
    return StepBlocked(step=f"To {act} {migration.name}", reason=reason)


def why_stop(at: Position, pace: Pace) -> str | None:
    """Why a migration had better stop: too many of the rows that it looked at fail."""
    looked = max(1, at.looked - at.judged)
    if at.failed < pace.failures or at.failed <= pace.failure_ratio * looked:
        return None
    return f"{at.failed} of {looked} rows failed: mend the rows or the row function, and go on"


def stop(connection: Connection, name: str, why: str) -> None:
    """Stop it in the background, and judge it anew when somebody goes on with it."""
    standing = state.read(connection, name)
    judged = replace(standing.cursor, failed=0, judged=standing.cursor.looked)
    wanted = Wanted.STOPPED if standing.wanted else None
    state.write(connection, replace(standing, cursor=judged, wanted=wanted))
    journal.write(connection, "migration.stopped", {"name": name, "reason": why})


def finish(connection: Connection, name: str) -> None:
    """It is proven: nobody wants anything of it any more."""
    state.want(connection, name, None)


def skip(connection: Connection, migration: DataMigration, error: str) -> None:
    """Put the next row into quarantine without touching it, and go on behind it: even alone it was too much."""
    standing = state.read(connection, migration.name)
    at = standing.cursor
    todo = migration.todo if standing.phase is State.SWEEPING else None
    page = migration.deriver(connection).table.page(connection, at.after, 1, until=at.until, todo=todo)
    for row in page:
        state.quarantine_row(connection, migration.name, row.key, error)
        at = replace(at, after=row.key, looked=at.looked + 1, failed=at.failed + 1)
    failed = state.failures(connection, migration.name)
    state.write(connection, replace(standing.disproved(), cursor=at, failed=failed))


def retry(connection: Connection, migration: DataMigration) -> Progress:
    """Try rows in quarantine again, now and each on its own. Their errors are kept, or they are well."""
    refuse_blocked(connection, migration, forms.current_of(connection, migration.name))
    kept = state.quarantined(connection, migration.name, RETRIED)
    found, keys = _tried(connection, migration, kept)
    for text, key in keys.items():
        finding = found.get(key)
        if isinstance(finding, Failed):
            state.quarantine_row(connection, migration.name, key, finding.error)
        else:
            state.release_row(connection, migration.name, text)
    progress = _progress(migration, found, {key: text for text, key in keys.items()})
    standing = state.read(connection, migration.name)
    counted = replace(
        standing,
        failed=state.failures(connection, migration.name),
        completed=standing.completed + progress.completed,
        matched=standing.matched + progress.matched,
    )
    state.write(connection, counted)
    journal.write(connection, "migration.retried", {"name": migration.name, "line": str(progress)})
    return progress


def _tried(
    connection: Connection, migration: DataMigration, kept: Iterable[str]
) -> tuple[dict[Key, Finding], dict[str, Key]]:
    """What was found of the rows that there are still, and the keys by their texts."""
    with limited() as stuck:
        deriver = replace(migration.deriver(connection, fresh=True), limit=stuck)
        keys = {text: from_text(text, deriver.table.key_types) for text in kept}
        rows = deriver.table.some(connection, list(keys.values()), lock=True)
        found = {key: each for row in rows for key, each in settle(connection, deriver, [row], thoroughly=True).items()}
    return found, keys


def _progress(migration: DataMigration, found: Mapping[Key, Finding], texts: Mapping[Key, str]) -> Progress:
    completed = sum(isinstance(finding, Differs) for finding in found.values())
    deferred = Counter(finding.reason for finding in found.values() if isinstance(finding, Postponed))
    failed = {texts[key]: finding.error for key, finding in found.items() if isinstance(finding, Failed)}
    matched = completed + deferred.total() + len(failed)
    return Progress(migration.table, matched, completed, deferred, failed, len(failed), looked=len(found))
