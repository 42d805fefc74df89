"""A machine to look at: a folder that looks like the kernel's, and a clock that jumps."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from house.sleeper.system import System
from tests.jumping import JumpingClock

CPU = "cpu  {work} 0 0 {idle} 0 0 0 0 0 0\ncpu0 0\ncpu1 0\nintr 1\n"
DISKS = """   7       0 loop0 9 0 999999 0 9 0 999999 0 0 0 0
   8       0 sda 9 0 {sectors} 0 9 0 0 0 0 0 0
   8       1 sda1 9 0 {sectors} 0 9 0 0 0 0 0 0
"""
NET = """Inter-|   Receive
 face |bytes packets
    lo: 99999999 1 0 0 0 0 0 0 99999999 1 0 0 0 0 0 0
  eth0: {moved} 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0
"""


class FakeMachine:
    """What a System stands on, as a test says that it is."""

    def __init__(self, root: Path, clock: JumpingClock) -> None:
        self.root, self.clock = root, clock
        self.system = System(root, clock)
        self.write("sys/block/sda/size", "1")

    def write(self, path: str, text: str | bytes) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        return place

    def login(self, *logins: tuple[str, str, float]) -> None:
        """(user, terminal, minutes since it was used)."""
        entries = [entry(7, terminal, user) for user, terminal, _ in logins]
        self.write("run/utmp", b"".join([entry(2, "~", "reboot"), *entries]))
        for _, terminal, minutes in logins:
            self.use(terminal, minutes)

    def use(self, terminal: str, minutes: float) -> None:
        """Somebody typed there so long ago."""
        at = self.clock.now().timestamp() - minutes * 60
        os.utime(self.write(f"dev/{terminal}", ""), (at, at))

    def process(self, pid: int, name: str) -> None:
        self.write(f"proc/{pid}/comm", f"{name}\n")


def entry(kind: int, line: str, user: str) -> bytes:
    """One of utmp(5)."""
    text = kind, 1, line.encode(), b"1", user.encode(), b"10.0.0.9", 0, 0, 0, 0, 0, 0, 0, 0, 0, b""
    return struct.pack("=hxxi32s4s32s256shhiii4i20s", *text)
