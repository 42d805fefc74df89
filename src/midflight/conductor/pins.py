"""Pins, and what one means: a release's manifest, set for a topic or for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midflight.errors import UsageError
from midflight.spelling import meant
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
    known = (", ".join(named) or "none: freeze one") + meant(release, named)
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
