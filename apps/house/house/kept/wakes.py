"""The rows of wakes. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, update

from house.kept import moves, rows
from house.kept.rows import Row
from house.kept.tables import machines, wakes
from house.objects.wake import SOON, Wake
from house.states import Cause
from midflight import to_row


def keep(connection: Connection, wake: Wake) -> None:
    """A new one, or what is new of it; and what that says of the machine."""
    values: dict[str, Any] = {name: value for name, value in to_row(wake).items() if name != "id"}
    known = connection.execute(select(wakes.c.awake_at).where(wakes.c.uuid == values["uuid"])).one_or_none()
    if known is None:
        connection.execute(insert(wakes).values(values))
    elif known.awake_at is None or wake.awake_at is not None:  # else it is an earlier report that came late
        connection.execute(update(wakes).where(wakes.c.uuid == values["uuid"]).values(values))
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


def latest(connection: Connection, machine: str | None, limit: int) -> list[Row]:
    """The latest first."""
    found = select(wakes).order_by(wakes.c.asked_at.desc(), wakes.c.id.desc()).limit(limit)
    if machine is not None:
        found = found.filter_by(machine=machine)
    return rows.found(connection, found)
