"""A service as an init system keeps one: started in a namespace, ready when it says so, and with the sockets that it
wants kept handed on from one process to the next."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
PATIENCE = 60.0
"""What is waited for has long happened by then."""
_PASS = """
import os, sys
for number, given in enumerate(sys.argv[1].split(",")):
    os.dup2(int(given), 3 + number)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Puts the sockets where a supervisor does, and becomes the program."""


def service(name: str, host: str, config: Path) -> list[str]:
    """The command of a service."""
    return [str(PROGRAMS / "midflight"), "run", name, "--host", host, "--config", str(config)]


class Unit:
    """One service, in one process after the other. Its log is ``NAME.log`` in the folder."""

    def __init__(self, name: str, namespace: str, folder: Path, command: Sequence[str], **environment: str) -> None:
        self.name, self.namespace, self.log = name, namespace, folder / f"{name}.log"
        self.process: asyncio.subprocess.Process | None = None
        self.kept: list[socket.socket] = []
        """What it had kept, as systemd does."""
        self._command, self._environment = [*command], environment
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(folder / f"{name}.notify"))
        self._notified.setblocking(False)
        self._ready = asyncio.Event()

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self.process is not None, f"{self.name} does not run"
        return self.process.pid

    async def start(self, tree: Path = HERE, ready: bool = True) -> None:
        """Start it, with what was kept for it, from a tree of the house; return when it says that it is ready, if it is
        one that does."""
        await self._spawn(tree)
        if ready:
            await self._until_ready()

    async def stop(self) -> None:
        """It ends as it wants to; what it had kept is kept for the next one."""
        process, self.process = self.process, None
        assert process is not None, f"{self.name} does not run"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
        assert code == 0, f"{self.name} ended with {code}: {self._last_words()}"
        self._hear()

    async def kill(self) -> None:
        """It ends at once, if it runs."""
        process, self.process = self.process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def runs(self, on: bool) -> None:
        """Let it stand still, as in a machine that is suspended, or go on."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT if on else signal.SIGSTOP)

    async def end(self) -> None:
        """It is needed no more."""
        await self.kill()
        for each in (self._notified, *self.kept):
            each.close()

    async def _spawn(self, tree: Path) -> None:
        self._hear()  # what the process before has said
        self._ready.clear()
        kept, self.kept = self.kept, []
        environment = {**os.environ, **self._environment, "NOTIFY_SOCKET": self._notified.getsockname()}
        command = self._command
        if kept:  # they are to be 3, 4, …
            environment["LISTEN_FDS"] = str(len(kept))
            command = [sys.executable, "-c", _PASS, ",".join(str(each.fileno()) for each in kept), *command]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                "ip", "netns", "exec", self.namespace, *command, cwd=tree, env=environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, pass_fds=[each.fileno() for each in kept], start_new_session=True,
            )  # fmt: skip
        for each in kept:
            each.close()

    async def _until_ready(self) -> None:
        assert self.process is not None
        loop, ended = asyncio.get_running_loop(), asyncio.ensure_future(self.process.wait())
        loop.add_reader(self._notified, self._hear)
        ready = asyncio.ensure_future(self._ready.wait())
        try:
            await asyncio.wait({ready, ended}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            assert ready.done(), f"{self.name} did not get ready: {self._last_words()}"
        finally:
            loop.remove_reader(self._notified)
            for each in (ready, ended):
                each.cancel()

    def _hear(self) -> None:
        """Take in all that it has told its supervisor."""
        while True:
            try:
                said, descriptors, _, _ = socket.recv_fds(self._notified, 1000, 8)
            except BlockingIOError:
                return
            if said == b"READY=1":
                self._ready.set()
            for descriptor in descriptors:
                self._keep(descriptor)

    def _keep(self, descriptor: int) -> None:
        if os.fstat(descriptor).st_ino in {os.fstat(each.fileno()).st_ino for each in self.kept}:
            os.close(descriptor)  # it is kept already
        else:
            self.kept.append(socket.socket(fileno=descriptor))

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]
