"""A pair of revisions is written from what the tables in the code have and the revisions do not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    VARCHAR,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.types import TypeEngine

from midflight.db.engine import create, parse, transaction
from midflight.db.schema.autogenerate import compare
from midflight.db.schema.files import RevisionFiles
from midflight.db.schema.generate import generate, missing
from midflight.db.schema.retype import Retyped
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import ProjectError, UsageError
from tests.db.schema.folders import add, juno_schema, juno_tables


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


def retyped_tables(size: Column[Any]) -> MetaData:
    """Juno's, with another column, and a wider host."""
    metadata = juno_tables()
    metadata.remove(metadata.tables["instances"])
    Table("instances", metadata, Column("id", Integer, primary_key=True), Column("host", Text), size)
    return metadata


def test_another_type(database_url: str, folder: Path) -> None:
    """A column of its own that is kept in step, and then takes its place: what was written by old and new releases
    meanwhile is in it. A wider text stays where it is, which SQLite need not be told."""
    size = 'op.add_column("instances", sa.Column("size", sa.Integer, nullable=False, server_default="1"))'
    add(folder / "expand", "0002", "0001", size)
    wanted = retyped_tables(Column("size", BigInteger, nullable=False, server_default="1"))
    expand, contract = generate(folder, "sizes", missing(database_url, folder, wanted, "kilo"))
    said = [line for line in body(expand) if not line.startswith("#")]
    if said[0].startswith("op."):
        assert said.pop(0).startswith("op.alter_column('instances', 'host'")
        assert not database_url.startswith("sqlite")
    assert said == [
        "expand.add_column('instances', sa.Column('size_bigint', sa.BigInteger(), nullable=True))",
        "expand.mirror_column('instances', 'size', 'size_bigint', "
        "forward='CAST({} AS BIGINT)', back='CAST({} AS INTEGER)')",
    ]
    assert body(contract) == [
        "contract.drop_column('instances', 'size', mirrored_by='size_bigint')",
        "contract.set_not_null('instances', 'size_bigint')",
    ]
    tables = retyped_tables(Column("size_bigint", BigInteger, key="size", nullable=False))
    SchemaRunner(database_url, folder, tables, "kilo").expand()
    engine = create(parse(database_url))
    with transaction(engine, writes=True) as connection:
        connection.execute(text("INSERT INTO instances (id, size) VALUES (1, 7)"))
        connection.execute(insert(tables.tables["instances"]).values(id=2, size=8))
        connection.execute(text("INSERT INTO instances (id) VALUES (3)"))
        found = connection.execute(text("SELECT size, size_bigint FROM instances ORDER BY id")).all()
    engine.dispose()
    assert [tuple(row) for row in found] == [(7, 7), (8, 8), (1, 1)]
    with pytest.raises(UsageError, match="lead to these tables already"):
        generate(folder, "again", missing(database_url, folder, tables, "kilo"))


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        (String(20), String(40), "in place"), (String(20), Text(), "in place"), (String(), Text(), "in place"),
        (VARCHAR(20, collation="C"), Text(collation="C"), "in place"),
        (SmallInteger(), Integer(), "a column"), (Integer(), Numeric(), "a column"),
        (Integer(), String(20), "a column"),
        (Float(), Text(), "a column"), (Integer(), Numeric(30, 2), "a column"),
        (String(40), String(20), "by hand"), (Text(), String(20), "by hand"), (String(), Integer(), "by hand"),
        (BigInteger(), Integer(), "by hand"), (Integer(), Numeric(10, 2), "by hand"), (Integer(), String(5), "by hand"),
        (Float(), Integer(), "by hand"), (Integer(), DateTime(), "by hand"), (Integer(), Float(), "by hand"),
        (Enum("a", "b"), Text(), "by hand"), (ENUM("a", "b", name="ab"), Text(), "by hand"),
        (String(1), Enum("a", "b"), "by hand"), (Integer(), Enum("a", "b"), "by hand"),
        (CHAR(20), VARCHAR(20), "by hand"), (VARCHAR(20), CHAR(20), "by hand"), (Integer(), CHAR(20), "by hand"),
        (VARCHAR(20), VARCHAR(20, collation="C"), "by hand"),
    ],
)  # fmt: skip
def test_which_way_a_type_changes(before: TypeEngine[Any], after: TypeEngine[Any], way: str) -> None:
    """In place where no row is looked at; by a mirror where each old value has a new one; else an old release would be
    refused a write, or lose a part of a value."""
    retyped = Retyped("t", "c", before, after)
    found = "in place" if retyped.is_wider_text else "a column" if retyped.is_safe else "by hand"
    assert found == way


def test_a_type_that_does_not_take_what_there_is(database_url: str, folder: Path) -> None:
    """What becomes of a value nobody but its author knows: the revision says so, and changes nothing."""
    add(folder / "expand", "0002", "0001", 'op.add_column("instances", sa.Column("size", sa.String(9)))')
    (expand,) = generate(
        folder, "sizes", missing(database_url, folder, retyped_tables(Column("size", Integer)), "kilo")
    )
    lines = body(expand)
    assert [line for line in lines if not line.startswith(("#", "op.alter_column('instances', 'host'"))] == []
    assert any("instances.size is to be Integer(), which may not take what is in it as it is" in line for line in lines)


def burdened_tables(number: type[TypeEngine[int]]) -> MetaData:
    """Juno's, and disks whose columns each carry something but the last."""
    metadata = juno_tables()
    metadata.remove(metadata.tables["instances"])
    Table("instances", metadata, Column("id", number, primary_key=True), Column("host", String))
    disks = Table(
        "disks", metadata,
        Column("id", Integer, primary_key=True),
        Column("at", number, ForeignKey("instances.id", name="fk_at")),
        Column("slot", number),
        Column("rank", number),
        Column("size", number),
        Column("mass", number),
        Column("speed", number),
        UniqueConstraint("at", "slot", name="ux_slot"),
        CheckConstraint("rank > 0", name="ck_rank"),
    )  # fmt: skip
    heavy = text("mass > 9")
    Index("ix_size", disks.c.size, sqlite_where=heavy, postgresql_where=heavy)
    return metadata


def test_a_column_that_carries_a_key(database_url: str) -> None:
    """With the old column its key, constraint or index would be dropped, and the new one has none: it is left to the
    author, and the revision says what there is to be brought over."""
    engine, before = create(parse(database_url)), burdened_tables(Integer)
    with transaction(engine, writes=True) as connection:
        before.create_all(connection)
        pair = compare(connection, burdened_tables(BigInteger))
    engine.dispose()
    said = re.findall(r"# (\w+\.\w+) is to be BigInteger\(\), and (.*) would go with", "\n".join(pair.expand))
    sequence = "" if database_url.startswith("sqlite") else ", its sequence"
    assert dict(said) == {
        "instances.id": f"the primary key, the foreign key fk_at of disks{sequence}",
        "disks.at": "the foreign key fk_at of disks, the unique constraint ux_slot",
        "disks.slot": "the unique constraint ux_slot",
        "disks.rank": "the check ck_rank",
        "disks.size": "the index ix_size",
        "disks.mass": "the index ix_size",
    }
    assert pair.contract == ["contract.drop_column('disks', 'speed', mirrored_by='speed_bigint')"]


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
