"""All revisions of a project, tried out one after the other on a scratch PostgreSQL that is filled with rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from alembic.script.base import Script
from sqlalchemy import Engine, MetaData

from midflight.db import catalogue
from midflight.db.engine import create, parse
from midflight.db.lint.compatible import incompatible
from midflight.db.lint.constraints import Constraint, constraints, forbidden, invalid
from midflight.db.lint.facts import TableFacts
from midflight.db.lint.finding import Code, Finding, Severity, waived
from midflight.db.lint.judge import judge
from midflight.db.lint.observe import Watch, watching
from midflight.db.lint.rows import fill
from midflight.db.lint.squawk import squawk
from midflight.db.schema.finish import broken, finish
from midflight.db.schema.frozen_tables import FrozenTables
from midflight.db.schema.line import Line, contract_files, own_line, project_line, run_removal, sql_of
from midflight.db.schema.run import Run
from midflight.db.schema.session import Session
from midflight.errors import MidflightError, SchemaBroken


@dataclass(frozen=True)
class Linted:
    """One revision, by the digest of its file, and what was found in it."""

    revision: str
    branch: str
    digest: str
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        return sum(finding.severity is Severity.ERROR for finding in self.findings)


@dataclass(frozen=True)
class _Before:
    """How the schema stood before a revision."""

    things: set[str]
    constraints: dict[tuple[str, str], Constraint]


class Linter:
    """Lints the revisions of a schema folder. ``url`` is of an empty database of PostgreSQL's, which is used up.

    ``releases`` are those that may be there beside this code (the skew window), ``own`` is this code's tables; a
    release is held against a revision if all that it uses was there before.
    """

    def __init__(
        self, url: str, schema: Path, releases: Sequence[FrozenTables], own: FrozenTables | None = None, *,
        facts: Mapping[str, TableFacts] | None = None, today: date,
    ) -> None:  # fmt: skip
        self._url, self._releases, self._own = parse(url), tuple(releases), own
        self._facts, self._today = facts or {}, today
        self._expand = project_line(schema, MetaData())
        contracts = contract_files(schema)
        self._contracts = contracts.line if contracts else []

    def run(self) -> list[Linted]:
        """Try all of them, in order, those of the contract branch last. One that fails ends it."""
        linted: list[Linted] = []
        own = own_line()
        for script in own.files.line:
            with self._session() as session, session.transaction(writes=True) as connection:
                own.apply(connection, script, Run(script.revision, "expand"))
        ways = [(script, "expand") for script in self._expand.files.line]
        for script, branch in [*ways, *((script, "contract") for script in self._contracts)]:
            found = list(self._try(script, branch))
            weighed = [finding.weighed(self._facts) for finding in found]
            findings = waived(weighed, script.revision, script.module, self._today)
            linted.append(Linted(script.revision, branch, digest_of(script), tuple(findings)))
            if any(finding.code is Code.FAILS for finding in found):
                break
        return linted

    def _try(self, script: Script, branch: str) -> Iterator[Finding]:
        before = self._filled(script.revision)
        yield from before[1]
        watch, failure = self._watched(script, branch)
        if failure:
            rewrite = "mend it; what cannot run in a transaction is for the helpers"
            yield Finding(Code.FAILS, script.revision, "", failure, "whoever applies it", rewrite)
            return
        yield from judge(script.revision, watch, branch)
        yield from squawk(script.revision, _text(script, branch))
        yield from self._afterwards(script.revision, branch, before[0])

    def _filled(self, revision: str) -> tuple[_Before, list[Finding]]:
        with self._session() as session, session.transaction(writes=True) as connection:
            barren = fill(connection)
            before = _Before(catalogue.things(connection), constraints(connection))
        unseen = [
            Finding(
                Code.UNSEEN, revision, table, f"no rows could be made for {table}: what takes long is not seen there",
                f"nobody; what is done to {table} is untried", "widen its checks, or read the revision with care",
            )
            for table in barren
        ]  # fmt: skip
        return before, unseen

    def _watched(self, script: Script, branch: str) -> tuple[Watch, str]:
        run, watch = Run(script.revision, branch), Watch()
        try:
            with broken(script.revision), self._session() as session:
                with session.transaction(writes=True) as connection, watching(connection) as watch:
                    if branch == "expand":
                        self._expand.apply(connection, script, run)
                    else:
                        run_removal(connection, script, run)
                for number, step in enumerate(run.steps):
                    finish(session, script.revision, number, step)
        except SchemaBroken as wrong:
            return watch, wrong.reason
        except MidflightError as wrong:
            return watch, str(wrong)
        return watch, ""

    def _afterwards(self, revision: str, branch: str, before: _Before) -> Iterator[Finding]:
        with self._session() as session, session.transaction(writes=True) as connection:
            things, after = catalogue.things(connection), constraints(connection)
            yield from invalid(revision, after)
            if branch == "expand":
                yield from forbidden(revision, before.constraints, after, before.things)
                yield from _removed(revision, before.things - things)
            for release in self._holding(branch, before.things, things):
                yield from incompatible(connection, revision, release)

    def _holding(self, branch: str, before: set[str], after: set[str]) -> Iterator[FrozenTables]:
        """Those that worked before, and are still to work."""
        wanted = self._releases if branch == "expand" else (self._own,) if self._own else ()
        for release in wanted:
            if release.things <= before:
                yield release

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A connection that nobody has used."""
        engine: Engine = create(self._url)
        try:
            with engine.connect() as connection:
                session = Session(connection)
                session.set("max_parallel_maintenance_workers", "0")  # what they read is not counted
                yield session
        finally:
            engine.dispose()


def digest_of(script: Script) -> str:
    """16 hexadecimal digits that stand for what a revision's file says."""
    return hashlib.sha256(Path(script.path).read_bytes()).hexdigest()[:16]


def lines_of(schema: Path) -> list[tuple[Script, str]]:
    """All revisions of a schema folder, each with its branch, in the order in which they are linted."""
    expand: Line = project_line(schema, MetaData())
    contracts = contract_files(schema)
    line = contracts.line if contracts else []
    return [*((script, "expand") for script in expand.files.line), *((script, "contract") for script in line)]


def _removed(revision: str, lost: set[str]) -> Iterator[Finding]:
    gone = sorted(thing for thing in lost if thing.startswith(("table", "column")))
    if gone:
        cause, hits = f"it removes {', '.join(gone)}", "every process of an older release, at once"
        rewrite = "contract.drop_column or drop_table, in contract/: applied when nobody is left who needs it"
        yield Finding(Code.REMOVES, revision, "", cause, hits, rewrite)


def _text(script: Script, branch: str) -> str:
    try:
        return sql_of(script, "postgresql", Run(script.revision, branch))
    except Exception:  # noqa: BLE001  # a revision that reads has no text
        return ""
