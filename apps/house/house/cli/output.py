"""What a command says: lines and tables for a person, one JSON document for a machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from midflight import VersionedObject, to_json

MARKS = "$", "$changed"
"""By these, objects know each other on the wire."""


class Output:
    """Where a command writes. With ``json``, only documents are written."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json

    def say(self, text: str) -> None:
        """Write a line for a person."""
        if not self.json:
            sys.stdout.write(f"{_printable(text)}\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write aligned columns for a person."""
        if self.json:
            return
        cells = [[name.upper() for name in columns], *([_printable(cell) for cell in row] for row in rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
        for row in cells:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write(f"{'  '.join(padded).rstrip()}\n")

    def document(self, content: Any) -> None:
        """Write one JSON document for a machine; objects are what their fields are."""
        if self.json:
            plain = msgspec.to_builtins(_plain(content), enc_hook=str)
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(plain)).decode() + "\n")


def _plain(content: Any) -> Any:
    if isinstance(content, VersionedObject):
        content = to_json(content)
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items() if key not in MARKS}
    return [_plain(each) for each in content] if isinstance(content, list | tuple) else content


def _printable(text: str) -> str:
    """A peer may have chosen it: nothing in it moves a cursor."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def complain(line: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{_printable(line)}\n")
    sys.stderr.flush()


def ago(moment: datetime | None, now: datetime) -> str:
    """``3 h``; what a person needs of a duration."""
    if moment is None:
        return "-"
    seconds = max(0.0, (now - moment).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def at(moment: datetime) -> str:
    """``Thu 26 Nov 18:00``, where this machine is."""
    return f"{moment.astimezone():%a %d %b %H:%M}"
