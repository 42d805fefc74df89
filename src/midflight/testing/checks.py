"""What the command line asks before a release, as tests of a project's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from midflight.db.lint import result
from midflight.db.lint.finding import Finding as SchemaFinding
from midflight.db.lint.finding import Severity
from midflight.db.lint.linter import Linted
from midflight.errors import ProjectError
from midflight.project import Project
from midflight.upgrade.check import check
from midflight.upgrade.finding import Finding
from midflight.upgrade.linting import lint


def release_check(project: Project) -> Callable[[], None]:
    """A test: ``test_release = midflight.testing.release_check(project)``. It fails where `midflight release check`
    does, with each change that a peer of the skew window would not survive, what is due, and lines to paste."""

    def test_release() -> None:
        """Peers of every release in the skew window survive the code."""
        __tracebackhide__ = True
        found = check(project).findings
        if found:
            raise AssertionError("\n" + "\n".join(map(_change, found)))

    return test_release


def _change(found: Finding) -> str:
    lines = [
        f"{found.path}: {found.change} ({found.category})",
        f"  breaks  {', '.join(found.peers)}: {found.breaks}",
        f"  due     {found.due}",
        *(f"  | {line}" for line in found.suggestion.splitlines()),
    ]
    return "\n".join(lines)


def db_lint(project: Project) -> Callable[[], None]:
    """A test: ``test_schema = midflight.testing.db_lint(project)``. It tries the revisions out on a PostgreSQL that it
    starts, and fails where `midflight db lint` finds an error, or where linted.toml does not say what it finds.

    Raises ProjectError for a project without a schema. Needs the programs of PostgreSQL, and `midflight[lint]`.
    """
    schema = project.schema
    if schema is None:
        raise ProjectError(where=f"project {project.name}", reason="has no revisions to lint: Project(schema=…)")

    def test_schema() -> None:
        """No revision of the schema would hurt those who work, and what was found in each is kept."""
        __tracebackhide__ = True
        linted = lint(project, schema).linted
        if wrong := [*_errors(linted)]:
            raise AssertionError("\n" + "\n".join(wrong))
        kept = result.read(schema)
        stale = [each.revision for each in linted if kept.get(each.revision) != result.of(each)]
        if stale:
            reason = f"{result.FILE} does not know revision {', '.join(stale)}: midflight db lint, and commit it"
            raise AssertionError(reason)

    return test_schema


def _errors(linted: Sequence[Linted]) -> Iterator[str]:
    for each in linted:
        for finding in each.findings:
            if finding.severity is Severity.ERROR:
                yield _danger(each, finding)


def _danger(linted: Linted, found: SchemaFinding) -> str:
    where = f" ({found.table})" if found.table else ""
    head = f"{linted.branch} {found.revision}: {found.code}{where}: {found.cause}"
    return f"{head}\n  hits     {found.hits}\n  instead  {found.rewrite}"
