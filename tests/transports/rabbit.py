"""A RabbitMQ server of the tests' own, in a folder of its own: Debian's rabbitmq-server as a child process.

It listens on 127.0.0.1 only, and meets no other: its node name, its cookie and its ports are its own. Whoever runs the
tests needs no rights for it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from midflight.config import Credentials
from tests.transports.ports import Port

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""Where Debian keeps the programs themselves; those on the PATH want to be root, and then somebody else."""

START_SECONDS = 90.0
STOP_SECONDS = 30.0

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
log.console = true
log.console.level = info
log.file = false
"""

TLS = """\
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {credentials.ca}
ssl_options.certfile = {credentials.certificate}
ssl_options.keyfile = {credentials.key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"""


class Rabbit:
    """A server whose store is in ``directory``. After ``stop`` or ``kill`` it starts again on the same ports, with the
    same store. With ``credentials`` it speaks TLS as well, to those who show a certificate."""

    def __init__(self, directory: Path, credentials: Credentials | None = None) -> None:
        self._directory, self._credentials = directory, credentials
        self._node = f"midflight-{os.getpid()}-{time.monotonic_ns()}@localhost"
        self._ports = self._port, self._distribution_port, self._names_port, self._tls_port = [Port() for _ in range(4)]
        self._process: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``amqp://guest:guest@127.0.0.1:PORT/``."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/"

    @property
    def tls_url(self) -> str:
        """The same over TLS."""
        return f"amqps://guest:guest@127.0.0.1:{self._tls_port}/"

    async def start(self) -> Self:
        """Start, and wait until it takes connections. Does nothing where it runs already."""
        if self._process is None:
            self._write_files()
            # Else the server would start one for the whole host, and leave it behind.
            self._names = self._launch("epmd", "-port", str(self._names_port), "-address", "127.0.0.1")
            self._process = self._launch(str(PROGRAMS / "rabbitmq-server"))
            await self._wait_until_ready(self._process)
        return self

    def _launch(self, *command: str) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*until_we_die(), *command],
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Let it finish and leave, and wait for that. Does nothing where it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Make an end of it at once, as a power failure would."""
        self._end(signal.SIGKILL)

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl, and return what it said."""
        command = [PROGRAMS / "rabbitmqctl", "--node", self._node, "--quiet", *arguments]
        return subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True).stdout

    def freeze(self) -> None:
        """Have it keep its connections, and answer nothing."""
        os.killpg(self._group, signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        os.killpg(self._group, signal.SIGCONT)

    async def heal(self) -> None:
        """Whatever was done to it, it works again."""
        await self.start()
        self.thaw()

    def close(self) -> None:
        """End it for good, and give its ports back."""
        if self._process is not None:
            self.thaw()
        self.kill()
        for port in self._ports:
            port.release()

    @property
    def _group(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def _log(self) -> Path:
        return self._directory / "console.log"

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._names is None:
            return
        os.killpg(self._group, how)  # the server is a shell, and below it the virtual machine
        self._process.wait(STOP_SECONDS)
        self._process = None
        self._wait_until_gone()
        self._names.kill()
        self._names.wait()

    def _wait_until_gone(self) -> None:
        while is_open(self._port) or is_open(self._distribution_port):
            time.sleep(0.02)

    def _write_files(self) -> None:
        for folder in ("home", "mnesia", "log"):
            (self._directory / folder).mkdir(parents=True, exist_ok=True)
        form = CONFIGURATION + (TLS if self._credentials else "")
        configuration = form.format(port=self._port, tls_port=self._tls_port, credentials=self._credentials)
        (self._directory / "rabbitmq.conf").write_text(configuration)
        (self._directory / "enabled_plugins").write_text("[].\n")
        cookie = self._directory / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(self._node.replace("@", "-"))
            cookie.chmod(0o400)

    @property
    def _environment(self) -> dict[str, str]:
        folder = str(self._directory)
        return {
            **os.environ,
            "HOME": f"{folder}/home",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._names_port),
        }

    async def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "Server startup complete" not in (said := self._log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start:\n{said[-3000:]}")
            await asyncio.sleep(0.05)


def is_open(port: Port) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port.number)) == 0


def until_we_die() -> list[str]:
    """What to put before a command so that it ends when the thread that started it does, however that is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
