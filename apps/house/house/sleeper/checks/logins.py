"""Does somebody use a login? By the terminals of utmp and of logind, and what graphical sessions say of themselves."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from house.sleeper.checks.base import Check
from house.sleeper.logind import Session
from house.sleeper.system import System, Unclear

RECORD = struct.Struct("=hxxi32s4s32s256shhiii4i20s")
"""One entry of utmp, as glibc has it on Linux: utmp(5)."""
USER_PROCESS = 7
GRAPHICAL = ("x11", "wayland", "mir")


@dataclass
class Logins(Check):
    """Busy while a terminal was used, or a graphical session not idle, in the last ``idle_minutes``.

    A terminal is used when its access time moves, which the kernel notes to 8 s. A session without a terminal, as of
    `ssh -T`, is seen by the check of connections instead. A utmp that is missing is no proof that nobody is here, so
    logind must answer, unless the configuration says that there is none.
    """

    idle_minutes: float = 15

    async def look(self, system: System) -> str | None:
        sessions = None if system.logind is None else await system.logind.sessions()
        lines = dict(_utmp(system, required=sessions is None))
        lines.update({session.tty: session.user for session in sessions or () if session.tty})
        now = system.clock.now().timestamp()
        used = [*_terminals(system.root, lines.items(), now), *_graphical(sessions or (), now)]
        minutes, who = min(used, default=(self.idle_minutes, ""))
        return f"{who} was here {minutes:.0f} min ago" if minutes < self.idle_minutes else None


def _utmp(system: System, required: bool) -> Iterator[tuple[str, str]]:
    """(terminal, user) of each login. Raises Unclear for a file that is missing and required, or cut off."""
    try:
        entries = (system.root / "run/utmp").read_bytes()
    except FileNotFoundError:
        if required:
            raise Unclear("/run/utmp is missing, and there is no logind to ask") from None
        return
    if len(entries) % RECORD.size:
        raise Unclear(f"/run/utmp: received {len(entries)} bytes, expected a multiple of {RECORD.size}")
    for kind, _, line, _, user, *_ in RECORD.iter_unpack(entries):
        if kind == USER_PROCESS:
            yield _text(line), _text(user)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")


def _terminals(root: Path, lines: Iterable[tuple[str, str]], now: float) -> Iterator[tuple[float, str]]:
    """(minutes since it was used, whose): of those that are there still."""
    for line, user in lines:
        try:
            yield (now - (root / "dev" / line).stat().st_atime) / 60, f"{user} on {line}"
        except FileNotFoundError:
            continue  # a display like :0, or an entry that its login left behind


def _graphical(sessions: Iterable[Session], now: float) -> Iterator[tuple[float, str]]:
    for session in sessions:
        if session.kind in GRAPHICAL:
            idle = 0.0 if session.idle_since is None else (now - session.idle_since) / 60
            yield idle, f"{session.user} in a {session.kind} session"
