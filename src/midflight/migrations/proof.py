"""The proof: a full scan that derives the new form of every row again and compares contents. Presence proves nothing.

It is true of the moment at which it was made, and stays true for as long as everybody who writes the old form derives
the new one with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from midflight.db import forms, journal
from midflight.db.clock import now
from midflight.db.forms import Form
from midflight.errors import StepBlocked
from midflight.migrations import state
from midflight.migrations.derive import Agrees, Deriver, Differs, Failed, Finding, Postponed
from midflight.migrations.keys import Key, key_text
from midflight.migrations.online import DataMigration
from midflight.migrations.state import Position, State
from midflight.migrations.stuck import limited
from midflight.migrations.table import Snapshot

_PAGE = 500
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


def scan(connection: Connection, migration: DataMigration) -> Proof:
    """Compare both forms of all rows, and write nothing. A row that could not be written when last tried has failed."""
    proof = Proof()
    with limited() as stuck:
        deriver = replace(migration.deriver(connection, fresh=True), limit=stuck)
        known = state.quarantined(connection, migration.name)
        for snapshot in _all(connection, deriver):
            finding = deriver.look(connection, snapshot)
            if isinstance(finding, Differs) and key_text(snapshot.key) in known:
                finding = Failed(known[key_text(snapshot.key)])
            proof.add(snapshot.key, finding)
    return proof


def prove(connection: Connection, migration: DataMigration) -> Proof:
    """Scan, and remember whether the migration is proven: a proof that fails takes an earlier one back.

    Raises StepBlocked under the form ``new``, where the old form says nothing any more.
    """
    if not forms.current_of(connection, migration.name).writes_old:
        reason = "its form is 'new': the old form is no longer written, so there is nothing to compare with"
        raise StepBlocked(step=f"Proving {migration.name}", reason=reason)
    proof = scan(connection, migration)
    _remember(connection, migration, proof)
    facts = {"name": migration.name, "checked": proof.checked, "disagreeing": proof.left}
    journal.write(connection, "migration.proved" if proof.proven else "migration.not_proven", facts)
    return proof


def advance(connection: Connection, migration: DataMigration, to: Form) -> int:
    """Move the write form one arrow on and return the new epoch. Where readers would come to rely on the new form more
    than before, both forms are compared in the same transaction first. Raises StepBlocked."""
    form = forms.current_of(connection, migration.name)
    if to in form.arrows and to.reads_new:
        _refuse_unproven(migration, to, prove(connection, migration))
    return forms.advance(connection, migration.name, to)


def _all(connection: Connection, deriver: Deriver) -> Iterator[Snapshot]:
    after: Key | None = None
    while page := deriver.table.page(connection, after, _PAGE):
        yield from page
        after = page[-1].key


def _remember(connection: Connection, migration: DataMigration, proof: Proof) -> None:
    standing = replace(
        state.read(connection, migration.name),
        state=State.PROVEN if proof.proven else State.VERIFYING,
        cursor=Position(),
        proven_at=now() if proof.proven else None,
        deferred=state.bounded(proof.reasons),
        failed=proof.failures,
    )
    state.replace_quarantine(connection, migration.name, proof.failed)
    state.write(connection, standing)


def _refuse_unproven(migration: DataMigration, to: Form, proof: Proof) -> None:
    if proof.proven:
        return
    named = ", ".join(key_text(key) for key in proof.disagreeing[:_SHOWN])
    more = " …" if proof.left > _SHOWN else ""
    reason = (
        f"both forms of {proof.left} of {proof.checked} {migration.table} do not agree ({named}{more}); "
        f"run `midflight data run {migration.name}` until it is proven"
    )
    raise StepBlocked(step=f"Advancing {migration.name} to '{to}'", reason=reason)
