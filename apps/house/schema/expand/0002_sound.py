"""Streams, rooms, what is patched to what, and what they really do."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Eight tables."""
    op.create_table(
        "streams",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("host", sa.String(63), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("address", sa.String(15), nullable=False, unique=True),
        sa.Column("port", sa.Integer, nullable=False),
    )
    op.create_table(
        "players",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("host", sa.String(63), nullable=False),
        sa.Column("sink", sa.String(255), nullable=False),
        sa.Column("engine", sa.String(16), nullable=False),
        sa.Column("stream", sa.String(63)),
        sa.Column("volume", sa.Integer, nullable=False),
        sa.Column("muted", sa.Boolean, nullable=False),
        sa.Column("offset_ms", sa.Float, nullable=False),
        sa.Column("off_at", sa.DateTime),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("players", sa.JSON, nullable=False),
    )
    op.create_table(
        "scenes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("days", sa.JSON, nullable=False),
        sa.Column("at", sa.Time),
        sa.Column("zone", sa.String(63), nullable=False),
        sa.Column("heeded_at", sa.DateTime),
    )
    op.create_table(
        "settings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("scene", sa.String(63), nullable=False, index=True),
        sa.Column("player", sa.String(63), nullable=False),
        sa.Column("stream", sa.String(63)),
        sa.Column("volume", sa.Integer),
        sa.Column("muted", sa.Boolean),
    )
    op.create_table(
        "sound_hosts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("engines", sa.JSON, nullable=False),
        sa.Column("troubles", sa.JSON, nullable=False),
        sa.Column("seen_at", sa.DateTime),
    )
    op.create_table(
        "hearings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("player", sa.String(63), nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stream", sa.String(63)),
        sa.Column("level_db", sa.Float),
        sa.Column("buffer_ms", sa.Float),
        sa.Column("drift_ppm", sa.Float),
        sa.Column("lost", sa.Integer),
        sa.Column("jitter_ms", sa.Float),
        sa.Column("underruns", sa.Integer),
        sa.Column("restarts", sa.Integer, nullable=False),
        sa.Column("why", sa.String(255), nullable=False),
        sa.Column("at", sa.DateTime),
    )
    op.create_table(
        "sendings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("stream", sa.String(63), nullable=False, index=True),
        sa.Column("engine", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("level_db", sa.Float),
        sa.Column("restarts", sa.Integer, nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("why", sa.String(255), nullable=False),
        sa.Column("at", sa.DateTime),
    )
