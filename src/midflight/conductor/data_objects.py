"""What is said about data migrations: how far they have come, what a chunk did, what a proof or a comparison found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from midflight.objects.base import VersionedObject
from midflight.objects.fields import field


class MigrationState(VersionedObject, version="1.1"):
    """How far an online data migration has come, by its last sweep and its last proof."""

    name: str
    release: str
    table: str
    state: str
    form: str
    matched: int = 0
    completed: int = 0
    deferred: int = 0
    deferred_by: dict[str, int] = field(default_factory=dict)
    """Reason → rows."""
    failed: int = 0
    proven: bool = False
    proven_at: datetime | None = None
    proven_age: float | None = None
    """Seconds since the proof, when this object was made."""
    wanted: str = field(since="1.1", default="")
    """What it does in the background: ``running``, ``paused`` or ``stopped``; empty if nobody started it there."""
    looked: int = field(since="1.1", default=0)
    """Rows that the pass under way has looked at,"""
    of: int = field(since="1.1", default=0)
    """of about so many."""


class SweepResult(VersionedObject, version="1.1"):
    """What one chunk of a data migration did."""

    name: str
    line: str
    """The result as an operator reads it: ``10 instances matched query, 10 completed``."""
    exit_code: int
    matched: int
    completed: int
    deferred: dict[str, int] = field(default_factory=dict)
    """Reason → rows."""
    failed: dict[str, str] = field(default_factory=dict)
    """Key → error."""
    more: bool = False
    proven: bool = False
    state: str = field(since="1.1", default="")
    """What the pass does: ``sweeping``, ``verifying``; ``proven`` after the last one."""
    looked: int = field(since="1.1", default=0)
    """Rows that the pass has looked at,"""
    of: int = field(since="1.1", default=0)
    """of about so many."""
    held: str = field(since="1.1", default="")
    """Why nothing was done: a throttle, a database that is away. Empty where something was."""
    braked: bool = field(since="1.1", default=False)
    """Nothing was done since the brake is on."""
    stopped: str = field(since="1.1", default="")
    """Why it had better not go on."""
    wait: float = field(since="1.1", default=0.0)
    """Seconds to wait before the next chunk, by the pace of the fleet."""


class ProofResult(VersionedObject, version="1.1"):
    """What a full scan found: rows whose stored new form does not say the same as the old one."""

    name: str
    checked: int
    disagreeing: list[str] = field(default_factory=list)
    """The first thousand of their keys."""
    proven: bool = False
    left: int = field(since="1.1", default=0)
    """How many rows they are."""
    sql: str = field(since="1.1", default="")
    """The query that counts the rows for which the migration's proof does not hold,"""
    counted: int = field(since="1.1", default=0)
    """and what it counted."""
    seconds: float = field(since="1.1", default=0.0)
    releases: dict[str, int] = field(since="1.1", default_factory=dict)
    """The releases of those who have the database open → how many they are."""
    constraint: str = field(since="1.1", default="")
    """What became of the check by which the database itself holds the proof."""


class MigrationDetail(VersionedObject, version="1.1"):
    """All that is known of one data migration, and of who migrates rows. 1.1: which rows are deferred."""

    migration: MigrationState
    errors: dict[str, int] = field(default_factory=dict)
    """Error → rows that fail with it."""
    failed: dict[str, str] = field(default_factory=dict)
    """Key → error, of the first hundred."""
    needs: dict[str, bool] = field(default_factory=dict)
    """What it needs → whether that is proven."""
    holder: str = ""
    """The member that migrates rows in the background."""
    held: str = ""
    """Why that one waits."""
    brake: bool = False
    pace: dict[str, Any] = field(default_factory=dict)
    deferred: dict[str, str] = field(since="1.1", default_factory=dict)
    """Key → reason, of the first hundred."""


class Comparison(VersionedObject, version="1.0"):
    """Rows in which both forms were compared."""

    checked: int = 0
    differing: dict[str, str] = field(default_factory=dict)
    """Key → what differs: columns, the reason of a deferral, an error."""
    after: list[Any] = field(default_factory=list)
    """Where to go on; empty at the end."""
