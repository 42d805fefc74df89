"""What is kept. The revisions under ``schema/`` lead here."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Float, Integer, MetaData, String, Table, Time

metadata = MetaData()

machines = Table(
    "machines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("mac", String(17), nullable=False, unique=True),
    Column("addresses", JSON, nullable=False),
    Column("interface", String(15)),
    Column("vlan", Integer),
    Column("watcher", String(63)),
    Column("mode", String(16), nullable=False),
    Column("wake_ports", JSON, nullable=False),
    Column("ping_wakes", Boolean, nullable=False),
    Column("wakes_per_hour", Integer, nullable=False),
    Column("shortest_awake_seconds", Float, nullable=False),
    Column("watts", Float, nullable=False),
    Column("watts_asleep", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("since", DateTime),
    Column("because", JSON, nullable=False),
    Column("last_wake", DateTime),
    Column("seen_at", DateTime),
    Column("flag_armed", Boolean),
    Column("planned_wake", DateTime),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("machine", String(63), index=True),
    Column("until", DateTime, nullable=False),
    Column("reason", String(255), nullable=False),
    Column("who", String(255), nullable=False),
    Column("made_at", DateTime, nullable=False),
)

aways = Table(
    "aways",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("until", DateTime, nullable=False),
    Column("who", String(255), nullable=False),
    Column("made_at", DateTime, nullable=False),
)

rules = Table(
    "rules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("machine", String(63), index=True),
    Column("days", JSON, nullable=False),
    Column("begins", Time, nullable=False),
    Column("ends", Time, nullable=False),
    Column("zone", String(63), nullable=False),
    Column("wakes", Boolean, nullable=False),
    Column("note", String(255), nullable=False),
)

requesters = Table(
    "requesters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mac", String(17), nullable=False),
    Column("machine", String(63), index=True),
    Column("ignored", Boolean, nullable=False),
    Column("name", String(255), nullable=False),
)

wakes = Table(
    "wakes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("machine", String(63), nullable=False, index=True),
    Column("cause", String(16), nullable=False),
    Column("requester_mac", String(17)),
    Column("requester_address", String(45)),
    Column("requester_name", String(255)),
    Column("port", Integer),
    Column("asked_at", DateTime, nullable=False, index=True),
    Column("awake_at", DateTime),
    Column("tries", Integer, nullable=False),
)

naps = Table(
    "naps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("machine", String(63), nullable=False, index=True),
    Column("because", JSON, nullable=False),
    Column("method", String(32), nullable=False),
    Column("fell_at", DateTime, nullable=False, index=True),
    Column("woke_at", DateTime),
)
