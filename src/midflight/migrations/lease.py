"""Who migrates rows in the background: one conductor of the fleet at a time, and at one pace.

The lease is a row. Its holder counts its ``beat`` on; who sees that it does not move for some time, by a clock of his
own that no one sets, takes the next ``generation``. A holder that was only asleep finds another generation in the very
transaction of its next chunk, and does nothing. No two clocks are ever compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from midflight.db import journal
from midflight.db.tables import sweeper
from midflight.errors import Superseded
from midflight.migrations.pace import Pace

_ROW = 1


@dataclass(frozen=True)
class Lease:
    """The row: who holds it, and what holds for all who migrate rows."""

    holder: str = ""
    generation: int = 0
    beat: int = 0
    brake: bool = False
    pace: Pace = field(default_factory=Pace)
    held: str = ""
    """Why the holder waits."""


def read(connection: Connection, *, lock: bool = False) -> Lease:
    """The lease as it is now."""
    wanted = select(sweeper)
    row = connection.execute(wanted.with_for_update() if lock else wanted).mappings().one_or_none()
    if row is None:
        return Lease()
    known = {name: value for name, value in row["pace"].items() if name in Pace.__struct_fields__}
    pace = msgspec.convert(known, Pace)
    return Lease(row["holder"], row["generation"], row["beat"], row["brake"], pace, row["held"])


def take(connection: Connection, member: str, seen: Lease) -> int | None:
    """Take the lease that was seen; the new generation, or None where somebody was quicker."""
    present = read(connection, lock=True)
    if (present.generation, present.beat) != (seen.generation, seen.beat):
        return None
    generation = present.generation + 1
    _write(connection, holder=member, generation=generation, beat=0, held="")
    journal.write(connection, "sweeper.taken", {"by": member, "from": present.holder, "generation": generation})
    return generation


def renew(connection: Connection, generation: int, held: str = "") -> Lease:
    """Count the beat on, and say why one waits; the lease as it was. Raises Superseded where another one holds it by
    now."""
    present = read(connection, lock=True)
    if present.generation != generation:
        raise Superseded(generation=generation, holder=present.holder, present=present.generation)
    _write(connection, beat=present.beat + 1, held=held)
    return present


def leave(connection: Connection, generation: int) -> None:
    """Let the next one begin at once."""
    if read(connection, lock=True).generation == generation:
        _write(connection, holder="", generation=generation + 1)


def set_brake(connection: Connection, on: bool) -> None:
    """Stop all who migrate rows before their next chunk, or let them go on."""
    _write(connection, brake=on)
    journal.write(connection, "sweeper.brake", {"on": on})


def set_pace(connection: Connection, changes: Mapping[str, Any]) -> Pace:
    """Change settings, for the next chunk of all. Raises InvalidValue."""
    pace = read(connection, lock=True).pace.changed(changes)
    _write(connection, pace=msgspec.to_builtins(pace))
    journal.write(connection, "sweeper.pace", dict(changes))
    return pace


def _write(connection: Connection, **values: Any) -> None:
    if connection.execute(update(sweeper).where(sweeper.c.id == _ROW).values(values)).rowcount:
        return
    unset = {"holder": "", "generation": 0, "beat": 0, "brake": False, "pace": {}, "held": ""}
    connection.execute(insert(sweeper).values({"id": _ROW, **unset, **values}))
