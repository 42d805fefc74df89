"""The raw files of one run: what was seen, written while it was seen, one JSON object a line.

Everything in the report is computed from these files, the machines' count files, the services' own logs and the
rows. All times are seconds of the machine's monotonic clock, which all its processes share.

    load.jsonl      one line per request of the load client
    fleet.jsonl     what the supervisor did to which process
    steps.jsonl     when each step of the road began and ended
    commands.jsonl  every midflight command: what was said, what it said, its exit code
    witness.jsonl   what the observer looked up from outside: read-backs, processes, records
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

TOO_LATE = 2000.0
"""Milliseconds after which an answer does not count any more."""

WRITES = ("create", "resize", "reboot", "migrate", "delete")
PAUSES = ("pause", "resume")
"""What only the last release can be asked: no part of the steady load."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the load client: ``want`` is what a write asked for, ``saw`` what a read was told."""

    t: float
    ms: float
    op: str
    status: int
    uuid: str = ""
    want: dict[str, Any] = field(default_factory=dict)
    saw: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def end(self) -> float:
        """When the answer was here."""
        return self.t + self.ms / 1000

    @property
    def acknowledged(self) -> bool:
        """A 2xx came, however late: the promise holds."""
        return 200 <= self.status < 300

    @property
    def failed(self) -> bool:
        """A reset, a non-2xx answer, or one that came too late."""
        return not self.acknowledged or self.ms > TOO_LATE

    @property
    def uncertain(self) -> bool:
        """Neither acknowledged nor refused: it may have had its effect, or not."""
        return self.status == 0 or self.status >= 500


class Journal:
    """A raw file that is being written: whole lines, each flushed at once."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", buffering=1)

    def write(self, **facts: Any) -> None:
        """Add one line; ``t`` is now unless it is given."""
        self._file.write(json.dumps({"t": round(time.monotonic(), 4), **facts}) + "\n")

    def close(self) -> None:
        """The file is complete."""
        self._file.close()


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a raw file. What is not JSON is passed over: a log may hold a warning of the interpreter,
    a file that is being written half a line."""
    if not path.exists():
        return
    with path.open(errors="replace") as file:
        yield from _objects(file)


def requests(path: Path) -> list[Request]:
    """The load client's log, in order of sending."""
    return sorted((Request(**line) for line in lines(path)), key=lambda request: request.t)


class Tail:
    """Reads what was added to a raw file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def fresh(self) -> list[dict[str, Any]]:
        """The objects of the whole lines that are new; see ``lines`` for what is passed over."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return list(_objects(whole.decode(errors="replace").splitlines()))


def _objects(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    for text in texts:
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
