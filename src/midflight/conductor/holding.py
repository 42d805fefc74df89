"""The proof of a migration that is finalized is left to the database, where that can hold it."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError

from midflight.conductor.data_objects import ProofResult
from midflight.db.engine import Database, reason_of
from midflight.errors import DatabaseError, StepBlocked
from midflight.migrations import constraint
from midflight.migrations.online import DataMigration
from midflight.telemetry import log


async def hold(database: Database, migration: DataMigration) -> str:
    """Make the database hold the proof; what became of it, in words. Nothing depends on it: where it cannot, that is
    said, and may be tried again by a proof."""
    check = f"the check {constraint.name_of(migration)} of {migration.table}"
    try:
        if not await database.write(constraint.add, migration):
            return ""
        await database.write(constraint.validate, migration)
    except IntegrityError as wrong:
        await database.write(constraint.drop, migration)
        return _told(migration, f"a row does not fulfil the proof, and {check} was taken away: {reason_of(wrong)}")
    except DBAPIError as wrong:
        return _told(migration, f"the database does not hold the proof: {reason_of(wrong)}")
    except DatabaseError as wrong:
        return _told(migration, f"the database does not hold the proof: {wrong}")
    return f"the database holds the proof: {check} is validated"


def _told(migration: DataMigration, why: str) -> str:
    log.warning("migrations.proof_not_held", name=migration.name, reason=why)
    return why


async def held_proof(database: Database, migration: DataMigration) -> ProofResult:
    """The proof of a finalized migration, by the database's own check. Raises StepBlocked where there can be none."""
    words = await hold(database, migration)
    if not words:
        reason = "its form is 'new': the old form is no longer written, so there is nothing to compare with"
        raise StepBlocked(step=f"Proving {migration.name}", reason=reason)
    held = await database.read(constraint.state_of, migration)
    sql = f"CHECK ({migration.proof}) on {migration.table}"
    return ProofResult(name=migration.name, checked=0, proven=bool(held), sql=sql, constraint=words)
