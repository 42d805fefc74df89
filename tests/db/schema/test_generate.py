"""A pair of revisions is written from what the tables in the code have and the revisions do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table

from midflight.db.schema.files import RevisionFiles
from midflight.db.schema.generate import generate, missing
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import ProjectError, UsageError
from tests.db.schema.folders import juno_schema, juno_tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return juno_schema(tmp_path / "schema")


def liberty_tables() -> MetaData:
    """Another column, an index and a table; no host any more, and no flavors."""
    metadata = MetaData()
    instances = Table(
        "instances",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("node", String(40), nullable=False),
        Column("locks", Integer, nullable=False, server_default="0"),
    )
    Index("ix_node", instances.c.node)
    disks = Table("disks", metadata, Column("id", Integer, primary_key=True), Column("at", ForeignKey("instances.id")))
    Index("ix_at", disks.c.at)
    return metadata


def body(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.strip() for line in lines[lines.index("def upgrade() -> None:") + 2 :] if line.strip()]


def test_the_pair(database_url: str, folder: Path) -> None:
    """What adds goes into expand/, what takes away and forbids into contract/, which depends on it."""
    expand, contract = generate(folder, "Nodes & disks", missing(database_url, folder, liberty_tables(), "kilo"))
    assert (expand.name, contract.name) == ("0002_nodes_disks.py", "0002c_nodes_disks.py")
    lines = body(expand)
    assert "expand.add_column('instances', sa.Column('node', sa.String(length=40), nullable=True))" in lines
    assert "expand.add_index('ix_node', 'instances', ['node'])" in lines
    assert "op.create_index('ix_at', 'disks', ['at'], unique=False)" in lines
    assert body(contract) == [
        "contract.drop_table('flavors')",
        "contract.set_not_null('instances', 'node')",
        "contract.drop_column('instances', 'host')",
    ]
    assert ('revision = "0002c"' in contract.read_text(), 'depends_on = "0002"' in contract.read_text()) == (True, True)
    assert [(folder / name / "HEAD").read_text() for name in ("expand", "contract")] == ["0002\n", "0002c\n"]


def test_what_was_written_leads_to_the_tables(database_url: str, folder: Path) -> None:
    """Applied, there is nothing left to write; the next pair goes on from its heads."""
    generate(folder, "nodes", missing(database_url, folder, liberty_tables(), "kilo"))
    SchemaRunner(database_url, folder, liberty_tables(), "kilo").expand()
    with pytest.raises(UsageError, match="lead to these tables already"):
        generate(folder, "again", missing(database_url, folder, liberty_tables(), "kilo"))
    expand, contract = generate(folder, "by hand")
    assert 'down_revision = "0002"' in expand.read_text()
    assert 'down_revision = "0002c"' in contract.read_text()
    assert (body(expand), body(contract)) == (["pass"], ["pass"])


def test_nothing_to_contract(database_url: str, folder: Path) -> None:
    """Where nothing is taken away, there is one revision."""
    tables = juno_tables()
    tables.tables["instances"].append_column(Column("more", Integer))
    (expand,) = generate(folder, "more", missing(database_url, folder, tables, "kilo"))
    assert body(expand) == ["expand.add_column('instances', sa.Column('more', sa.Integer(), nullable=True))"]


def test_two_who_add_a_revision_at_once(folder: Path) -> None:
    """Each changes the file HEAD, so their merge is a conflict; one that is merged wrongly is named."""
    generate(folder, "mine")
    (folder / "expand" / "0002_mine.py").unlink()
    with pytest.raises(ProjectError, match=r"expand/HEAD: it says '0002', and the revisions lead to 0001"):
        RevisionFiles(folder / "expand")


def test_a_message_without_words(folder: Path) -> None:
    """It would give a file without a name."""
    with pytest.raises(UsageError, match="expected some words"):
        generate(folder, " -- ")
