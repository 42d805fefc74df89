"""One schema change at a time: a lock on a file beside the database, which a killed process cannot leave behind."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from midflight.db.clock import now
from midflight.errors import SchemaBusy

_WRITING_SECONDS = 1.0
"""How long a new owner may take to write down who it is."""


@contextmanager
def schema_lock(database: Path) -> Iterator[None]:
    """Hold the lock of a database file for the block. Raises SchemaBusy at once, naming who holds it.

    The system frees the lock when its owner ends, in whatever way; the file itself stays.
    """
    file = os.open(f"{database}.schema-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(file)
        _sign(file)
        try:
            yield
        finally:
            os.ftruncate(file, 0)
    finally:
        os.close(file)


def _take(file: int) -> None:
    """Two tries: an owner of which there is no signature may have gone while it was looked for."""
    if not _is_taken(file):
        return
    owner = _owner(file)
    if owner is not None or _is_taken(file):
        raise _busy(owner)


def _is_taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _sign(file: int) -> None:
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": now().isoformat()}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(owner).encode(), 0)


def _busy(owner: dict[str, str] | None) -> SchemaBusy:
    if owner is None:
        return SchemaBusy(owner="a process that has not signed", host="some host", age="a moment")
    age = (now() - datetime.fromisoformat(owner["since"])).total_seconds()
    return SchemaBusy(owner=f"process {owner['pid']}", host=owner["host"], age=_in_words(max(age, 0.0)))


def _owner(file: int) -> dict[str, str] | None:
    patience = time.monotonic() + _WRITING_SECONDS
    while time.monotonic() < patience:
        try:
            found: dict[str, str] = json.loads(os.pread(file, 4096, 0))
            return found
        except ValueError:
            time.sleep(0.01)
    return None


def _in_words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
