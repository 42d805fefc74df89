"""Hosts on a bridge with IGMP snooping and a querier, each with an ordinary user and its home."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.netns import ip

_numbers = itertools.count()
_FIRST_USER = 31_000
_USERS = 8
"""So many each laboratory has."""
_HELD = Path("/tmp/sound-users")
"""A file for each laboratory's users. Whoever has them holds its lock, which ends with the process; the file stays."""
PRIORITY = 11
"""That at which PulseAudio asks to run, and is let run on a desktop."""
READS_ALL = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
"""So that an ordinary user can run what is checked out under somebody's home."""


@dataclass
class Host:
    """One of them. ``user`` needs no account: PulseAudio asks for none."""

    name: str
    namespace: str
    address: str
    user: int
    home: Path
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def run_path(self) -> Path:
        return self.home / "run"

    def as_user(self, *command: str, privileges: Sequence[str] = (), **more: str) -> list[str]:
        """A command as its user, in its namespace, and with more in its environment."""
        environment = [
            f"PATH={os.environ['PATH']}:/usr/sbin:/usr/bin:/bin", f"HOME={self.home}", f"USER={self.name}",
            f"XDG_RUNTIME_DIR={self.run_path}", "LC_ALL=C",
            *(f"{key}={value}" for key, value in more.items()),
        ]  # fmt: skip
        user = str(self.user)
        return [
            "ip", "netns", "exec", self.namespace, "nice", "-n", f"-{PRIORITY}",
            "setpriv", "--reuid", user, "--regid", user, "--clear-groups", *privileges,
            "env", "-i", *environment, *command,
        ]  # fmt: skip

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        """Start a program as its user, in a group of its own; it ends with the host."""
        with (self.home / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self.as_user(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        return process

    async def run(self, *command: str) -> str:
        """Run a program to its end: what it says."""
        process = await asyncio.create_subprocess_exec(
            *self.as_user(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0, f"{' '.join(command)}: {said.decode()}"
        return said.decode()

    async def stop(self, process: asyncio.subprocess.Process) -> None:
        """End a program that was started, with its group."""
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        self.running.remove(process)

    def write(self, path: str, text: str) -> Path:
        """Put a file into its home."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for each in (file, *file.relative_to(self.home).parents):
            os.chown(self.home / each, self.user, self.user)
        return file

    def processes(self, program: str = "") -> list[int]:
        """Those of its user that run this program, or any; what has ended and is only not yet forgotten is none."""
        found = list[int]()
        for process in Path("/proc").iterdir():
            try:
                ours = process.name.isdigit() and process.stat().st_uid == self.user
                if (
                    ours
                    and (process / "cmdline").read_bytes()
                    and program in ("", (process / "comm").read_text().strip())
                ):
                    found.append(int(process.name))
            except OSError:
                pass  # it has ended
        return found

    def received(self) -> int:
        """Bytes that it has got from the network."""
        told = ["ip", "-n", self.namespace, "-json", "-stats", "link", "show", "eth0"]
        (link,) = json.loads(subprocess.run(told, capture_output=True, check=True).stdout)
        return int(link["stats64"]["rx"]["bytes"])

    async def end(self) -> None:
        """All that its user runs ends, what has detached itself, too."""
        for process in list(self.running):
            await self.stop(process)
        while left := self.processes():
            for each in left:
                try:
                    os.kill(each, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            await asyncio.sleep(0.02)


@asynccontextmanager
async def hosts(*names: str) -> AsyncIterator[list[Host]]:
    """Build them and their switch, and take them down."""
    prefix = f"sl{os.getpid()}x{next(_numbers)}"
    switch = f"{prefix}b"
    places = {name: (f"{prefix}h{n}", f"198.18.3.{n}") for n, name in enumerate(names, 1)}
    namespaces = [switch, *(namespace for namespace, _ in places.values())]
    try:
        ip([f"netns add {name}" for name in namespaces])
        _build(switch, places.values())
        async with inhabited(places) as built:
            yield built
    finally:
        ip([f"netns delete {name}" for name in namespaces if Path("/run/netns", name).exists()])


def port(host: Host) -> tuple[str, str]:
    """Where the switch of such a host is, and by which of its interfaces it reaches the host."""
    prefix, _, number = host.namespace.rpartition("h")
    return f"{prefix}b", f"p{number}"


@contextmanager
def users() -> Iterator[int]:
    """Those that no other laboratory of this machine has: the first one. A host ends all that its user runs."""
    _HELD.mkdir(exist_ok=True)
    for first in itertools.count(_FIRST_USER, _USERS):
        with (_HELD / str(first)).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # another laboratory's
            yield first
            return


@asynccontextmanager
async def inhabited(places: Mapping[str, tuple[str, str]]) -> AsyncIterator[list[Host]]:
    """Hosts in namespaces that are there: by name, each one's namespace and address. All that their users run ends with
    the block."""
    folder = Path(tempfile.mkdtemp(prefix="sound", dir="/tmp"))  # open to all, as pytest's folders are not
    folder.chmod(0o755)
    with users() as first:
        assert len(places) <= _USERS
        built = [
            Host(name, namespace, address, first + n, folder / name)
            for n, (name, (namespace, address)) in enumerate(places.items())
        ]
        known = "".join(f"{host.address} {host.name}\n" for host in built)
        try:
            for host in built:
                await host.end()  # what a laboratory that was killed has left behind
                _move_in(host, known)
            yield built
        finally:
            for host in built:
                await host.end()
                shutil.rmtree(Path("/etc/netns") / host.namespace, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)


def _build(switch: str, places: Iterable[tuple[str, str]]) -> None:
    # The querier asks at once and twice a second, so that the switch knows soon who listens to what; and by IGMP 3. In
    # IGMP 2 a host is silent where it hears another one report the same group; a switch that does not know its querier
    # yet passes that on, and then knows of one listener only.
    querier = "mcast_querier 1 mcast_igmp_version 3 mcast_query_response_interval 50 mcast_startup_query_interval 50"
    ip([f"link add br0 type bridge forward_delay 0 mcast_snooping 1 {querier}", "link set br0 up"], switch)
    for n, (namespace, address) in enumerate(places, 1):
        ip(
            [
                f"link add p{n} type veth peer name eth0 netns {namespace}",
                f"link set p{n} master br0",
                f"link set p{n} up",
            ],
            switch,
        )
        ip(["link set lo up", f"address add {address}/24 dev eth0", "link set eth0 up"], namespace)


def _move_in(host: Host, known: str) -> None:
    """Its user has a home, and the hosts know each other by name."""
    lead_multicast(host.namespace)
    for path in (host.home, host.run_path):
        path.mkdir(mode=0o700)
        os.chown(path, host.user, host.user)
    folder = Path("/etc/netns") / host.namespace
    folder.mkdir(parents=True)
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{known}")


def lead_multicast(namespace: str) -> None:
    """By its one interface, as a default route would; it is forgotten where the interface was down."""
    ip(["route replace 224.0.0.0/4 dev eth0"], namespace)
