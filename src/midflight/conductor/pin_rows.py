"""The rows of pins: which are set, since which epoch."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from midflight.conductor import manifests
from midflight.conductor.pins import Pin
from midflight.db import journal
from midflight.db.clock import now
from midflight.db.epoch import current_epoch, next_epoch
from midflight.db.tables import pins
from midflight.versions import Manifest


def current(connection: Connection) -> list[Pin]:
    """The pins that are set now, by topic."""
    wanted = select(pins.c.topic, pins.c.release, pins.c.manifest).order_by(pins.c.topic)
    return [Pin(*row) for row in connection.execute(wanted)]


def set_pin(connection: Connection, topic: str, release: str, manifest: Manifest) -> int:
    """Pin a topic. Returns the epoch in which the pin holds: a new one, unless it was set just so already."""
    pin = Pin(topic, release, manifests.keep(connection, manifest))
    if pin in current(connection):
        return current_epoch(connection)
    epoch = next_epoch(connection)
    connection.execute(delete(pins).where(pins.c.topic == topic))
    row = {"topic": topic, "release": release, "manifest": pin.manifest}
    connection.execute(insert(pins).values(**row, epoch=epoch, set_at=now()))
    journal.write(connection, "pin.set", row | {"epoch": epoch})
    return epoch


def clear_pin(connection: Connection, topic: str) -> int:
    """Take a pin away. Returns the epoch in which it no longer holds: a new one, unless there was none."""
    if connection.execute(delete(pins).where(pins.c.topic == topic)).rowcount == 0:
        return current_epoch(connection)
    epoch = next_epoch(connection)
    journal.write(connection, "pin.cleared", {"topic": topic, "epoch": epoch})
    return epoch
