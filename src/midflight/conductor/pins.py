"""Pins: what one means, and their rows. A pin is a release's manifest, set for a topic or for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from midflight.conductor import manifests
from midflight.db import journal
from midflight.db.clock import now
from midflight.db.epoch import current_epoch, next_epoch
from midflight.db.tables import pins
from midflight.errors import UsageError
from midflight.versions import Manifest, Release, Version

EVERY_TOPIC = "*"
AUTO = "auto"


def pinned_manifest(topic: str, release: str, releases: Sequence[Release]) -> Manifest:
    """The manifest of a release by name, or by a bare number: the oldest release that has this version of the topic.

    ``releases`` are frozen, oldest first. Raises UsageError that names the known ones.
    """
    named = {known.name: known.manifest for known in releases}
    if release in named:
        return named[release]
    if _is_number(release) and topic != EVERY_TOPIC:
        return _numbered(topic, Version.parse(release), releases)
    known = ", ".join(named) or "none: freeze one"
    raise UsageError(reason=f"received pin {release!r} for topic {topic!r}, expected a frozen release: {known}")


def _is_number(release: str) -> bool:
    try:
        Version.parse(release)
    except ValueError:
        return False
    return True


def _numbered(topic: str, version: Version, releases: Sequence[Release]) -> Manifest:
    for release in releases:
        if release.manifest.get(topic) == version:
            return release.manifest
    known = ", ".join(f"{r.name} {r.manifest[topic]}" for r in releases if topic in r.manifest) or "none"
    raise UsageError(reason=f"received pin {version} for topic {topic!r}, which no frozen release has: {known}")


@dataclass(frozen=True, slots=True)
class Pin:
    """One pin that is set. ``manifest`` is a digest."""

    topic: str
    release: str
    manifest: str


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
