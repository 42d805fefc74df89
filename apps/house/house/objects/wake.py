"""Wakes: who woke which machine, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Self
from uuid import UUID, uuid4

from house import kept
from house.rights import WATCHER
from house.states import Cause
from midflight import Context, ObjectList, VersionedObject, field, from_row, remotable, types

MOST = 10_000
SOON = timedelta(seconds=30)
"""Within these after a wake, an agent has said that its machine is awake, if it is heard."""


class Wake(VersionedObject, version="1.0"):
    """One wake of a machine: asked for then by whom, for this port, awake then after so many tries. ``awake_at`` is
    None while it has not woken. Times are those of the watcher that woke it."""

    id: int | None = None
    uuid: UUID = field(default_factory=uuid4, read_only=True)
    machine: str = field(read_only=True)
    cause: Cause = field(default=Cause.DEMAND, fallback=Cause.UNKNOWN)
    requester_mac: types.MacAddress | None = None
    requester_address: IPv4Address | IPv6Address | None = None
    requester_name: str | None = None
    port: int | None = None
    asked_at: datetime
    awake_at: datetime | None = None
    tries: int = 0

    @remotable(allow=WATCHER)
    async def report(self) -> None:
        """Have it kept. A watcher wakes first and reports afterwards, as often as it takes: what is reported again is
        brought up to date, by its ``uuid``. The wake of a machine that the house has forgotten is kept too."""
        await self.context.db.write(kept.wakes.keep, self)
        self.reset_changes()

    @property
    def took_seconds(self) -> float | None:
        """From the first request until it was awake."""
        return None if self.awake_at is None else (self.awake_at - self.asked_at).total_seconds()


class WakeList(ObjectList[Wake], version="1.0"):
    """Wakes, the latest first."""

    @classmethod
    @remotable
    async def latest(cls, context: Context, machine: str | None = None, limit: int = 50) -> Self:
        """The last so many of a machine, or of the house; at most 10 000."""
        return cls._of(context, await context.db.read(kept.wakes.latest, machine, min(max(limit, 0), MOST)))

    @classmethod
    def _of(cls, context: Context, found: Iterable[kept.rows.Row]) -> Self:
        return from_row(cls, {}, objects=[from_row(Wake, row, context=context) for row in found], context=context)
