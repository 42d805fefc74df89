"""Schema folders of a project, written on the fly."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import JSON, Column, Index, Integer, MetaData, String, Table

IMPORTS = """\
import os, time
from datetime import timedelta
import sqlalchemy as sa
from alembic import op
from midflight import contract, expand
"""
CREATES = """\
op.create_table("instances", sa.Column("id", sa.Integer, primary_key=True), sa.Column("host", sa.String))
    op.create_table("flavors", sa.Column("id", sa.Integer, primary_key=True))"""
ADDS = """\
op.add_column("instances", sa.Column("flavor", sa.JSON))
    op.create_index("ix_host", "instances", ["host"])"""


def add(folder: Path, revision: str, down: str | None, upgrade: str, *, extra: str = "") -> Path:
    """Write one revision file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{revision}.py"
    head = f'"""{revision}"""\n{IMPORTS}'
    facts = f"revision = {revision!r}\ndown_revision = {down!r}\n{extra}\n"
    path.write_text(f"{head}{facts}\ndef upgrade():\n    {upgrade}\n")
    return path


def juno_schema(folder: Path) -> Path:
    """One revision: instances(id, host) and flavors(id)."""
    add(folder / "expand", "0001", None, CREATES, extra="branch_labels = ('expand',)")
    return folder


def kilo_schema(folder: Path) -> Path:
    """Two revisions: kilo adds instances.flavor and an index."""
    add(juno_schema(folder) / "expand", "0002", "0001", ADDS)
    add(
        folder / "contract",
        "c0002",
        None,
        'op.drop_table("flavors")',
        extra="branch_labels = 'contract'\ndepends_on = '0002'",
    )
    return folder


def juno_tables() -> MetaData:
    metadata = MetaData()
    Table("instances", metadata, Column("id", Integer, primary_key=True), Column("host", String))
    Table("flavors", metadata, Column("id", Integer, primary_key=True))
    return metadata


def kilo_tables() -> MetaData:
    metadata = juno_tables()
    instances = metadata.tables["instances"]
    instances.append_column(Column("flavor", JSON))
    Index("ix_host", instances.c.host)
    return metadata
