"""The sweep: rows that nobody saves are migrated in chunks, from where the last chunk ended.

A chunk is one transaction: its rows, the cursor and the counters are kept together or not at all. The first pass over
the table sweeps: it migrates the rows that need it. Then passes verify: every row is derived once more and compared,
and brought up to date where it differs, until one pass finds nothing that is held up. That is the proof.

A pass sees no change that an old writer makes behind its cursor. So who comes to rely on the new form compares all rows
once more (``proof.py``).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, text

from midflight import telemetry
from midflight.db import forms, journal
from midflight.db.clock import now
from midflight.db.write_form import Form
from midflight.errors import StepBlocked, UsageError
from midflight.migrations import state
from midflight.migrations.derive import Agrees, Deriver, Differs, Failed, Finding, Postponed
from midflight.migrations.keys import Key, from_text, key_text
from midflight.migrations.online import DataMigration
from midflight.migrations.progress import Progress
from midflight.migrations.settle import settle
from midflight.migrations.state import Position, Standing, State
from midflight.migrations.stuck import limited
from midflight.migrations.table import Snapshot

LOOK = 50
"""How many rows a chunk looks at, at most, for each row that it may match."""
LOCK_MS, STATEMENT_MS = 1_000, 30_000
"""How long a statement of the sweeper waits for a lock, and runs (PostgreSQL)."""
_BOUNDS = text("SELECT set_config('lock_timeout', :lock, true), set_config('statement_timeout', :statement, true)")
_PAGE = 500
_NAMED = 1_000
"""How many failed rows a chunk names."""
_EXTENSIONS = 5
"""How often a verifying pass goes on to what was inserted meanwhile, before it says that it cannot keep up."""


def sweep(connection: Connection, migration: DataMigration, limit: int, looks: int | None = None) -> Progress:
    """Migrate rows until ``limit`` of them matched, or a pass ends, or ``looks`` rows were looked at.

    To be run in one write transaction. Under the form ``new`` there is nothing to do any more; under ``old``, and
    before what the migration needs is proven, StepBlocked is raised. Raises ProjectError for a migration whose
    table, key or conditions are not what it says, and UsageError for a limit below 1.
    """
    if limit < 1:
        raise UsageError(reason=f"the number of rows in a chunk is at least 1; received {limit}")
    form = forms.current_of(connection, migration.name)
    if form is Form.NEW:
        return Progress(migration.table, proven=True)
    refuse_blocked(connection, migration, form)
    standing = state.read(connection, migration.name)
    with limited() as stuck:
        deriver = replace(migration.deriver(connection, fresh=standing.at_start), limit=stuck)
        return _Chunk(connection, migration, deriver, standing, limit, looks or LOOK * limit).run()


def begin(connection: Connection) -> None:
    """Make a transaction one of the sweeper's, before anything else is done in it: it waits for no row for long, and
    hinders nobody who is as if alone (PostgreSQL; rows that are read to be written are locked)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        bounds = {"lock": str(LOCK_MS), "statement": str(STATEMENT_MS)}
        connection.execute(_BOUNDS, bounds)


def _commit_lightly(connection: Connection) -> None:
    """Let the commit wait for no disk, so that whoever commits then does not wait behind it (PostgreSQL).

    A server that breaks down may forget the last chunks; with their rows it forgets the cursor, and they come again.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def refuse_blocked(connection: Connection, migration: DataMigration, form: Form, *, needs: bool = True) -> None:
    """Raises StepBlocked for a migration that cannot run yet, with what is to be done first. Without ``needs``, what it
    needs may follow."""
    step = f"Running {migration.name}"
    if form is Form.OLD:
        reason = "its form is 'old', so nobody keeps the new form up to date; advance it to 'both, read old' first"
        raise StepBlocked(step=step, reason=reason)
    for needed in migration.needs if needs else ():
        if forms.current_of(connection, needed) is not Form.NEW and not state.is_proven(connection, needed):
            reason = f"it needs {needed}, which is not proven: run `midflight data run {needed}` first"
            raise StepBlocked(step=step, reason=reason)


class _Tally:
    """What became of the rows of one chunk."""

    def __init__(self) -> None:
        self.completed: set[Key] = set()
        self.deferred: dict[Key, str] = {}
        self.failed: dict[Key, str] = {}

    @property
    def matched(self) -> int:
        return len(self.completed) + len(self.deferred) + len(self.failed)

    @property
    def reasons(self) -> Counter[str]:
        return Counter(self.deferred.values())

    def add(self, key: Key, finding: Finding) -> None:
        match finding:
            case Differs():
                self.completed.add(key)
            case Postponed(reason):
                self.deferred[key] = reason
            case Failed(error):
                self.failed[key] = error
            case Agrees():
                pass


class _Chunk:
    """One run of the sweeper. A chunk that ends one pass begins the next one, as far as it may look."""

    def __init__(
        self, connection: Connection, migration: DataMigration, deriver: Deriver, standing: Standing,
        limit: int, looks: int,
    ) -> None:  # fmt: skip
        self._connection, self._migration, self._deriver = connection, migration, deriver
        self._limit, self._all_looks, self._looks_left, self._looked = limit, looks, looks, 0
        self._before, self._standing = standing, standing
        self._swept, self._tally = _Tally(), _Tally()
        """What became of rows while sweeping, and in the pass that is under way in the end."""

    def run(self) -> Progress:
        if self._standing.at_start and not self._begin(self._standing.phase):
            return self._end()
        if self._standing.phase is State.SWEEPING:
            if not self._sweep():
                return self._go_on()
            self._swept, self._tally = self._tally, _Tally()
            self._begin(State.VERIFYING)
        return self._end() if self._verify() else self._go_on()

    def _begin(self, phase: State) -> bool:
        """Begin a pass, and say whether there is any row for it."""
        table = self._deriver.table
        position = Position(until=table.last_key(self._connection), of=table.estimate(self._connection))
        proven = phase is State.VERIFYING and self._standing.state is State.PROVEN
        kept = State.PROVEN if proven else phase
        self._standing = replace(self._standing, state=kept, cursor=position, deferred={}, deferred_rows={})
        facts = {"name": self._migration.name, "rows": position.of}
        begun: journal.Kind = "migration.sweeping" if phase is State.SWEEPING else "migration.verifying"
        journal.write(self._connection, begun, facts)
        return position.until is not None

    # Sweeping

    def _sweep(self) -> bool:
        """Migrate rows from the cursor on. Returns whether the pass ended."""
        while self._looks_left and self._tally.matched < self._limit:
            asked = min(self._looks_left, self._limit - self._tally.matched)
            page = self._page(asked, todo=self._migration.todo, lock=True)
            self._keep_all(settle(self._connection, self._deriver, page))
            self._move(page)
            if len(page) < asked:
                return True
        # One who gives a number wants to know; at the fleet's pace the next chunk will see.
        return self._limit < self._all_looks and not self._page(1, todo=self._migration.todo)

    # Verifying

    def _verify(self) -> bool:
        """Compare rows from the cursor on, and migrate those that differ. Returns whether the pass ended."""
        while self._looks_left:
            asked = min(self._looks_left, max(_PAGE, self._limit))
            page = self._page(asked)
            found = {row.key: self._deriver.look(self._connection, row) for row in page}
            beyond = self._migrate_differing(found)
            self._move(page, beyond)
            if beyond is not None:
                return False
            if len(page) < asked and not self._extend():
                return True
        return not self._page(1) and not self._extend()

    def _migrate_differing(self, found: dict[Key, Finding]) -> Key | None:
        """Keep what was found; the key of the first row that differs and is beyond the limit."""
        differing = [key for key, finding in found.items() if isinstance(finding, Differs)]
        waiting = set(differing)
        room = max(0, self._limit - len(self._tally.completed) - self._swept.matched)
        beyond = differing[room] if room < len(differing) else None
        rows = self._deriver.table.some(self._connection, differing[:room], lock=True)
        settled = settle(self._connection, self._deriver, rows, thoroughly=True)
        keys = list(found)
        come_to = keys if beyond is None else keys[: keys.index(beyond)]
        self._keep_all({key: settled.get(key, found[key]) for key in come_to if key in settled or key not in waiting})
        return beyond

    def _extend(self) -> bool:
        """Whether there are rows behind the end of the pass to go on to."""
        position = self._standing.cursor
        if position.extended == _EXTENSIONS or self._nothing_behind():
            return False
        last = self._deriver.table.last_key(self._connection)
        self._standing = replace(self._standing, cursor=replace(position, until=last, extended=position.extended + 1))
        return True

    # Both

    def _page(self, limit: int, *, todo: str | None = None, lock: bool = False) -> list[Snapshot]:
        at, table = self._standing.cursor, self._deriver.table
        return table.page(self._connection, at.after, limit, until=at.until, todo=todo, lock=lock)

    def _keep_all(self, findings: Mapping[Key, Finding]) -> None:
        name, sick = self._migration.name, self._sick(findings)
        for key, finding in findings.items():
            self._tally.add(key, finding)
            if isinstance(finding, Failed):
                state.quarantine_row(self._connection, name, key, finding.error)
            elif key_text(key) in sick:
                state.release_row(self._connection, name, key_text(key))

    def _sick(self, findings: Mapping[Key, Finding]) -> set[str]:
        may_be = self._before.failed or self._swept.failed or self._tally.failed
        return state.sick(self._connection, self._migration.name, findings) if may_be else set()

    def _move(self, page: Sequence[Snapshot], beyond: Key | None = None) -> None:
        """Put the cursor behind the rows that were come to: all of a page, or those before a key."""
        keys = [row.key for row in page]
        come_to = keys if beyond is None else keys[: keys.index(beyond)]
        at = self._standing.cursor
        after = come_to[-1] if come_to else at.after
        self._standing = replace(self._standing, cursor=replace(at, after=after, looked=at.looked + len(come_to)))
        self._looks_left -= len(page)
        self._looked += len(page)

    def _go_on(self) -> Progress:
        """The pass is under way."""
        _commit_lightly(self._connection)
        failed = self._swept.failed | self._tally.failed
        held_up = self._swept.deferred | self._tally.deferred
        named = {key_text(key): error for key, error in itertools.islice(failed.items(), _NAMED)}
        progress = self._progress(Counter(held_up.values()), named, len(failed), more=True)
        reasons = state.bounded(Counter(self._standing.deferred) + self._tally.reasons)
        at = self._standing.cursor
        cursor = replace(at, failed=at.failed + len(self._tally.failed))
        # Rows that agree so far say nothing against an earlier proof; a row that matched does.
        standing = self._standing.disproved() if progress.matched else self._standing
        return self._keep(progress, replace(standing, cursor=cursor, deferred=reasons, deferred_rows=self._deferred()))

    def _end(self) -> Progress:
        """A pass of verifying has ended: what it found is what is left."""
        self._release_gone()
        name = self._migration.name
        reasons = state.bounded(Counter(self._standing.deferred) + self._tally.reasons)
        named = state.quarantined(self._connection, name, _NAMED)
        progress = self._progress(
            reasons, named, state.failures(self._connection, name), more=not self._nothing_behind()
        )
        standing = replace(
            self._standing,
            cursor=Position(),
            passes=self._standing.passes + 1,
            deferred=reasons,
            deferred_rows=self._deferred(),
            state=State.PROVEN if progress.proven else State.VERIFYING,
            proven_at=now() if progress.proven else None,
        )
        facts = {
            "name": name, "checked": self._standing.cursor.looked, "line": str(progress),
            "deferred": dict(reasons), "failed": progress.failures,
        }  # fmt: skip
        journal.write(self._connection, "migration.proved" if progress.proven else "migration.not_proven", facts)
        return self._keep(progress, standing)

    def _nothing_behind(self) -> bool:
        """Whether no row was inserted behind the end of the pass, which it would not come to."""
        return not self._deriver.table.page(self._connection, self._standing.cursor.until, 1)

    def _release_gone(self) -> None:
        """Rows in quarantine that are deleted by now hold up nothing."""
        name, table = self._migration.name, self._deriver.table
        kept = list(state.quarantined(self._connection, name))
        for start in range(0, len(kept), _PAGE):
            keys = {each: from_text(each, table.key_types) for each in kept[start : start + _PAGE]}
            there = {row.key for row in table.some(self._connection, list(keys.values()))}
            for kept_as, key in keys.items():
                if key not in there:
                    state.release_row(self._connection, name, kept_as)

    def _progress(self, reasons: Counter[str], failed: Mapping[str, str], failures: int, *, more: bool) -> Progress:
        completed = len(self._tally.completed | self._swept.completed)
        return Progress(
            table=self._migration.table,
            matched=completed + sum(reasons.values()) + failures,
            completed=completed,
            deferred=dict(reasons),
            failed=failed,
            failures=failures,
            more=more,
            proven=not more and not reasons and not failures,
            looked=self._looked,
        )

    def _deferred(self) -> dict[str, str]:
        """The first of them in this pass."""
        return state.named(self._standing.deferred_rows, self._tally.deferred)

    def _failures(self) -> int:
        may_be = self._before.failed or self._swept.failed or self._tally.failed
        return state.failures(self._connection, self._migration.name) if may_be else 0

    def _keep(self, progress: Progress, standing: Standing) -> Progress:
        counted = replace(
            standing,
            matched=standing.matched + progress.matched,
            completed=standing.completed + progress.completed,
            failed=self._failures(),
        )
        state.write(self._connection, counted)
        telemetry.count("migrations.completed", progress.completed, migration=self._migration.name)
        return replace(progress, state=counted.state, at=counted.cursor)
