"""A line of revisions: their files, how far a database has come with them, and one of them run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script.base import Script
from sqlalchemy import Connection, MetaData

from midflight.db import tables
from midflight.db.schema.files import RevisionFiles
from midflight.db.schema.run import OPTION, Run
from midflight.errors import ProjectError

_OWN_REVISIONS = Path(__file__).parent.parent / "revisions"


@dataclass(frozen=True)
class Line:
    """Revision files, the version table that says how far they have come, and the tables that they lead to."""

    files: RevisionFiles
    version_table: str
    tables: MetaData

    def heads(self, connection: Connection) -> tuple[str, ...]:
        """Where the database is."""
        return self._context(connection).get_current_heads()

    def applied(self, connection: Connection) -> list[Script]:
        """The revisions that the database has, in order."""
        pending = self.files.pending(self.heads(connection))
        return [script for script in self.files.line if script not in pending]

    def apply(self, connection: Connection, script: Script, run: Run) -> None:
        """Run one revision in the caller's transaction, and note in the version table that it was."""
        step = RevisionStep(self.files.map, script, True)
        context = self._context(connection, fn=lambda heads, context: [step], **{OPTION: run})
        _operate(context, context.run_migrations)

    def _context(self, connection: Connection, **options: Any) -> MigrationContext:
        options |= {"version_table": self.version_table, "transactional_ddl": True}
        return MigrationContext.configure(connection, opts=options)


def own_line() -> Line:
    """The framework's own tables."""
    return Line(RevisionFiles(_OWN_REVISIONS), "mf_version", tables.metadata)


def project_line(schema: Path, promised: MetaData) -> Line:
    """The expand branch of a project."""
    return Line(RevisionFiles(schema / "expand", [schema / "contract"]), "alembic_version", promised)


def contract_files(schema: Path) -> RevisionFiles | None:
    """The contract branch of a project, whose revisions depend on those of the expand branch; None where it has
    none."""
    folder = schema / "contract"
    return RevisionFiles(folder, [schema / "expand"], depends=True) if folder.is_dir() else None


def run_removal(connection: Connection, script: Script, run: Run) -> None:
    """Run a contract revision in the caller's transaction. What it has come to is not for Alembic to keep."""
    context = MigrationContext.configure(connection, opts={"transactional_ddl": True, OPTION: run})
    _operate(context, script.module.upgrade)


def names_in(script: Script, attribute: str) -> tuple[str, ...]:
    """What a revision's module says under this name: one, several or none. Raises ProjectError for anything else."""
    given = getattr(script.module, attribute, None) or ()
    if isinstance(given, str):
        return (given,)
    if not (isinstance(given, Collection) and all(isinstance(name, str) for name in given)):
        raise ProjectError(where=script.path, reason=f"received {attribute} = {given!r}, expected a name, or several")
    return tuple(given)


def sql_of(script: Script, dialect: str, run: Run) -> str:
    """The statements of a revision, as text. Nothing is executed; raises whatever a revision does that reads."""
    text = StringIO()
    options: dict[str, Any] = {"as_sql": True, "output_buffer": text, "literal_binds": True, OPTION: run}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    _operate(context, script.module.upgrade)
    return text.getvalue().strip()


def _operate(context: MigrationContext, work: Callable[[], object]) -> None:
    """Run work in which ``alembic.op`` leads to this context. After an exception Alembic would let it lead there on."""
    wrong: BaseException | None = None
    with Operations.context(context):
        try:
            work()
        except BaseException as raised:  # noqa: BLE001  # it is raised again below
            wrong = raised
    if wrong is not None:
        raise wrong
