"""The sweep: rows that nobody saves are migrated in chunks, from where the last chunk ended.

A chunk is one transaction: its rows, the cursor, the counters and the journal entry are kept together or not at all. At
the end of the table a proof over all rows decides whether anything is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from midflight import telemetry
from midflight.db import forms, journal
from midflight.db.clock import now
from midflight.db.forms import Form
from midflight.errors import StepBlocked, UsageError
from midflight.migrations import state
from midflight.migrations.derive import Agrees, Differs, Failed, Finding, Postponed
from midflight.migrations.online import DataMigration
from midflight.migrations.proof import Proof, scan
from midflight.migrations.state import Standing, State
from midflight.migrations.table import Key, Snapshot

_LOOK = 50
"""How many rows a chunk looks at, at most, for each row that it may match."""
_PAGE = 500
_NAMED = 20
"""How many failed rows a journal entry names."""


@dataclass(frozen=True)
class Progress:
    """What one chunk did. As text it is the line for the operator: ``10 instances matched query, 10 completed``.

    ``matched`` are the rows whose new form was missing or said something else than the old one, the deferred and the
    failed among them. A chunk that reached the end of the table counts all rows that are still left.
    """

    table: str
    matched: int = 0
    completed: int = 0
    deferred: Mapping[str, int] = field(default_factory=dict)
    """Reason → rows."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Key, as text → error."""
    more: bool = False
    """There are rows that this chunk did not come to: run it again."""
    proven: bool = False
    """All rows of the table were compared in the end, and agree."""

    def __str__(self) -> str:
        line = f"{self.matched} {self.table} matched query, {self.completed} completed"
        parts = [part for part in (self._deferred_text(), self._failed_text()) if part]
        if self.more and not self.matched:
            parts.append("not all rows were looked at yet")
        return f"{line} ({'; '.join(parts)})" if parts else line

    @property
    def exit_code(self) -> int:
        """0 nothing is left, and that is proven; 1 there is more to do; 2 only deferred rows are left; 3 rows fail."""
        if self.more:
            return 1
        if self.failed:
            return 3
        if self.deferred:
            return 2
        return 0 if self.proven and (self.completed or not self.matched) else 1

    def _deferred_text(self) -> str:
        by_number = sorted(self.deferred.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{reason} {rows}" for reason, rows in by_number)
        return f"{sum(self.deferred.values())} deferred: {reasons}" if reasons else ""

    def _failed_text(self) -> str:
        return f"{len(self.failed)} failed" if self.failed else ""


def sweep(connection: Connection, migration: DataMigration, limit: int) -> Progress:
    """Migrate rows until ``limit`` of them matched, or the table ends, or very many were looked at without a match.

    To be run in one write transaction. Under the form ``new`` there is nothing to do any more; under ``old``
    StepBlocked is raised, since nobody would keep the new form up to date. Raises ProjectError for a migration whose
    table, key or conditions are not what it says, and UsageError for a limit below 1.
    """
    if limit < 1:
        raise UsageError(reason=f"the number of rows in a chunk is at least 1; received {limit}")
    form = forms.current_of(connection, migration.name)
    if form is Form.NEW:
        return Progress(migration.table, proven=True)
    if form is Form.OLD:
        reason = "its form is 'old', so nobody keeps the new form up to date; advance it to 'both, read old' first"
        raise StepBlocked(step=f"Running {migration.name}", reason=reason)
    return _Chunk(connection, migration, limit).run()


class _Tally:
    """What became of the rows of one chunk."""

    def __init__(self) -> None:
        self.completed: set[Key] = set()
        self.deferred: dict[Key, str] = {}
        self.failed: dict[Key, str] = {}

    @property
    def matched(self) -> int:
        return len(self.completed) + len(self.deferred) + len(self.failed)

    def add(self, key: Key, finding: Finding) -> None:
        self.deferred.pop(key, None)
        self.failed.pop(key, None)
        match finding:
            case Differs():
                self.completed.add(key)
            case Postponed(reason):
                self.deferred[key] = reason
            case Failed(error):
                self.failed[key] = error
            case Agrees():
                pass

    @property
    def reasons(self) -> Counter[str]:
        return Counter(self.deferred.values())


class _Chunk:
    """One run of the sweeper: walk; at the table's end prove and settle what the proof found; keep what was done."""

    def __init__(self, connection: Connection, migration: DataMigration, limit: int) -> None:
        self._connection, self._migration, self._limit = connection, migration, limit
        self._deriver = migration.deriver(connection, fresh=True)
        self._standing = state.read(connection, migration.name)
        self._sick = state.quarantined(connection, migration.name)
        self._todo = migration.todo if self._standing.passes == 0 else None
        self._after = self._standing.after
        self._tally = _Tally()

    def run(self) -> Progress:
        ended = self._walk()
        more = self._settle_the_rest() if ended else True
        tally = self._tally
        progress = Progress(
            table=self._migration.table,
            matched=tally.matched,
            completed=len(tally.completed),
            deferred=tally.reasons,
            failed={str(key): error for key, error in tally.failed.items()},
            more=more,
            proven=ended and not more and not tally.deferred and not tally.failed,
        )
        self._keep(progress, ended=ended)
        return progress

    def _walk(self) -> bool:
        """Take rows from the cursor on. Returns whether the table ended."""
        left = _LOOK * self._limit
        while left and self._tally.matched < self._limit:
            asked = min(_PAGE, left)
            page = self._page(asked)
            for snapshot in page:
                self._take(snapshot)
                self._after = snapshot.key
                if self._tally.matched == self._limit:
                    break
            else:
                if len(page) < asked:
                    return True
            left -= len(page)
        return not self._page(1)

    def _page(self, limit: int) -> list[Snapshot]:
        return self._deriver.table.page(self._connection, self._after, limit, self._todo)

    def _take(self, snapshot: Snapshot) -> None:
        finding = self._deriver.settle(self._connection, snapshot)
        self._tally.add(snapshot.key, finding)
        if isinstance(finding, Failed):
            state.quarantine_row(self._connection, self._migration.name, snapshot.key, finding.error)
        elif str(snapshot.key) in self._sick:
            state.release_row(self._connection, self._migration.name, snapshot.key)

    def _settle_the_rest(self) -> bool:
        """Look at all rows: count those that are held up, and migrate the others that the walk did not come to, as far
        as the limit goes. Returns whether there are more of them."""
        room = max(0, self._limit - self._tally.matched)
        proof = scan(self._connection, self._migration)
        self._count_held_up(proof)
        for key in proof.movable[:room]:
            self._take(self._deriver.table.one(self._connection, key))
        return len(proof.movable) > room

    def _count_held_up(self, proof: Proof) -> None:
        state.replace_quarantine(self._connection, self._migration.name, proof.failed)
        for key, reason in proof.deferred.items():
            self._tally.add(key, Postponed(reason))
        for key, error in proof.failed.items():
            self._tally.add(key, Failed(error))

    def _keep(self, progress: Progress, *, ended: bool) -> None:
        state.write(self._connection, self._ended(progress) if ended else self._under_way(progress))
        journal.write(self._connection, "migration.chunk", _facts(self._migration.name, progress))
        telemetry.count("migrations.completed", progress.completed, migration=self._migration.name)

    def _ended(self, progress: Progress) -> Standing:
        return replace(
            self._counted(progress),
            cursor={},
            passes=self._standing.passes + 1,
            deferred=progress.deferred,
            state=State.PROVEN if progress.proven else State.MOVING,
            proven_at=now() if progress.proven else None,
        )

    def _under_way(self, progress: Progress) -> Standing:
        before = self._standing
        earlier = Counter(before.deferred) if before.after is not None else Counter[str]()
        moving = replace(self._counted(progress), cursor=self._cursor(), deferred=earlier + Counter(progress.deferred))
        # Rows that agree so far say nothing against an earlier proof; a row that matched does.
        return replace(moving, state=State.MOVING, proven_at=None) if progress.matched else moving

    def _cursor(self) -> dict[str, Key]:
        return {} if self._after is None else {"after": self._after}

    def _counted(self, progress: Progress) -> Standing:
        return replace(
            self._standing,
            matched=self._standing.matched + progress.matched,
            completed=self._standing.completed + progress.completed,
            failed=len(state.quarantined(self._connection, self._migration.name)),
        )


def _facts(name: str, progress: Progress) -> dict[str, Any]:
    named = dict(list(progress.failed.items())[:_NAMED])
    return {
        "name": name,
        "line": str(progress),
        "matched": progress.matched,
        "completed": progress.completed,
        "deferred": dict(progress.deferred),
        "failed": len(progress.failed),
        "errors": named,
        "more": progress.more,
        "proven": progress.proven,
    }
