"""Flavors, instances and security groups."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Five tables."""
    op.create_table(
        "flavors",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("vcpus", sa.Integer, nullable=False),
        sa.Column("root_gb", sa.Integer, nullable=False),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.String(36), nullable=False, unique=True),
        sa.Column("user_id", sa.String(255)),
        sa.Column("project_id", sa.String(255), index=True),
        sa.Column("display_name", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), index=True),
        sa.Column("vm_state", sa.String(32), nullable=False),
        sa.Column("task_state", sa.String(32)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("power_state", sa.String(32), nullable=False),
        sa.Column("launch_index", sa.Integer),
        sa.Column("scheduled_at", sa.DateTime),
        sa.Column("launched_at", sa.DateTime),
        sa.Column("terminated_at", sa.DateTime),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("access_ip_v4", sa.String(15)),
        sa.Column("access_ip_v6", sa.String(39)),
        sa.Column("reboots", sa.Integer, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime),
    )
    op.create_table(
        "instance_system_metadata",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), nullable=False, index=True),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("value", sa.String(255), nullable=False),
    )
    op.create_table(
        "security_groups",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "security_group_instances",
        sa.Column("security_group_id", sa.Integer, sa.ForeignKey("security_groups.id"), primary_key=True),
        sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), primary_key=True, index=True),
    )
