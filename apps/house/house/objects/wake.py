"""Wakes: who woke which machine, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Self
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, update

from house import moves, rows
from house.rights import WATCHER
from house.rows import Row
from house.states import Cause
from house.tables import machines, wakes
from midflight import Context, ObjectList, VersionedObject, field, from_row, remotable, to_row, types

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
        await self.context.db.write(_keep, self)
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
        return cls._of(context, await context.db.read(_latest, machine, min(max(limit, 0), MOST)))

    @classmethod
    def _of(cls, context: Context, found: Iterable[Row]) -> Self:
        return from_row(cls, {}, objects=[from_row(Wake, row, context=context) for row in found], context=context)


def _keep(connection: Connection, wake: Wake) -> None:
    values: dict[str, Any] = {name: value for name, value in to_row(wake).items() if name != "id"}
    kept = connection.execute(update(wakes).where(wakes.c.uuid == values["uuid"]).values(values))
    if not kept.rowcount:
        connection.execute(insert(wakes).values(values))
    connection.execute(delete(wakes).where(*_seemed_its_own(wake)))
    _move(connection, wake)


def _seemed_its_own(wake: Wake) -> Iterator[ColumnElement[bool]]:
    """A machine that says that it is awake before its watcher says that it woke it."""
    yield wakes.c.machine == wake.machine
    yield wakes.c.uuid != str(wake.uuid)
    yield wakes.c.cause.in_([Cause.ITSELF.value, Cause.PLANNED.value])
    yield wakes.c.asked_at.between(wake.asked_at, (wake.awake_at or wake.asked_at) + SOON)


def _move(connection: Connection, wake: Wake) -> None:
    """What it says of the machine, unless something newer is known of that."""
    at = wake.awake_at or wake.asked_at
    machine = select(machines.c.since).where(machines.c.name == wake.machine)
    found = connection.execute(machine.where(or_(machines.c.since.is_(None), machines.c.since <= at))).one_or_none()
    if found is not None:
        move = moves.begin_to_wake if wake.awake_at is None else moves.woken
        move(connection, wake.machine, at)


def _latest(connection: Connection, machine: str | None, limit: int) -> list[Row]:
    found = select(wakes).order_by(wakes.c.asked_at.desc(), wakes.c.id.desc()).limit(limit)
    if machine is not None:
        found = found.filter_by(machine=machine)
    return rows.found(connection, found)
