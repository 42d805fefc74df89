"""The framework's first tables."""

import sqlalchemy as sa
from alembic import op

revision = "mf0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "mf_members",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("manifest", sa.String, nullable=False),
        sa.Column("topics", sa.JSON, nullable=False),
        sa.Column("database", sa.Boolean, nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("overrides", sa.JSON, nullable=False),
        sa.Column("beat_seconds", sa.Float, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "mf_manifests",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "mf_pins",
        sa.Column("topic", sa.String, primary_key=True),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("manifest", sa.String, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "mf_epoch",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
    )
    op.execute(sa.text("INSERT INTO mf_epoch (id, epoch) VALUES (1, 0)"))
    op.create_table(
        "mf_forms",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("form", sa.String, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "mf_data_migrations",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("cursor", sa.JSON, nullable=False),
        sa.Column("passes", sa.Integer, nullable=False),
        sa.Column("matched", sa.Integer, nullable=False),
        sa.Column("completed", sa.Integer, nullable=False),
        sa.Column("deferred", sa.JSON, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("proven_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "mf_quarantine",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "mf_journal",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("mf_journal_kind", "mf_journal", ["kind", "id"])
    op.create_index("mf_journal_at", "mf_journal", ["at"])
    op.create_table(
        "mf_schema",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mf_floor",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("store_floor", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
