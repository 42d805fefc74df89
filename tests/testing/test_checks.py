"""What the command line asks before a release, as tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from midflight.db.lint import result
from midflight.errors import ProjectError
from midflight.project import Project
from midflight.testing import db_lint, release_check
from midflight.upgrade.linting import lint
from tests.testing.shops import Disk, machine, shop

REVISION = '''"""Shelves."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """A table."""
    op.create_table("shelves", sa.Column("id", sa.Integer, primary_key=True))
'''


def test_a_release_that_peers_survive_passes(tmp_path: Path) -> None:
    """Nothing was changed since the last one."""
    release_check(shop(tmp_path, Disk, machine(version="1.0")))()


def test_a_change_that_peers_do_not_survive_fails(tmp_path: Path) -> None:
    """With the place, who breaks, and what is due."""
    test = release_check(shop(tmp_path, Disk, machine(version="1.0", cores=(str, "one"))))
    with pytest.raises(AssertionError, match=r"(?s)Machine\.cores: .*breaks  juno: .*due     "):
        test()


def test_a_schema_passes_when_its_results_are_kept(tmp_path: Path) -> None:
    """A revision that was never linted fails, and so does one that was changed afterwards; what a lint has written is
    what is found again."""
    schema = tmp_path / "schema"
    (schema / "expand").mkdir(parents=True)
    (schema / "contract").mkdir()
    (schema / "expand/0001_shelves.py").write_text(REVISION)
    (schema / "expand/HEAD").write_text("0001\n")
    project = Project("store", schema=schema)
    test = db_lint(project)
    with pytest.raises(AssertionError, match=r"linted\.toml does not know revision 0001"):
        test()
    result.write(schema, lint(project, schema).linted)
    test()


def test_a_revision_that_hurts_fails(tmp_path: Path) -> None:
    """With its cause, whom it hits, and what to write instead."""
    schema = tmp_path / "schema"
    (schema / "expand").mkdir(parents=True)
    (schema / "contract").mkdir()
    hurting = REVISION + '    op.execute("LOCK TABLE shelves IN ACCESS EXCLUSIVE MODE")\n    op.drop_table("shelves")\n'
    (schema / "expand/0001_shelves.py").write_text(hurting)
    (schema / "expand/HEAD").write_text("0001\n")
    with pytest.raises(AssertionError, match=r"(?s)expand 0001: .*\n  hits     .*\n  instead  "):
        db_lint(Project("store", schema=schema))()


def test_a_project_without_revisions_has_nothing_to_lint() -> None:
    """It is told so where the test is made, not when it runs."""
    with pytest.raises(ProjectError, match=r"has no revisions to lint"):
        db_lint(Project("store"))
