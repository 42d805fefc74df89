"""The runner that contracts a schema: hide, bring back, drop; and not before everybody can do without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from alembic.script.base import Script
from sqlalchemy import Connection, MetaData, delete, insert, select, update

from midflight.db import catalogue, journal, tables
from midflight.db.clock import now
from midflight.db.engine import is_postgresql
from midflight.db.schema.finish import broken, finish_all, whole
from midflight.db.schema.line import contract_files, names_in, project_line, run_removal, sql_of
from midflight.db.schema.named import nearest
from midflight.db.schema.opening import changing, looking, shared
from midflight.db.schema.refusals import Reader, read_by, too_early, unproven
from midflight.db.schema.removals import Removal, gone
from midflight.db.schema.run import Run
from midflight.db.schema.session import PATIENCE_SECONDS, Session
from midflight.db.schema.steps import DropIndex, Step, keep
from midflight.db.schema.words import verbatim
from midflight.errors import ProjectError, SchemaBroken, StepBlocked

HOLD = timedelta(days=1)
"""So long a thing is hidden before it may be dropped, where its revision does not say."""

WAITING, HELD, PURGED = "waiting", "held", "purged"


class Way(StrEnum):
    """What is to be done with what is to go."""

    HOLD = "hold"
    UNDO = "undo"
    PURGE = "purge"

    @property
    def done(self) -> str:
        return {"hold": "hidden", "undo": "brought back", "purge": "dropped"}[self.value]


@dataclass(frozen=True)
class Contract:
    """One contract revision, and how far it has come."""

    revision: str
    script: Script
    removals: tuple[Removal, ...]
    indexes: tuple[str, ...]
    """Those that it drops, in the catalogue's words."""
    sql: str
    """What its purge executes."""
    on_sqlite: bool
    can_be_held: bool
    """All that it does can be hidden first."""
    hold: timedelta
    migrations: tuple[str, ...]
    """Data migrations that must be proven and finalized."""
    state: str
    held_at: datetime | None
    purged_at: datetime | None

    @property
    def name(self) -> str:
        return f"{self.revision} ({Path(self.script.path).name})"

    def sql_of(self, way: Way) -> str:
        """What going this way executes."""
        if way is Way.PURGE:
            return self.sql
        return "\n".join(f"{statement};" for statement in self.hides(way))

    def hides(self, way: Way) -> list[str]:
        """The statements that hide what goes, or bring it back."""
        if way is Way.HOLD:
            each = [removal.hold(on_sqlite=self.on_sqlite) for removal in self.removals]
        else:
            each = [removal.undo(on_sqlite=self.on_sqlite) for removal in reversed(self.removals)]
        return [statement for statements in each for statement in statements]

    @property
    def can_go_into_hold(self) -> bool:
        """It waits, and can be hidden."""
        return self.state == WAITING and self.can_be_held

    @property
    def blocks(self) -> bool:
        """It waits, and cannot be hidden: those behind it wait for its purge."""
        return self.state == WAITING and not self.can_be_held

    @property
    def removes(self) -> list[str]:
        """In the catalogue's words."""
        return [removal.thing for removal in self.removals]

    @property
    def drops(self) -> list[str]:
        """These, and indexes, which are not hidden before."""
        return [*self.removes, *self.indexes]


class ContractRunner:
    """Contracts the schema of one database. Its methods block: call them in a thread.

    ``readers`` are the frozen releases, oldest first, with what they use. Errors are those of SchemaRunner; StepBlocked
    says all that stands against the first revision that may not go on.
    """

    def __init__(
        self, url: str, schema: Path, release: str, readers: Sequence[Reader], *, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._url, self._release, self._readers, self._patience = shared(url), release, readers, patience
        self._dialect = "postgresql" if is_postgresql(self._url) else "sqlite"
        self._expand, files = project_line(schema, MetaData()), contract_files(schema)
        self._scripts = files.line if files else []
        self.remarks: dict[str, list[str]] = {}
        """What is to be said of the revisions that were purged."""

    def status(self) -> list[tuple[Contract, list[str]]]:
        """All contract revisions in their order, each with what stands against its next step."""
        with looking(self._url) as connection:
            every = self._all(connection)
            return [(each, self._next(connection, each, every)) for each in every]

    def _next(self, connection: Connection, each: Contract, every: Sequence[Contract]) -> list[str]:
        if each.state == PURGED:
            return []
        purging = each.state == HELD or not each.can_be_held
        return [*_behind(each, every), *self._against(connection, each, purging=purging)]

    def next_way(self) -> Way:
        """Hiding, where the first that waits can be hidden."""
        with looking(self._url) as connection:
            waiting = [each for each in self._all(connection) if each.state == WAITING]
        return Way.HOLD if waiting and waiting[0].can_be_held else Way.PURGE

    def plan(self, way: Way) -> list[tuple[str, str]]:
        """What ``run`` would execute, each revision with its SQL. Nothing is executed."""
        with looking(self._url) as connection:
            due = _due(way, self._all(connection))
        return [(each.revision, each.sql_of(way)) for each in due]

    def run(self, way: Way) -> list[str]:
        """Go this way with all revisions that are due for it. Returns them, in the order in which that was done."""
        act = {Way.HOLD: self._hold, Way.UNDO: self._undo, Way.PURGE: self._purge}[way]
        done: list[str] = []
        with changing(self._url, self._patience) as session:
            finish_all(session)
            with session.transaction(writes=False) as connection:
                every = self._all(connection)
            for each in _due(way, every):
                self._refuse(session, way, each, done, every)
                session.try_(each.name, partial(act, session, each))
                finish_all(session)
                done.append(each.revision)
        return done

    def _refuse(
        self, session: Session, way: Way, each: Contract, done: Sequence[str], every: Sequence[Contract]
    ) -> None:
        if way is Way.UNDO:
            return
        with session.transaction(writes=False) as connection:
            against = [*_behind(each, every, done), *self._against(connection, each, purging=way is Way.PURGE)]
        if against:
            before = f" ({', '.join(done)} is {way.done})" if done else ""
            raise StepBlocked(step=f"Contracting {each.name}{before}", reason="; ".join(against))

    def _all(self, connection: Connection) -> list[Contract]:
        rows = {row.revision: row for row in connection.execute(select(tables.contracts))}
        return [self._contract(script, rows.get(script.revision)) for script in self._scripts]

    def _contract(self, script: Script, row: Any) -> Contract:
        look, purge = (
            Run(script.revision, "contract", is_purge=done, was_held=row is not None) for done in (False, True)
        )
        own_sql, sql = (_sql(script, self._dialect, run) for run in (look, purge))
        later = [f"-- afterwards, by itself:\n{statement};" for step in purge.steps for statement in step.statements()]
        later += [f"-- {remark}" for remark in purge.remarks]
        return Contract(
            script.revision,
            script,
            tuple(look.removals),
            tuple(step.index for step in look.steps if isinstance(step, DropIndex)),
            sql="\n\n".join(part for part in (sql, *later) if part),
            on_sqlite=self._dialect == "sqlite",
            can_be_held=bool(look.removals) and not own_sql and all(map(_can_wait, look.steps)),
            hold=_span(script),
            migrations=names_in(script, "migrations"),
            state=row.state if row else WAITING,
            held_at=row.held_at if row else None,
            purged_at=row.purged_at if row else None,
        )

    def _against(self, connection: Connection, each: Contract, *, purging: bool = False) -> list[str]:
        unexpanded = self._unexpanded(connection, each.script)
        reasons = [f"its expand revision {name} is not applied" for name in unexpanded]
        reasons += unproven(connection, each.migrations)
        reasons += read_by(connection, each.removals, self._readers, self._release)
        if purging and each.can_be_held:
            reasons += too_early(connection, each.revision, each.hold)
        if each.state == WAITING and not unexpanded:
            reasons += _misfits(connection, each)
        return reasons

    def _unexpanded(self, connection: Connection, script: Script) -> list[str]:
        pending = {pending.revision for pending in self._expand.files.pending(self._expand.heads(connection))}
        return [name for name in names_in(script, "depends_on") if name in pending]

    def _hold(self, session: Session, each: Contract) -> None:
        with broken(each.name), session.transaction(writes=True) as connection:
            for statement in each.hides(Way.HOLD):
                connection.execute(verbatim(statement))
            row = {"state": HELD, "release": self._release, "held_at": now()}
            connection.execute(insert(tables.contracts).values(revision=each.revision, **row))
            journal.write(connection, "schema.held", self._facts(each))

    def _undo(self, session: Session, each: Contract) -> None:
        with broken(each.name), session.transaction(writes=True) as connection:
            for statement in each.hides(Way.UNDO):
                connection.execute(verbatim(statement))
            connection.execute(delete(tables.contracts).where(tables.contracts.c.revision == each.revision))
            journal.write(connection, "schema.brought_back", self._facts(each))

    def _purge(self, session: Session, each: Contract) -> None:
        run = Run(each.revision, "contract", was_held=each.state == HELD)
        with broken(each.name), session.transaction(writes=True) as connection:
            with whole(connection, each.name):
                run_removal(connection, each.script, run)
            if left := gone(run.removals, catalogue.things(connection)):
                raise SchemaBroken(revision=each.name, reason=f"afterwards the catalogue still has {', '.join(left)}")
            keep(connection, each.revision, run.steps)
            self._note_purged(connection, each)
            if run.remarks:
                self.remarks[each.revision] = run.remarks
            journal.write(connection, "schema.purged", self._facts(each))

    def _note_purged(self, connection: Connection, each: Contract) -> None:
        row = {"state": PURGED, "release": self._release, "purged_at": now()}
        if each.state == HELD:
            connection.execute(update(tables.contracts).where(tables.contracts.c.revision == each.revision).values(row))
        else:
            connection.execute(insert(tables.contracts).values(revision=each.revision, **row))

    def _facts(self, each: Contract) -> dict[str, Any]:
        return {"revision": each.revision, "release": self._release, "removes": each.removes}


def _misfits(connection: Connection, each: Contract) -> Iterator[str]:
    """What is to go must be there, or a slip in a name would be told as done; and rows must be writable without it."""
    there = catalogue.things(connection)
    for thing in each.drops:
        if thing not in there:
            yield f"there is no {thing}{nearest(thing, there)}"
    for removal in each.removals:
        if removal.thing in there and (need := removal.needed(connection)):
            yield need


def _can_wait(step: Step) -> bool:
    """An index that goes with what is hidden is of no harm until then."""
    return isinstance(step, DropIndex)


def _behind(each: Contract, every: Sequence[Contract], done: Sequence[str] = ()) -> Iterator[str]:
    """What an earlier one works on must not be hidden before that is done."""
    for other in takewhile(lambda other: other is not each, every):
        if other.blocks and other.revision not in done:
            yield f"{other.name} comes before it, and cannot be hidden: midflight db contract --purge"


def _due(way: Way, every: Sequence[Contract]) -> list[Contract]:
    """Those to go this way, in order, up to the first that has to go the other one before; where that is the very
    first, it is there all the same, to be refused."""
    if way is Way.UNDO:
        return [each for each in reversed(every) if each.state == HELD]
    if way is Way.HOLD:
        wanted = [each for each in every if each.can_go_into_hold]
        return [each for each in wanted if not any(_behind(each, every))] or wanted[:1]
    left = [each for each in every if each.state != PURGED]
    return [*takewhile(lambda each: not each.can_go_into_hold, left)] or left[:1]


def _sql(script: Script, dialect: str, run: Run) -> str:
    try:
        return sql_of(script, dialect, run)
    except ProjectError:
        raise
    except Exception as wrong:  # noqa: BLE001  # a revision may read, and then do anything
        return f"-- its SQL is known only when it runs: {type(wrong).__name__}: {wrong}"


def _span(script: Script) -> timedelta:
    hold = getattr(script.module, "hold", HOLD)
    if not isinstance(hold, timedelta):
        raise ProjectError(where=script.path, reason=f"received hold = {hold!r}, expected a timedelta(days=…)")
    return hold
