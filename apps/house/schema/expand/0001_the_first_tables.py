"""Machines, what is decided about them, and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Seven tables."""
    op.create_table(
        "machines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("mac", sa.String(17), nullable=False, unique=True),
        sa.Column("addresses", sa.JSON, nullable=False),
        sa.Column("interface", sa.String(15)),
        sa.Column("vlan", sa.Integer),
        sa.Column("watcher", sa.String(63)),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("wake_ports", sa.JSON, nullable=False),
        sa.Column("ping_wakes", sa.Boolean, nullable=False),
        sa.Column("wakes_per_hour", sa.Integer, nullable=False),
        sa.Column("shortest_awake_seconds", sa.Float, nullable=False),
        sa.Column("watts", sa.Float, nullable=False),
        sa.Column("watts_asleep", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.DateTime),
        sa.Column("because", sa.JSON, nullable=False),
        sa.Column("last_wake", sa.DateTime),
        sa.Column("seen_at", sa.DateTime),
        sa.Column("flag_armed", sa.Boolean),
        sa.Column("planned_wake", sa.DateTime),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("machine", sa.String(63), index=True),
        sa.Column("until", sa.DateTime, nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("who", sa.String(255), nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "aways",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("until", sa.DateTime, nullable=False),
        sa.Column("who", sa.String(255), nullable=False),
        sa.Column("made_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "rules",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("machine", sa.String(63), index=True),
        sa.Column("days", sa.JSON, nullable=False),
        sa.Column("begins", sa.Time, nullable=False),
        sa.Column("ends", sa.Time, nullable=False),
        sa.Column("zone", sa.String(63), nullable=False),
        sa.Column("wakes", sa.Boolean, nullable=False),
        sa.Column("note", sa.String(255), nullable=False),
    )
    op.create_table(
        "requesters",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("mac", sa.String(17), nullable=False),
        sa.Column("machine", sa.String(63), index=True),
        sa.Column("ignored", sa.Boolean, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
    )
    op.create_table(
        "wakes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.String(36), nullable=False, unique=True),
        sa.Column("machine", sa.String(63), nullable=False, index=True),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("requester_mac", sa.String(17)),
        sa.Column("requester_address", sa.String(45)),
        sa.Column("requester_name", sa.String(255)),
        sa.Column("port", sa.Integer),
        sa.Column("asked_at", sa.DateTime, nullable=False, index=True),
        sa.Column("awake_at", sa.DateTime),
        sa.Column("tries", sa.Integer, nullable=False),
    )
    op.create_table(
        "naps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("machine", sa.String(63), nullable=False, index=True),
        sa.Column("because", sa.JSON, nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("fell_at", sa.DateTime, nullable=False, index=True),
        sa.Column("woke_at", sa.DateTime),
    )
