"""The logbook: the file in which a service without a database notes each cast before it runs, and when it is done.

One JSON object a line, the last one of an id holds. Each process has a file of its own, beside those of its
predecessors on this host, and keeps it locked while it lives. What is noted in a file that nobody locks was left by the
dead: it is taken over into ours.

A cast runs only after its note is on the disk (fdatasync, one for all that wait); that it is done is written, and left
to the system to bring to the disk. So a kill forgets nothing, and a power cut no more than that something is done,
which is then interrupted.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import time
from pathlib import Path

import msgspec

from midflight import telemetry
from midflight.rpc.noted import Kept, Noted
from midflight.rpc.repeats import Note, Receipt, State

COMPACT_BYTES = 2**20
"""A file is written anew without what is over when it has this size, and twice what it had then."""

SETTLED_SECONDS = 1.0
"""A folder that has not changed for so long is not listed again before it does. (The times of files are no finer than
10 ms.)"""

_ENDING, _UNFINISHED = ".logbook", ".logbook-new"


class _Line(msgspec.Struct, omit_defaults=True):
    """``state`` is empty where the message may be run again, as if it had never begun."""

    id: str
    digest: str = ""
    state: str = ""
    until: float = 0.0


_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(_Line)


class Logbook:
    """Implements repeats.Notes in files ``NAME.OWNER.logbook`` of a folder; ``owner`` is this process."""

    in_transactions = False

    def __init__(self, folder: Path, name: str, owner: str) -> None:
        self._folder, self._name = folder, name
        self._path = folder / f"{name}.{owner}{_ENDING}"
        self._noted = Noted()
        self._file: int | None = None
        self._size = self._compacted = 0
        self._written = self._synced = 0
        self._syncing: asyncio.Future[None] | None = None
        self._beside: list[Path] = []
        """The files of others, as they were when the folder was listed."""
        self._listed = 0
        """When the folder had changed last by then, in nanoseconds; 0 where that was just before."""

    def open(self) -> None:
        """Take over what the dead have left, and tell in the log how much of it was interrupted. Raises OSError."""
        self._take_over()
        if found := [name for name, kept in self._noted.kept.items() if _is_open(kept)]:
            telemetry.log.warning("rpc.interrupted", casts=len(found), message_ids=found[:20])

    def close(self) -> None:
        """Leave the file to who comes next."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def find(self, message_id: str) -> Note | None:
        return self._noted.known(message_id) or self._known_to_others(message_id) or self._noted.known(message_id)

    def _known_to_others(self, message_id: str) -> Note | None:
        """By those who live; what the dead knew is ours afterwards."""
        for path in self._take_over():
            if (kept := _read(path).get(message_id)) is not None:
                return Note(kept.note.digest, kept.note.state, in_hand=_is_open(kept))
        return None

    async def begin(self, receipt: Receipt) -> None:
        self._write(receipt, State.BEGUN)
        await self._sync()

    async def end(self, receipt: Receipt, state: State | None) -> None:
        self._write(receipt, state)

    # Writing

    def _write(self, receipt: Receipt, state: State | None) -> None:
        kept = self._noted.note(receipt, state)
        line = _line(receipt.message_id, kept) if kept else _Line(receipt.message_id)
        self._append([line])
        if self._size > max(COMPACT_BYTES, 2 * self._compacted) and self._syncing is None:
            self._compact()

    def _append(self, lines: list[_Line]) -> None:
        """Begins with the end of a line: the one before may be torn, where the disk was full."""
        if self._file is None:
            self._file = _locked(self._path)
        text = b"".join(b"\n" + _encoder.encode(line) for line in lines) + b"\n"
        written = os.write(self._file, text)
        self._size += written
        self._written += 1
        if written < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    async def _sync(self) -> None:
        mine = self._written
        while self._synced < mine:
            if self._syncing is None:
                self._syncing = asyncio.ensure_future(self._sync_once())
            await asyncio.shield(self._syncing)

    async def _sync_once(self) -> None:
        written, file = self._written, self._file
        try:
            if file is not None:
                await asyncio.to_thread(os.fdatasync, file)
            self._synced = written
        finally:
            self._syncing = None

    def _sync_now(self) -> None:
        assert self._file is not None
        os.fdatasync(self._file)

    def _compact(self) -> None:
        """Where that cannot be done now, it is tried again when the file has twice its size."""
        try:
            self._write_anew()
        except OSError as trouble:
            telemetry.log.warning("logbook.not_compacted", path=str(self._path), reason=str(trouble))
        self._compacted = self._size

    def _write_anew(self) -> None:
        """Write what still counts into a new file, which then has the name of the old one."""
        now, new = time.time(), self._path.with_suffix(_UNFINISHED)
        living = [_line(name, kept) for name, kept in self._noted.kept.items() if kept.until > now]
        before = self._file, self._size
        self._file, self._size = _locked(new, _NEW), 0
        try:
            self._append(living)
            self._sync_now()
            new.rename(self._path)
        except OSError:
            os.close(self._file)
            self._file, self._size = before
            raise
        os.close(before[0] or 0)

    # What others have written

    def _take_over(self) -> list[Path]:
        """Take over the files of the dead; returns those of the living."""
        living: list[Path] = []
        for path in self._others():
            try:
                file = _locked(path, os.O_RDWR)
            except BlockingIOError:
                living.append(path)
                continue
            except FileNotFoundError:  # somebody else has taken it over
                continue
            try:
                self._inherit(path)
            finally:
                os.close(file)
        return living

    def _inherit(self, path: Path) -> None:
        path.with_suffix(_UNFINISHED).unlink(missing_ok=True)
        left = _read(path)
        for name, kept in left.items():
            self._noted.put(name, kept)
        if left:
            self._append([_line(name, kept) for name, kept in left.items()])
            self._sync_now()
        path.unlink(missing_ok=True)

    def _others(self) -> list[Path]:
        """To list a folder for each cast would take longer than the rest of its notes: who comes or goes changes it."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
            if changed != self._listed:
                settled = time.time_ns() - changed > SETTLED_SECONDS * 1e9
                self._beside = [self._folder / name for name in os.listdir(self._folder) if self._is_others(name)]
                self._listed = changed if settled else 0
        except FileNotFoundError:
            return []
        return self._beside

    def _is_others(self, name: str) -> bool:
        return name.startswith(f"{self._name}.") and name.endswith(_ENDING) and name != self._path.name


_OWN, _NEW = os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def _locked(path: Path, flags: int = _OWN) -> int:
    """The file, locked until it is closed. Raises BlockingIOError while somebody else has it."""
    file = os.open(path, flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _read(path: Path) -> dict[str, Kept]:
    """What a file says that still counts. What is no line of ours is passed over: a kill may have torn it."""
    found: dict[str, Kept] = {}
    now = time.time()
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:  # somebody else has taken it over
        lines = []
    for text in lines:
        try:
            line = _decoder.decode(text)
        except msgspec.DecodeError:
            continue
        found.pop(line.id, None)
        if line.state and line.until > now:
            found[line.id] = Kept(Note(line.digest, line.state), line.until)
    return found


def _line(name: str, kept: Kept) -> _Line:
    return _Line(name, kept.note.digest, kept.note.state, kept.until)


def _is_open(kept: Kept) -> bool:
    return kept.note.state == State.BEGUN
