"""What is kept. The revisions under ``schema/`` lead here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import JSON, Boolean, Column, DateTime, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint

metadata = MetaData()

flavors = Table(
    "flavors",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("memory_mb", Integer, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("root_gb", Integer, nullable=False),
    Column("description", String(255)),
)

instances = Table(
    "instances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("user_id", String(255)),
    Column("project_id", String(255), index=True),
    Column("display_name", String(255), nullable=False),
    Column("host", String(255), index=True),
    Column("vm_state", String(32), nullable=False),
    Column("task_state", String(32)),
    Column("request_id", String(64)),
    Column("power_state", String(32), nullable=False),
    Column("launch_index", Integer),
    Column("scheduled_at", DateTime),
    Column("launched_at", DateTime),
    Column("terminated_at", DateTime),
    Column("locked", Boolean, nullable=False),
    Column("locked_by", String(255)),
    Column("access_ip_v4", String(15)),
    Column("access_ip_v6", String(39)),
    Column("reboots", Integer, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("updated_at", DateTime),
    Column("flavor", JSON(none_as_null=True)),
    Column("paused_at", DateTime),
)

security_groups = Table(
    "security_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("description", String(255), nullable=False),
    Column("user_id", String(255)),
    Column("project_id", String(255), nullable=False),
    UniqueConstraint("project_id", "name"),
)

security_group_instances = Table(
    "security_group_instances",
    metadata,
    Column("security_group_id", Integer, ForeignKey("security_groups.id"), primary_key=True),
    Column("instance_uuid", String(36), ForeignKey("instances.uuid"), primary_key=True, index=True),
)


def columns(values: dict[str, Any]) -> dict[str, Any]:
    """Fields as columns take them: addresses, UUIDs and states as text, times as they are."""
    plain: dict[str, Any] = msgspec.to_builtins(values, builtin_types=(datetime,), enc_hook=str)
    return plain


def now() -> datetime:
    """This moment. Times are kept in UTC."""
    return datetime.now(UTC)
