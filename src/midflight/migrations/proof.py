"""The proof: a full scan that derives the new form of every row again and compares contents. Presence proves nothing.

The rows are compared in parts, each in a short transaction of its own, so that nobody waits. What was found of a row
stays true while everybody who writes the old form derives the new one with it. A save that does not, since it defers
or fails, takes the proof back in its own transaction: so a scan counts if the migration was proven when it began, and
stands as it stood then when the scan is used. That no member of an older release writes meanwhile is for the caller to
know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from midflight.db import forms, journal
from midflight.db.clock import now
from midflight.db.write_form import Form
from midflight.errors import StepBlocked
from midflight.migrations import state
from midflight.migrations.derive import Agrees, Differs, Failed, Finding, Postponed
from midflight.migrations.keys import Key, key_text
from midflight.migrations.online import DataMigration
from midflight.migrations.state import Position, Standing, State
from midflight.migrations.stuck import limited

PART = 500
"""Rows that are compared in one transaction."""
_NAMED = 1_000
"""How many rows a proof names."""
_SHOWN = 5
"""How many keys an error names."""


@dataclass
class Proof:
    """What a full scan found. ``left`` rows cannot be shown to agree; ``disagreeing`` are the keys of the first of
    them, in order, and ``deferred`` and ``failed`` those among these that have a reason or an error."""

    checked: int = 0
    left: int = 0
    failures: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Of all deferred rows: reason → rows."""
    disagreeing: list[Key] = field(default_factory=list)
    deferred: dict[Key, str] = field(default_factory=dict)
    failed: dict[Key, str] = field(default_factory=dict)

    @property
    def proven(self) -> bool:
        """Both forms of every row agree."""
        return not self.left

    def add(self, key: Key, finding: Finding) -> None:
        """Count a row, and name it if it is among the first that disagree."""
        self.checked += 1
        if isinstance(finding, Agrees):
            return
        self.left += 1
        named = self.left <= _NAMED
        if named:
            self.disagreeing.append(key)
        if isinstance(finding, Postponed):
            self.reasons[finding.reason] += 1
            self.deferred |= {key: finding.reason} if named else {}
        elif isinstance(finding, Failed):
            self.failures += 1
            self.failed |= {key: finding.error} if named else {}


def standing_of(connection: Connection, migration: DataMigration) -> Standing:
    """How it stands before a scan. Raises StepBlocked under the form ``new``, where the old form says nothing any
    more."""
    if not forms.current_of(connection, migration.name).writes_old:
        reason = "its form is 'new': the old form is no longer written, so there is nothing to compare with"
        raise StepBlocked(step=f"Proving {migration.name}", reason=reason)
    return state.read_all(connection).get(migration.name, Standing(migration.name))


def look(
    connection: Connection, migration: DataMigration, after: Key | None, limit: int = PART
) -> list[tuple[Key, Finding]]:
    """Compare both forms of the next rows behind a key, and write nothing; none are left where there are none. A row
    that could not be written when last tried has failed."""
    with limited() as stuck:
        deriver = replace(migration.deriver(connection, fresh=after is None), limit=stuck)
        rows = deriver.table.page(connection, after, limit)
        found = [(row.key, deriver.look(connection, row)) for row in rows]
    differing = [key for key, finding in found if isinstance(finding, Differs)]
    known = state.quarantined(connection, migration.name) if differing else {}
    failed = {key: Failed(known[key_text(key)]) for key in differing if key_text(key) in known}
    return [(key, failed.get(key, finding)) for key, finding in found]


def remember(connection: Connection, migration: DataMigration, found: Proof, before: Standing) -> Standing:
    """Keep whether the migration is proven, and return how it stands now; a scan that found rows takes an earlier proof
    back. Where something has changed since ``before``, when the scan began, it can prove nothing: StepBlocked."""
    standing = state.read(connection, migration.name)
    if not standing.is_as(before):
        if found.proven and standing.state is not State.PROVEN:
            raise _changed_meanwhile(f"Proving {migration.name}")
        return standing
    state.replace_quarantine(connection, migration.name, found.failed)
    proven = replace(
        standing,
        state=State.PROVEN if found.proven else State.VERIFYING,
        cursor=Position(),
        proven_at=now() if found.proven else None,
        deferred=state.bounded(found.reasons),
        deferred_rows=state.named({}, found.deferred),
        failed=found.failures,
    )
    state.write(connection, proven)
    facts = {"name": migration.name, "checked": found.checked, "disagreeing": found.left}
    journal.write(connection, "migration.proved" if found.proven else "migration.not_proven", facts)
    return state.read(connection, migration.name)


def needs_scan(connection: Connection, migration: DataMigration, to: Form) -> bool:
    """Whether readers would come to rely on the new form more than before."""
    return to in forms.current_of(connection, migration.name).arrows and to.reads_new


def advance(
    connection: Connection, migration: DataMigration, to: Form, found: Proof | None = None,
    before: Standing | None = None,
) -> int:  # fmt: skip
    """Move the write form one arrow on and return the new epoch. An arrow that ``needs_scan`` takes what a scan found
    that began when the migration stood as ``before``, proven, and it must stand so still. Raises StepBlocked."""
    if needs_scan(connection, migration, to):
        step = f"Advancing {migration.name} to '{to}'"
        if found is None or before is None or not state.read(connection, migration.name).is_as(before):
            raise _changed_meanwhile(step)
        refuse_unproven(migration, to, found)
    return forms.advance(connection, migration.name, to)


def _changed_meanwhile(step: str) -> StepBlocked:
    reason = "while all rows were compared, rows were migrated or held up; do it again"
    return StepBlocked(step=step, reason=reason)


def refuse_unproven(migration: DataMigration, to: Form, proof: Proof) -> None:
    """Raises StepBlocked that names rows which do not agree."""
    if proof.proven:
        return
    named = ", ".join(key_text(key) for key in proof.disagreeing[:_SHOWN])
    more = " …" if proof.left > _SHOWN else ""
    reason = (
        f"both forms of {proof.left} of {proof.checked} {migration.table} do not agree ({named}{more}); "
        f"run `midflight data run {migration.name}` until it is proven"
    )
    raise StepBlocked(step=f"Advancing {migration.name} to '{to}'", reason=reason)
