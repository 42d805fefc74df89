"""The machines of one host, as its agent sees them.

All agents of one computer share a folder. A machine has two files there: ``UUID.count``, into which it counts (see
``machine.py``), and ``UUID.json``, the record by which the next agent of the same host finds it again. Whoever is
named in the record owns the machine; a record is replaced as a whole, so there is exactly one owner at any moment.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import sys
import time
from pathlib import Path
from uuid import UUID

import msgspec

from compute import machine
from compute.errors import MachineFailed
from compute.waiting import until

STOP_SECONDS = 2.0
_NOTHING = asyncio.subprocess.DEVNULL
_ENOUGH = 200
"""Bytes at the end of a count that surely hold its last line."""
_FLOCK = "hhqqi"
"""``struct flock`` of fcntl(2): type, whence, start, length, pid."""


class Record(msgspec.Struct, frozen=True):
    """What an agent must know of a machine that it did not start. ``pid`` is None for one that is known to be off."""

    uuid: UUID
    host: str
    pid: int | None
    memory_mb: int
    vcpus: int


class Machines:
    """The machines in ``folder``, of which ``host`` owns some. Each method may be repeated: a second time, it finds the
    work done."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder, self.host = folder, host

    def mine(self) -> list[Record]:
        """The records of this host's machines, running or not."""
        found = (self.record(UUID(path.stem)) for path in sorted(self.folder.glob("*.json")))
        return [record for record in found if record and record.host == self.host]

    def record(self, uuid: UUID) -> Record | None:
        """What is on record about a machine."""
        try:
            return msgspec.json.decode(self._file(uuid, "json").read_bytes(), type=Record)
        except FileNotFoundError:
            return None

    def count_file(self, uuid: UUID) -> Path:
        """The file that the machine counts into."""
        return self._file(uuid, "count")

    def pid(self, uuid: UUID) -> int | None:
        """The process that counts for a machine now. The kernel knows who holds the lock, so that no process that got
        an old number by chance is taken for a machine."""
        try:
            with self.count_file(uuid).open("rb") as file:
                asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
                kind, _, _, _, holder = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
        except FileNotFoundError:
            return None
        return None if kind == fcntl.F_UNLCK else int(holder)

    async def start(self, uuid: UUID, memory_mb: int, vcpus: int) -> None:
        """Have it run, and own it. Raises MachineFailed."""
        if self.pid(uuid) is None:
            await self._launch(uuid)
        self.own(uuid, memory_mb, vcpus)

    def own(self, uuid: UUID, memory_mb: int, vcpus: int) -> None:
        """Be its owner from now on, with this size; its process does not notice."""
        record = Record(uuid, self.host, self.pid(uuid), memory_mb, vcpus)
        draft = self._file(uuid, f"{self.host}.draft")
        draft.write_bytes(msgspec.json.encode(record))
        draft.replace(self._file(uuid, "json"))

    def reboot(self, uuid: UUID) -> bool:
        """Tell the machine, which notes it and keeps its process. False if there is none to tell."""
        return self._signal(uuid, signal.SIGHUP)

    async def pause(self, uuid: UUID) -> bool:
        """Let the machine stand still: the kernel stops it, whichever release has started it, and it need know nothing
        of that. False if there is none."""
        if (pid := self.pid(uuid)) is None:
            return False
        self._signal(uuid, signal.SIGSTOP)
        await until(lambda: _stands_still(pid), STOP_SECONDS)
        self._note(uuid, pid, "paused")
        return True

    def resume(self, uuid: UUID) -> bool:
        """Let it go on, if it stands still. False if there is none."""
        if (pid := self.pid(uuid)) is None:
            return False
        if _stands_still(pid):
            self._note(uuid, pid, "resumed")
        return self._signal(uuid, signal.SIGCONT)

    async def stop(self, uuid: UUID) -> None:
        """End it and forget it; its count stays in its file."""
        self._signal(uuid, signal.SIGTERM)
        self._signal(uuid, signal.SIGCONT)  # one that stands still would not notice
        if not await until(lambda: self.pid(uuid) is None, STOP_SECONDS):
            self._signal(uuid, signal.SIGKILL)
        self._file(uuid, "json").unlink(missing_ok=True)

    async def _launch(self, uuid: UUID) -> None:
        command = (sys.executable, "-I", "-S", machine.__file__, str(self.count_file(uuid)))
        try:
            launcher = await asyncio.create_subprocess_exec(*command, stdin=_NOTHING, stdout=_NOTHING, stderr=_NOTHING)
            code = await launcher.wait()
        except OSError as wrong:
            raise MachineFailed(str(uuid), str(wrong)) from wrong
        if self.pid(uuid) is None:
            raise MachineFailed(str(uuid), f"{' '.join(command)} ended with code {code}")

    def _note(self, uuid: UUID, pid: int, word: str) -> None:
        """Write into the count what the machine cannot write itself, once, while it stands still."""
        with self.count_file(uuid).open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _ENOUGH))
            _, count, _, *said = file.read().splitlines()[-1].decode().split()
            if said != [word]:
                file.write(f"{pid} {count} {time.monotonic():.4f} {word}\n".encode())

    def _signal(self, uuid: UUID, which: signal.Signals) -> bool:
        pid = self.pid(uuid)
        if pid is None:
            return False
        try:
            os.kill(pid, which)
        except ProcessLookupError:
            return False
        return True

    def _file(self, uuid: UUID, ending: str) -> Path:
        return self.folder / f"{uuid}.{ending}"


def _stands_still(pid: int) -> bool:
    """Whether the kernel has stopped a process. Its state is the first word behind the name, which is in brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return False
