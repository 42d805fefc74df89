"""Configuration files that processes of several releases read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midflight.config import Config

ENTRIES = ("project", "broker", "database", "beat_seconds", "state")
"""Those that every release has; what a later one added stays out of a file that an earlier one reads too."""


def write(config: Config) -> None:
    """Write the file that a configuration says it is from."""
    own = {name: value for name in ENTRIES if (value := getattr(config, name)) is not None}
    tables = (f"[{name}]\n{_lines(table)}" for name, table in (("midflight", own), ("app", config.app)))
    Path(config.path).write_text("\n".join(tables))


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: Any) -> str:
    """What TOML and JSON write alike is left to the latter."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
