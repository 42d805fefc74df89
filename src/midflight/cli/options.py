"""Options that many commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

ConfigFile = Annotated[
    Path | None,
    Parameter(name="--config", help="The configuration file; else MIDFLIGHT_CONFIG, else ./midflight.toml."),
]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Answer in JSON, for machines.")]

DryRun = Annotated[
    bool, Parameter(name="--dry-run", negative="", show_default=False, help="Print the SQL, and execute nothing.")
]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


def seconds(text: str) -> float:
    """Read a duration: ``10``, ``10s``, ``1.5m``, ``2h``. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|[smhd]?)", text.strip())
    if match is None:
        raise ValueError(f"received {text!r}, expected a duration like 10s, 30m or 2h")
    return float(match[1]) * _UNITS[match[2]]


class Duration(float):
    """Seconds, written as 10, 10s, 30m or 2h."""


def _rows(_type: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    if not re.fullmatch(r"[0-9]{1,9}", text) or not int(text):
        raise ValueError(f"received {text!r}, expected a whole number of rows from 1 to 999999999")
    return int(text)


Rows = Annotated[int | None, Parameter(name=("-n", "--rows"), converter=_rows, allow_leading_hyphen=True)]
NumberOfRows = Annotated[int | None, Parameter(converter=_rows, allow_leading_hyphen=True)]
"""The same under the name of the setting that it is."""


def _convert(_type: Any, tokens: Sequence[Token]) -> Duration:
    return Duration(seconds(tokens[0].value))


Wait = Annotated[
    Duration, Parameter(converter=_convert, allow_leading_hyphen=True, show_default=lambda value: f"{value:g}s")
]
MaybeWait = Annotated[Duration | None, Parameter(converter=_convert, allow_leading_hyphen=True)]
