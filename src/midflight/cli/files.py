"""Files that a command is given."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from midflight.errors import UsageError


def table_of(path: Path, name: str) -> dict[str, Any]:
    """One table of a TOML file, which must have entries. Raises UsageError that says what is wrong with the file."""
    try:
        found = tomllib.loads(path.read_text()).get(name)
    except OSError as wrong:
        raise UsageError(reason=f"{path} cannot be read: {wrong.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise UsageError(reason=f"{path} is no TOML: {wrong}") from None
    if not isinstance(found, dict) or not found:
        raise UsageError(reason=f"{path} has no entries in [{name}]")
    return found
