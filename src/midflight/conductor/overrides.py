"""Overrides: the pins of a member's own configuration, ``[upgrade_levels]``, which go before those of the fleet."""

from __future__ import annotations

from collections.abc import Sequence

from midflight.conductor import pins
from midflight.config import Config
from midflight.errors import ConfigError, UsageError
from midflight.project import Project
from midflight.spelling import meant
from midflight.versions import Manifest


def of(config: Config, project: Project, topics: Sequence[str]) -> dict[str, Manifest | None]:
    """By topic, the manifest to send under, or None: as the fleet's pins say. Raises ConfigError, with the entry."""
    return {topic: _override(topic, release, project, config, topics) for topic, release in config.levels.items()}


def _override(topic: str, release: str, project: Project, config: Config, topics: Sequence[str]) -> Manifest | None:
    where = f"[upgrade_levels] {topic}"
    if topic not in (pins.EVERY_TOPIC, *topics):
        reason = f"no such topic; expected one of {', '.join(topics)}{meant(topic, topics)}"
        raise ConfigError(path=config.path, where=where, reason=reason)
    if release == pins.AUTO:
        return None
    try:
        return pins.pinned_manifest(topic, release, project.releases)
    except UsageError as wrong:
        raise ConfigError(path=config.path, where=where, reason=wrong.reason) from None
