"""A machine: a process of its own that counts, and knows nothing of the cloud that started it.

    python -I -S machine.py COUNT_FILE

returns as soon as the machine counts (0), or at once when another process counts in this file already (75). The
machine then has no parent here and a session of its own, so that it goes on when its agent is stopped, killed or
upgraded. It appends ten lines a second, ``pid count monotonic_seconds``, and a word behind one where something
happened: ``started``, ``rebooted`` (SIGHUP) or ``ended`` (SIGTERM). While it lives it holds the lock on its file, so
the kernel knows which process counts there; when the file is removed, it ends.
"""

import fcntl
import os
import signal
import sys
import time

TICK = 0.1
"""Seconds between two lines; deadlines are absolute, so that lateness does not add up."""


class Counter:
    """The count in one file."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.count = 0

    def note(self, *words: str) -> None:
        """One line, in one write: a reader never sees half of it but at the very end of the file."""
        line = " ".join((str(os.getpid()), str(self.count), f"{time.monotonic():.4f}", *words))
        os.write(self.file, f"{line}\n".encode())

    def rebooted(self, *_: object) -> None:
        self.note("rebooted")

    def ended(self, *_: object) -> None:
        self.note("ended")
        os._exit(0)

    def run(self) -> None:
        deadline = time.monotonic()
        while os.fstat(self.file).st_nlink:
            deadline = max(deadline + TICK, time.monotonic())
            time.sleep(max(0.0, deadline - time.monotonic()))
            self.count += 1
            self.note()


def become_a_machine(path: str, ready: int) -> None:
    """Count until the end, and say so on ``ready`` once it has begun."""
    os.setsid()
    counter = Counter(path)
    signal.signal(signal.SIGHUP, counter.rebooted)
    signal.signal(signal.SIGTERM, counter.ended)
    counter.note("started")
    os.write(ready, b"1")
    os.close(ready)
    counter.run()


def launch(path: str) -> int:
    """Leave a machine behind. The child that becomes it loses its parent when this process returns."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            become_a_machine(path, writer)
        finally:
            os._exit(75)
    os.close(writer)
    return 0 if os.read(reader, 1) else 75


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1]))
