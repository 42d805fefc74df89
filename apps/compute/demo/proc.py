"""Processes as the kernel shows them in /proc."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def alive(pid: int) -> bool:
    """It runs. A zombie has ended, whether or not its parent has noticed."""
    try:
        return _state(pid) not in "ZX"
    except OSError:
        return False


def _state(pid: int) -> str:
    """The letter after the command's name, which may itself contain blanks and parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def command_line(pid: int) -> list[str]:
    """The arguments with which it was started; none if it is not there."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def working_directory(pid: int) -> str:
    """Where it works; empty if it is not there."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def is_ours(pid: int, *words: str) -> bool:
    """It is alive, and its arguments contain each of these words: so the id was not taken over by a stranger."""
    arguments = command_line(pid)
    return alive(pid) and all(any(word in argument for argument in arguments) for word in words)


def kill(pid: int, *words: str) -> bool:
    """SIGKILL it if it is ours, see is_ours; whether it was."""
    if not is_ours(pid, *words):
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False  # it ended by itself in between
    return True
