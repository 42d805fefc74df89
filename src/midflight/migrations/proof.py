"""The proof: a full scan that derives the new form of every row again and compares contents. Presence proves nothing.

It is true of the moment at which it was made, and stays true for as long as everybody who writes the old form derives
the new one with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from midflight.db import forms, journal
from midflight.db.clock import now
from midflight.db.forms import Form
from midflight.errors import StepBlocked
from midflight.migrations import state
from midflight.migrations.derive import Agrees, Deriver, Failed, Postponed
from midflight.migrations.online import DataMigration
from midflight.migrations.state import State
from midflight.migrations.table import Key, Snapshot

_PAGE = 500
_NAMED = 5
"""How many keys an error names."""


@dataclass(frozen=True)
class Proof:
    """What a full scan found. ``disagreeing`` are the keys of all rows that cannot be shown to agree, in order;
    ``deferred`` and ``failed`` are those among them that have a reason or an error."""

    checked: int
    disagreeing: list[Key]
    deferred: Mapping[Key, str]
    failed: Mapping[Key, str]

    @property
    def proven(self) -> bool:
        """Both forms of every row agree."""
        return not self.disagreeing

    @property
    def movable(self) -> list[Key]:
        """The rows that only wait to be migrated."""
        return [key for key in self.disagreeing if key not in self.deferred and key not in self.failed]


def scan(connection: Connection, migration: DataMigration) -> Proof:
    """Compare both forms of all rows, and write nothing. A row that could not be written when last tried has failed."""
    deriver = migration.deriver(connection, fresh=True)
    known = state.quarantined(connection, migration.name)
    checked, disagreeing, deferred, failed = 0, list[Key](), dict[Key, str](), dict[Key, str]()
    for snapshot in _all(connection, deriver):
        checked += 1
        finding = deriver.look(connection, snapshot)
        if isinstance(finding, Agrees):
            continue
        disagreeing.append(snapshot.key)
        if isinstance(finding, Postponed):
            deferred[snapshot.key] = finding.reason
        elif isinstance(finding, Failed):
            failed[snapshot.key] = finding.error
        elif str(snapshot.key) in known:
            failed[snapshot.key] = known[str(snapshot.key)]
    return Proof(checked, disagreeing, deferred, failed)


def prove(connection: Connection, migration: DataMigration) -> Proof:
    """Scan, and remember whether the migration is proven: a proof that fails takes an earlier one back.

    Raises StepBlocked under the form ``new``, where the old form says nothing any more.
    """
    if not forms.current_of(connection, migration.name).writes_old:
        reason = "its form is 'new': the old form is no longer written, so there is nothing to compare with"
        raise StepBlocked(step=f"Proving {migration.name}", reason=reason)
    proof = scan(connection, migration)
    _remember(connection, migration, proof)
    facts = {"name": migration.name, "checked": proof.checked, "disagreeing": len(proof.disagreeing)}
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
        state=State.PROVEN if proof.proven else State.MOVING,
        proven_at=now() if proof.proven else None,
        deferred=Counter(proof.deferred.values()),
        failed=len(proof.failed),
    )
    state.replace_quarantine(connection, migration.name, proof.failed)
    state.write(connection, standing)


def _refuse_unproven(migration: DataMigration, to: Form, proof: Proof) -> None:
    if proof.proven:
        return
    named = ", ".join(str(key) for key in proof.disagreeing[:_NAMED])
    more = " …" if len(proof.disagreeing) > _NAMED else ""
    reason = (
        f"both forms of {len(proof.disagreeing)} of {proof.checked} {migration.table} do not agree ({named}{more}); "
        f"run `midflight data run {migration.name}` until it is proven"
    )
    raise StepBlocked(step=f"Advancing {migration.name} to '{to}'", reason=reason)
