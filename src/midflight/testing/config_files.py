"""Configuration files that processes of several releases read."""

from __future__ import annotations

from pathlib import Path

from midflight import toml
from midflight.config import Config

ENTRIES = ("project", "broker", "database", "beat_seconds", "state")
"""Those that every release has; what a later one added stays out of a file that an earlier one reads too."""


def write(config: Config) -> None:
    """Write the file that a configuration says it is from. Raises InvalidValue that names what cannot stand in it."""
    own = {name: value for name in ENTRIES if (value := getattr(config, name)) is not None}
    Path(config.path).write_text(toml.dumps({"midflight": own, "app": config.app}), encoding="utf-8")
