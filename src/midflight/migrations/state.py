"""How far a data migration has come, as it is kept in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Self

from sqlalchemy import Connection, delete, func, insert, select, update

from midflight.db.clock import now
from midflight.db.tables import data_migrations, quarantine
from midflight.migrations.keys import Key, from_json, key_text

MOST_REASONS = 100
"""So many reasons are told apart; a row function that makes up one for each row must not fill the histogram."""
OTHER_REASONS = "other reasons"
MOST_ROWS = 100
"""So many deferred rows are named."""
LONGEST = 1_000
"""So many characters of an error are kept."""


class State(StrEnum):
    """What is known of all rows together."""

    PENDING = "pending"
    """No row was looked at yet."""
    SWEEPING = "sweeping"
    """The rows that need it are migrated, from the first key to the last."""
    VERIFYING = "verifying"
    """All rows are derived once more and compared. It goes on, again and again, until they all agree."""
    PROVEN = "proven"
    """The last pass of verifying found that both forms of all rows agree."""


@dataclass(frozen=True)
class Position:
    """Where a pass is. It begins with an empty one."""

    after: Key | None = None
    """The last row that was looked at."""
    until: Key | None = None
    """The pass ends there: the last key that there was when it began, so that it ends while rows are inserted."""
    looked: int = 0
    """Rows looked at in this pass."""
    of: int = 0
    """Rows in the table when the pass began, as far as the database could tell quickly."""
    failed: int = 0
    """Rows that failed in this pass, since it was last stopped because of them."""
    judged: int = 0
    """Rows looked at by then."""
    extended: int = 0
    """How often a verifying pass went on to rows that were inserted meanwhile."""

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """The one in a JSON column. Entries of another release are left alone."""
        known: dict[str, Any] = {each.name: kept[each.name] for each in fields(cls) if each.name in kept}
        keys: dict[str, Any] = {name: from_json(known[name]) for name in ("after", "until") if name in known}
        return cls(**known | keys)

    @property
    def kept(self) -> dict[str, Any]:
        """For a JSON column."""
        return {name: value for name, value in asdict(self).items() if value not in (None, 0)}


@dataclass(frozen=True)
class Standing:
    """One row of mf_data_migrations; see there for what the numbers mean."""

    name: str
    state: State = State.PENDING
    cursor: Position = Position()
    passes: int = 0
    matched: int = 0
    completed: int = 0
    deferred: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    proven_at: datetime | None = None
    updated_at: datetime | None = None
    wanted: str | None = None
    """``running``, ``paused`` or ``stopped`` in the background; None if nobody asked for it there."""
    deferred_rows: Mapping[str, str] = field(default_factory=dict)
    """Some of the deferred: key, as text → reason."""

    @property
    def at_start(self) -> bool:
        """No pass is under way."""
        return self.cursor == Position()

    @property
    def phase(self) -> State:
        """What the pass that is under way, or the next one, does: sweep or verify."""
        return State.SWEEPING if self.state in (State.PENDING, State.SWEEPING) else State.VERIFYING

    def is_as(self, before: Standing) -> bool:
        """Whether nothing has become of it since, but that it was proven once more."""
        return replace(self, proven_at=before.proven_at, updated_at=before.updated_at) == before

    def disproved(self) -> Self:
        """A row is known to disagree."""
        return replace(self, state=State.VERIFYING, proven_at=None) if self.state is State.PROVEN else self


_COLUMNS = [data_migrations.c[column.name] for column in fields(Standing)]


def read(connection: Connection, name: str) -> Standing:
    """How far one data migration has come. Others wait with theirs, on databases that lock rows."""
    found = connection.execute(select(*_COLUMNS).where(data_migrations.c.name == name).with_for_update())
    row = found.mappings().one_or_none()
    return Standing(name) if row is None else _standing(row)


def read_all(connection: Connection) -> dict[str, Standing]:
    """How far each data migration has come that was ever touched, by name."""
    rows = connection.execute(select(*_COLUMNS).order_by(data_migrations.c.name)).mappings()
    return {row["name"]: _standing(row) for row in rows}


def is_proven(connection: Connection, name: str) -> bool:
    """Whether the last pass over all rows found that they agree, and none is known to disagree since."""
    found = connection.execute(select(data_migrations.c.state).where(data_migrations.c.name == name))
    return found.scalar_one_or_none() == State.PROVEN


def write(connection: Connection, standing: Standing) -> None:
    """Keep it, in the transaction of the rows that it counts."""
    values = {column.name: getattr(standing, column.name) for column in fields(Standing)}
    kept = {"cursor": standing.cursor.kept, "deferred": dict(standing.deferred), "updated_at": now()}
    changed = update(data_migrations).where(data_migrations.c.name == standing.name)
    if not connection.execute(changed.values(values | kept)).rowcount:
        connection.execute(insert(data_migrations).values(values | kept))


def want(connection: Connection, name: str, wanted: str | None) -> None:
    """Say what becomes of it in the background."""
    write(connection, replace(read(connection, name), wanted=wanted))


def bounded(reasons: Counter[str]) -> Counter[str]:
    """A histogram of reasons with no more of them than are told apart."""
    kept = Counter(dict(reasons.most_common(MOST_REASONS)))
    rest = reasons.total() - kept.total()
    return kept + Counter({OTHER_REASONS: rest}) if rest else kept


def named(rows: Mapping[str, str], more: Mapping[Key, str]) -> dict[str, str]:
    """Deferred rows and more of them, each with its reason: the first so many as are named."""
    room = max(0, MOST_ROWS - len(rows))
    return {**rows, **{key_text(key): reason[:LONGEST] for key, reason in islice(more.items(), room)}}


def quarantined(connection: Connection, name: str, most: int | None = None) -> dict[str, str]:
    """The rows that failed when they were last tried, all or the first so many: key, as text → error."""
    wanted = select(quarantine.c.key, quarantine.c.error).where(quarantine.c.name == name).order_by(quarantine.c.key)
    return {row.key: row.error for row in connection.execute(wanted.limit(most))}


def failures(connection: Connection, name: str) -> int:
    """How many rows are in quarantine."""
    counted = select(func.count()).select_from(quarantine).where(quarantine.c.name == name)
    return int(connection.execute(counted).scalar_one())


def sick(connection: Connection, name: str, keys: Iterable[Key]) -> set[str]:
    """Those of the keys, as text, that are in quarantine."""
    wanted = select(quarantine.c.key).where(quarantine.c.name == name, quarantine.c.key.in_(map(key_text, keys)))
    return set(connection.execute(wanted).scalars())


def quarantine_row(connection: Connection, name: str, key: Key, error: str) -> None:
    """Keep a row's error, in place of an earlier one."""
    release_row(connection, name, key)
    kept = {"name": name, "key": key_text(key), "error": error[:LONGEST], "at": now()}
    connection.execute(insert(quarantine).values(kept))


def release_row(connection: Connection, name: str, key: Key | str) -> None:
    """This row is well, or gone."""
    text = key if isinstance(key, str) else key_text(key)
    connection.execute(delete(quarantine).where(quarantine.c.name == name, quarantine.c.key == text))


def replace_quarantine(connection: Connection, name: str, failed: Mapping[Key, str]) -> None:
    """These rows fail, and no others."""
    connection.execute(delete(quarantine).where(quarantine.c.name == name))
    for key, error in failed.items():
        quarantine_row(connection, name, key, error)


def take_back_proof(connection: Connection, name: str) -> None:
    """A row may disagree from now on: what was proven is so no longer. The number of failed rows is counted again."""
    standing = read(connection, name)
    counted = replace(standing.disproved(), failed=failures(connection, name))
    if counted != standing:
        write(connection, counted)


def _standing(row: Mapping[Any, Any]) -> Standing:
    known = {
        "state": _state(row["state"]),
        "cursor": Position.read(row["cursor"]),
        "deferred_rows": row["deferred_rows"] or {},
    }
    return Standing(**{**row, **known})


def _state(kept: str) -> State:
    """Before there were two phases, what was under way was called moving."""
    return State.VERIFYING if kept == "moving" else State(kept)
