"""What is kept. The revisions under ``schema/`` lead here."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table, Text

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("words", Integer),
    Column("state", String(20), nullable=False, index=True),
    Column("result", Text),
)
