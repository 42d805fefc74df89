"""Whether both forms of rows agree, and in what they do not. Nothing is written, and no row is locked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from midflight.db import forms
from midflight.errors import StepBlocked
from midflight.migrations.derive import Agrees, Differs, Failed, Finding, Postponed
from midflight.migrations.keys import Key, key_text
from midflight.migrations.online import DataMigration
from midflight.migrations.stuck import limited


@dataclass
class Compared:
    """``differing`` says of each row, by its key as text, what is the matter; ``after`` is where to go on."""

    checked: int = 0
    differing: dict[str, str] = field(default_factory=dict)
    after: Key | None = None


def compare(
    connection: Connection, migration: DataMigration, limit: int, *, after: Key | None = None, sample: bool = False
) -> Compared:
    """Compare up to ``limit`` rows behind a key, in their order; or so many rows at random as a ``sample``.

    Raises StepBlocked under the form ``new``, where the old form says nothing any more.
    """
    if not forms.current_of(connection, migration.name).writes_old:
        reason = "its form is 'new': the old form is no longer written, so there is nothing to compare with"
        raise StepBlocked(step=f"Comparing {migration.name}", reason=reason)
    with limited() as stuck:
        deriver = replace(migration.deriver(connection, fresh=after is None), limit=stuck)
        table = deriver.table
        if sample:
            rows = table.some(connection, table.random_keys(connection, limit))
        else:
            rows = table.page(connection, after, limit)
        found = {row.key: deriver.look(connection, row) for row in rows}
    differing = {key_text(key): _words(each) for key, each in found.items() if not isinstance(each, Agrees)}
    ended = sample or len(rows) < limit
    return Compared(len(rows), differing, None if ended else rows[-1].key)


def _words(finding: Finding) -> str:
    match finding:
        case Differs(values):
            return f"{', '.join(values)} differs"
        case Postponed(reason):
            return f"deferred: {reason}"
        case Failed(error):
            return error
    return "agrees"
