"""Configuration files that processes of several releases read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midflight.config import Config
from midflight.errors import InvalidValue

ENTRIES = ("project", "broker", "database", "beat_seconds", "state")
"""Those that every release has; what a later one added stays out of a file that an earlier one reads too."""

EXPECTED = "a str, bool, int or finite float, or a list or table of them"


def write(config: Config) -> None:
    """Write the file that a configuration says it is from. Raises InvalidValue that names what cannot stand in it."""
    own = {name: value for name in ENTRIES if (value := getattr(config, name)) is not None}
    tables = (f"[{name}]\n{_lines(table, f'[{name}]')}" for name, table in (("midflight", own), ("app", config.app)))
    Path(config.path).write_text("\n".join(tables), encoding="utf-8")


def _lines(table: Mapping[str, Any], where: str) -> str:
    return "".join(f"{_entry(key, value, f'{where} {key}')}\n" for key, value in table.items())


def _entry(key: object, value: Any, where: str) -> str:
    if not isinstance(key, str):
        raise InvalidValue(path=where, received=f"the key {key!r}", expected="a str")
    return f"{_scalar(key, where)} = {_toml(value, where)}"


def _toml(value: Any, where: str) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(_entry(key, each, f"{where}.{key}") for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each, f"{where}[{n}]") for n, each in enumerate(value)) + "]"
    return _scalar(value, where)


def _scalar(value: object, where: str) -> str:
    """What TOML and JSON write alike is left to the latter; but TOML has DEL escaped."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()  # half of a surrogate pair is no text
    except (TypeError, ValueError):
        text = "null"
    if text == "null":
        raise InvalidValue(path=where, received=repr(value), expected=EXPECTED)
    return text.replace("\x7f", r"\u007f")
