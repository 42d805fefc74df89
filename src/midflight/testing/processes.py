"""Processes of one release: real ones, forked from a process that has the release's code loaded already."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midflight.testing import zygote

READY_SECONDS = 60.0
"""Until ``service.ready``; a machine with much else to do needs some."""
GONE_SECONDS = 60.0
"""From SIGTERM to the exit; draining takes up to 20 of them."""


class PlanFailed(AssertionError):
    """What went wrong in a fleet of several releases."""


@dataclass(eq=False)
class Process:
    """One process, with the file that it logs to."""

    pid: int
    log: Path
    release: Release
    _code: int | None = field(default=None, init=False)
    """Once it is heard: its number may soon be that of another one."""

    @property
    def code(self) -> int | None:
        """The code with which it ended; None while it runs. It is killed with the process that it was forked from."""
        if self._code is None:
            self.release.hear(0)
            self._code = self.release.ended.get(self.pid, None if self.release.runs else -signal.SIGKILL)
        return self._code

    def wait(self, seconds: float | None) -> int:
        """The code with which it ends. Raises PlanFailed when it does not within so long; None waits on."""
        begun = time.monotonic()
        while (code := self.code) is None:
            if seconds is not None and time.monotonic() - begun > seconds:
                raise PlanFailed(f"{self.log.name} was not gone within {seconds:g} s{self.last_words()}")
            self.release.hear(0.1)
        return code

    def until_ready(self) -> None:
        """Wait until it takes work. Raises PlanFailed, also where its code is that of another release."""
        until = time.monotonic() + READY_SECONDS
        while (ready := self._said("service.ready")) is None:
            if self.code is not None or time.monotonic() > until:
                raise PlanFailed(f"{self.log.name} did not come up{self.last_words()}")
            self.release.hear(0.01)
        if ready["release"] != self.release.name:
            reason = f"the code in {self.release.tree} is release {ready['release']}, not {self.release.name}"
            raise PlanFailed(f"{reason}: give its folder, or midflight release freeze {self.release.name} there")

    def _said(self, event: str) -> dict[str, Any] | None:
        for line in self.log.read_bytes().splitlines(keepends=True):
            if event.encode() in line and line.endswith(b"}\n"):
                found: dict[str, Any] = json.loads(line)
                return found
        return None

    def look(self) -> None:
        """Raises PlanFailed where it has ended. Nobody has told it to."""
        if (code := self.code) is not None:
            raise PlanFailed(f"{self.log.name} has ended by itself, with {code}{self.last_words()}")

    def stop(self) -> None:
        """SIGTERM, and wait. Raises PlanFailed where it has ended before, or does not end with 0."""
        self.look()
        with suppress(ProcessLookupError):  # it ends at this moment, and its code tells how
            os.kill(self.pid, signal.SIGTERM)
        if code := self.wait(GONE_SECONDS):
            raise PlanFailed(f"{self.log.name} ended with {code} after SIGTERM{self.last_words()}")

    def kill(self) -> None:
        """SIGKILL: no farewell. Who has ended already is left alone."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait(GONE_SECONDS)

    def last_words(self) -> str:
        """The end of its log, to stand behind an error."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "".join(f"\n  | {line[:300]}" for line in lines[-8:])


@dataclass
class Release:
    """One release: its tree, and a process that all of its processes are forked from. With a ``python``, that of an
    environment of its own, it finds nothing of what only ours has."""

    name: str
    tree: Path
    project: str
    python: Path | None = None
    ended: dict[int, int] = field(default_factory=dict)
    _rest: bytes = b""

    def __post_init__(self) -> None:
        foreign = ("MIDFLIGHT_", "LISTEN_", "NOTIFY_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        ours = [environment.get("PYTHONPATH")] if self.python is None else []
        environment["PYTHONPATH"] = os.pathsep.join([str(self.tree), *filter(None, ours)])
        # -P: else the kit's own modules, beside the zygote, would be found before a release's package of the same name.
        self._zygote = subprocess.Popen(
            [self.python or sys.executable, "-P", zygote.__file__, self.project], cwd=self.tree, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True,
        )  # fmt: skip
        self._started: list[int] = []
        atexit.register(self.close)

    @property
    def runs(self) -> bool:
        """Whether there is somebody to fork from."""
        return self._zygote.poll() is None

    def start(self, *words: str, log: Path) -> Process:
        """Run a command of midflight's in the release's tree. Raises PlanFailed where its code cannot be loaded."""
        assert self._zygote.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, as is seen below
            self._zygote.stdin.write(json.dumps({"words": words, "log": str(log)}).encode() + b"\n")
        until = time.monotonic() + READY_SECONDS
        while not self._started:
            self.hear(0.1)
            if not self.runs or time.monotonic() > until:
                raise PlanFailed(f"the code of {self.name} in {self.tree} cannot be loaded: {self.project}")
        log.touch()
        return Process(self._started.pop(), log, self)

    def hear(self, seconds: float) -> None:
        """Wait for news of its processes, no longer than this."""
        assert self._zygote.stdout is not None
        if not select.select([self._zygote.stdout], [], [], seconds)[0]:
            return
        *lines, self._rest = (self._rest + os.read(self._zygote.stdout.fileno(), 65536)).split(b"\n")
        for said in map(json.loads, lines):
            if "started" in said:
                self._started.append(said["started"])
                self.ended.pop(said["started"], None)  # the system numbers its processes round and round
            else:
                self.ended[said["ended"]] = said["code"]

    def close(self) -> None:
        """End all of its processes."""
        atexit.unregister(self.close)
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.close()
        self._zygote.wait()
        self._zygote.stdout.close()
