"""Processes that play on without us. asyncio's own would not: from Python 3.12 on it kills them as soon as nobody knows
them any more, as at the end of its loop."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

_left = set[subprocess.Popen[bytes]]()
"""Those that may still run. Whoever started one may forget it: it is reaped here, with the next start."""


def start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start one, in a session of its own; it is heard nowhere but in its stream."""
    _left.difference_update([each for each in _left if each.poll() is not None])
    process = subprocess.Popen(
        command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _left.add(process)
    return process
