"""Processes that play on without us. asyncio's own would not: from Python 3.12 on it kills them as soon as nobody knows
them any more, as at the end of its loop."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Mapping, Sequence

_left = set[subprocess.Popen[bytes]]()
"""Those that may still run. Whoever started one may forget it: it is reaped here, with the next start."""


class Complaints:
    """What a process says of its faults: a file in memory, which never grows, so that nobody need read it."""

    _BYTES = 4096

    def __init__(self) -> None:
        self._file = os.memfd_create("complaints", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._file, self._BYTES)
        fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)

    def __del__(self) -> None:
        os.close(self._file)

    def fileno(self) -> int:
        """As a process is given it."""
        return self._file

    @property
    def last(self) -> str:
        """The last line of it; empty where there is none, or where there was no room for what came last."""
        said = os.pread(self._file, self._BYTES, 0).rstrip(b"\0")
        if len(said) == self._BYTES:
            return ""
        return said.rstrip(b"\n").rpartition(b"\n")[2].decode(errors="replace").strip()


def start(
    command: Sequence[str], environment: Mapping[str, str], complaints: Complaints | None = None
) -> subprocess.Popen[bytes]:
    """Start one, in a session of its own; it is heard nowhere but in its stream, and in its ``complaints``."""
    _left.difference_update([each for each in _left if each.poll() is not None])
    process = subprocess.Popen(
        command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if complaints is None else complaints.fileno(),
    )  # fmt: skip
    _left.add(process)
    return process
