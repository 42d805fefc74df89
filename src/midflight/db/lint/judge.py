"""From what was seen of a revision to what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from midflight.db.lint.finding import Code, Finding
from midflight.db.lint.observe import Seen, Watch

LONG_SECONDS = 0.5
"""For longer than this nobody should be kept waiting, also on a scratch database with few rows."""

_READERS_TOO = "AccessExclusiveLock"
_EXPLICIT = re.compile(r"\s*LOCK\b", re.IGNORECASE)
_TRUNCATE = re.compile(r"\s*TRUNCATE\b", re.IGNORECASE)
_TIMEOUT = re.compile(r"\s*SET\b.*\b(lock_timeout|statement_timeout)\b", re.IGNORECASE)

_REWRITES = (
    (
        r"CREATE UNIQUE INDEX|ADD( CONSTRAINT \S+)? (UNIQUE|PRIMARY KEY)",
        "contract.add_unique_index(name, table, columns)",
    ),
    (r"CREATE INDEX|REINDEX", "expand.add_index(name, table, columns)"),
    (r"SET NOT NULL", "contract.set_not_null(table, column)"),
    (r"FOREIGN KEY|REFERENCES", "expand.add_foreign_key(name, table, columns, other, other_columns)"),
    (r"CHECK|VALIDATE", "expand.add_check(name, table, condition)"),
    (r"ALTER COLUMN .* TYPE", "expand.add_column(…) of the new type, expand.mirror_column(…), and a data migration"),
    (
        r"ADD COLUMN|ADD ",
        "expand.add_column(table, sa.Column(…)) without a default, and a data migration that fills it",
    ),
    (r"^\s*DELETE|^\s*TRUNCATE", "contract.delete_rows(table, condition)"),
    (r"^\s*(UPDATE|INSERT|MERGE|WITH)", "@data_migration(…): rows catch up in chunks, while everything runs"),
    (r"^\s*LOCK", "no LOCK: each helper takes the weakest lock that will do"),
    (r"CLUSTER|VACUUM", "nothing: this is for a time when nobody works"),
)


def judge(revision: str, watch: Watch, branch: str) -> Iterator[Finding]:
    """What is wrong with a revision of a branch, each once for a table."""
    told = set[tuple[Code, str]]()
    for finding in _all(revision, watch, branch):
        if (finding.code, finding.table) not in told:
            told.add((finding.code, finding.table))
            yield finding


def _all(revision: str, watch: Watch, branch: str) -> Iterator[Finding]:
    for number, seen in enumerate(watch.seen):
        yield from _of_rows(revision, watch, seen)
        yield from _of_changes(revision, watch, seen, branch)
        yield from _of_locks(revision, watch, number, seen)
        if not seen.in_transaction:
            cause = f"it leaves the revision's transaction: {_short(seen.sql)}"
            hits, rewrite = (
                "whoever has to mend it when it fails half-way",
                "leave it out: a revision is one transaction",
            )
            yield Finding(Code.LEAVES, revision, "", cause, hits, rewrite)
        if _TIMEOUT.match(seen.sql):
            cause, rewrite = f"it sets a timeout: {_short(seen.sql)}", "leave it out: the runner bounds every wait"
            yield Finding(Code.TIMEOUT, revision, "", cause, "all who come behind it", rewrite)
    yield from _held_long(revision, watch)


def _of_rows(revision: str, watch: Watch, seen: Seen) -> Iterator[Finding]:
    for table in sorted(seen.rewritten):
        if _TRUNCATE.match(seen.sql):
            cause, hits = f"all rows of {table} are thrown away: {_short(seen.sql)}", _hits(_READERS_TOO, table)
            yield Finding(Code.WHOLE, revision, table, cause, hits, instead(seen.sql))
        elif watch.rows.get(table):
            cause = f"all rows of {table} are written anew: {_short(seen.sql)}"
            yield Finding(Code.REWRITE, revision, table, cause, _hits(_READERS_TOO, table), instead(seen.sql))
    for table, rows in sorted(seen.read.items()):
        if table in seen.locks and table not in seen.rewritten and table not in seen.changed:
            cause = f"{rows} rows of {table} are read under {seen.locks[table]}: {_short(seen.sql)}"
            yield Finding(Code.SCAN, revision, table, cause, _hits(seen.locks[table], table), instead(seen.sql))


def _of_changes(revision: str, watch: Watch, seen: Seen, branch: str) -> Iterator[Finding]:
    for table, rows in sorted(seen.changed.items()):
        if table in seen.rewritten:
            continue
        whole = rows >= watch.rows.get(table, 0) > 0
        cause = f"it changes {'all' if whole else 'some'} rows of {table} in one transaction: {_short(seen.sql)}"
        hits = f"who writes the same rows of {table}, until it commits; and replicas, which fall behind"
        code = Code.WHOLE if whole else Code.ROWS
        yield Finding(code, revision, table, cause, hits, instead(seen.sql))


def _of_locks(revision: str, watch: Watch, number: int, seen: Seen) -> Iterator[Finding]:
    if _EXPLICIT.match(seen.sql):
        table = next(iter(seen.locks), "")
        cause = f"an explicit lock is held across all that follows: {_short(seen.sql)}"
        yield Finding(Code.EXPLICIT, revision, table, cause, _hits(_READERS_TOO, table), instead(seen.sql))
    before = watch.seen[number - 1].locks if number else {}
    work = set(seen.read) | set(seen.changed) | set(seen.rewritten)
    for table in before:
        if work - {table}:
            busy = ", ".join(sorted(work - {table}))
            cause = f"{before[table]} on {table} is held while rows of {busy} are worked on: {_short(seen.sql)}"
            rewrite = "two revisions: a transaction that locks a table does nothing else"
            yield Finding(Code.ACROSS, revision, table, cause, _hits(before[table], table), rewrite)
    for table in sorted(set(seen.locks) - set(before)) if before else ():
        cause = f"{table} is locked while {', '.join(sorted(before))} is locked already: {_short(seen.sql)}"
        rewrite = "a revision for each table: who locks several can be in a deadlock with others"
        yield Finding(Code.SEVERAL, revision, table, cause, "whoever uses them in the other order", rewrite)


def _held_long(revision: str, watch: Watch) -> Iterator[Finding]:
    for table in sorted({table for seen in watch.seen for table in seen.locks}):
        since = watch.held_since(table)
        seconds = sum(seen.seconds for seen in watch.seen[since:])
        if seconds > LONG_SECONDS:
            lock = watch.seen[-1].locks.get(table) or _READERS_TOO
            cause = f"{lock} on {table} is held for {seconds:.1f} s, on a table with {watch.rows.get(table, 0)} rows"
            yield Finding(Code.LONG, revision, table, cause, _hits(lock, table), "do what takes long without the lock")


def instead(sql: str) -> str:
    """What to write instead of a statement."""
    for pattern, rewrite in _REWRITES:
        if re.search(pattern, sql, re.IGNORECASE):
            return rewrite
    return "a helper of midflight.expand or midflight.contract"


def _hits(lock: str, table: str) -> str:
    who = "reads or writes" if lock == _READERS_TOO else "writes to"
    return f"who {who} {table}: they wait until it is done"


def _short(sql: str) -> str:
    return sql if len(sql) <= 100 else f"{sql[:97]}…"
