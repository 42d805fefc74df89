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

streams = Table(
    "streams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("source", String(255), nullable=False),
    Column("host", String(63), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("address", String(15), nullable=False, unique=True),
    Column("port", Integer, nullable=False),
)

players = Table(
    "players",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("host", String(63), nullable=False),
    Column("sink", String(255), nullable=False),
    Column("engine", String(16), nullable=False),
    Column("stream", String(63)),
    Column("volume", Integer, nullable=False),
    Column("muted", Boolean, nullable=False),
    Column("offset_ms", Float, nullable=False),
    Column("off_at", DateTime),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("players", JSON, nullable=False),
)

scenes = Table(
    "scenes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("days", JSON, nullable=False),
    Column("at", Time),
    Column("zone", String(63), nullable=False),
    Column("heeded_at", DateTime),
)

settings = Table(
    "settings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scene", String(63), nullable=False, index=True),
    Column("player", String(63), nullable=False),
    Column("stream", String(63)),
    Column("volume", Integer),
    Column("muted", Boolean),
)

sound_hosts = Table(
    "sound_hosts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("engines", JSON, nullable=False),
    Column("troubles", JSON, nullable=False),
    Column("seen_at", DateTime),
)

hearings = Table(
    "hearings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("player", String(63), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("stream", String(63)),
    Column("level_db", Float),
    Column("buffer_ms", Float),
    Column("drift_ppm", Float),
    Column("lost", Integer),
    Column("jitter_ms", Float),
    Column("underruns", Integer),
    Column("restarts", Integer, nullable=False),
    Column("why", String(255), nullable=False),
    Column("at", DateTime),
)

sendings = Table(
    "sendings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("stream", String(63), nullable=False, index=True),
    Column("engine", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("level_db", Float),
    Column("restarts", Integer, nullable=False),
    Column("title", String(255), nullable=False),
    Column("why", String(255), nullable=False),
    Column("at", DateTime),
    Column("queue", JSON, nullable=False, server_default="[]"),
)
