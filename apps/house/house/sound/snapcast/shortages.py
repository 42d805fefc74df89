"""How often a snapclient had nothing to play: it says so in its log, and nowhere else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILTER = "Stream:info,PulsePlayer:info"
"""What it is to write: a few lines when it begins, and one each second while it has nothing."""
_SHORT = re.compile(rb"\((?:Stream|PulsePlayer)\) (?:No chunks available|Exception: Not enough frames|undeflow #)")
"""Nothing has come, less than was needed, or PulseAudio did not get it in time: 0.26 to 0.34 say it so."""
BEGINNING = timedelta(seconds=3)
"""A client that has just begun has nothing yet, and that is no shortage."""
_TIME, _TIME_LENGTH = "%Y-%m-%d %H-%M-%S.%f", len("2026-11-26 17-07-36.997")


class Shortages:
    """Of the clients that write this file, one after the other: each begins it anew."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._first, self._read, self._count = b"", 0, 0

    def count(self) -> int | None:
        """Since it was asked first, and of the client that was there by then; None where nothing is written."""
        try:
            with self._file.open("rb") as file:
                first = file.readline()
                if first != self._first:
                    self._first, self._read = first, 0
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # the rest of it is on its way
                    self._read += len(line)
                    self._count += self._tells_of_one(line)
        except OSError:
            return None
        return self._count if first else None

    def _tells_of_one(self, line: bytes) -> bool:
        if not _SHORT.search(line):
            return False
        try:
            return _time(line) - _time(self._first) > BEGINNING
        except ValueError:
            return True


def _time(line: bytes) -> datetime:
    """As on whatever clock: it is compared with another one of it."""
    return datetime.strptime(line[:_TIME_LENGTH].decode(errors="replace"), _TIME).replace(tzinfo=UTC)
