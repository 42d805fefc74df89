"""How long whoever types ssh waits for a sleeper that is guarded in proxy mode, until a command has answered: OpenSSH's
client and server."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.matrix import RESUMES
from house.states import State
from tests.lab.network import PORT, Network, Sleeper, network
from tests.lab.watching import Watching, watching

SERVER = "/usr/sbin/sshd"
RUNTIME = Path("/run/sshd")
"""Debian's server wants this empty folder, which its service would make."""
PAGE = 80
"""Where the machines serve their pages, since sshd has their port."""
Cell = tuple[float, bool, int]
CELLS: list[Cell] = list(itertools.product(RESUMES, (False, True), (4, 6)))


async def measure(folder: Path) -> dict[str, Any]:
    """``ssh``, a row for each cell, and from it ``ssh_failed`` and ``ssh_late_s``: how much later than its machine's
    resume the latest answer came, with the key exchange and the login in it."""
    key, server_key = _keys(folder)
    sleepers = [Sleeper(number, resume, port=PAGE) for number, (resume, _, _) in enumerate(CELLS)]
    async with network(sleepers) as net, _serving(sleepers, key, server_key):
        rows = []
        async with watching(net, folder / "state") as watcher:
            await watcher.sees(State.AWAKE, *sleepers)
            for sleeper, cell in zip(sleepers, CELLS, strict=True):
                rows.append(await _cell(net, watcher, sleeper, cell, key))
    late = [row["ssh_s"] - row["resume_s"] for row in rows if row["ssh_s"] is not None]
    return {
        "ssh": rows,
        "ssh_failed": len(rows) - len(late),
        "ssh_late_s": round(max(late), 3) if late else None,
    }


async def _cell(net: Network, watcher: Watching, sleeper: Sleeper, cell: Cell, key: Path) -> dict[str, Any]:
    resume, stale, version = cell
    net.cache(sleeper, stale)
    await watcher.sleep(sleeper)
    begun = time.monotonic()
    code, said = await net.run(
        "ssh", "-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=30",
        f"root@{sleeper.four if version == 4 else sleeper.six}", "cat /sys/class/net/eth0/address",
    )  # fmt: skip
    took = round(time.monotonic() - begun, 3)
    answered = code == 0 and said.strip() == str(sleeper.mac)
    return {
        "resume_s": resume, "stale": stale, "ip": version, "ssh_s": took if answered else None,
        "error": None if answered else said.strip()[:80],
    }  # fmt: skip


def _keys(folder: Path) -> tuple[Path, Path]:
    """One by which a person is known, and one by which all machines are."""
    made = folder / "person", folder / "machine"
    for key in made:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return made


@asynccontextmanager
async def _serving(sleepers: list[Sleeper], key: Path, server_key: Path) -> AsyncIterator[None]:
    """A server of its own in each machine's namespace, which knows nobody but the person with the key."""
    made = not RUNTIME.exists()
    RUNTIME.mkdir(mode=0o755, exist_ok=True)
    options = [
        f"Port={PORT}", f"HostKey={server_key}", f"AuthorizedKeysFile={key}.pub", "StrictModes=no", "PidFile=none",
        "PermitRootLogin=prohibit-password", "PasswordAuthentication=no", "UsePAM=no", "LogLevel=ERROR", "PrintMotd=no",
    ]  # fmt: skip
    command = [SERVER, "-D", "-e", "-f", "/dev/null", *itertools.chain(*(("-o", option) for option in options))]
    servers = [
        await asyncio.create_subprocess_exec("ip", "netns", "exec", sleeper.namespace, *command) for sleeper in sleepers
    ]
    try:
        yield
    finally:
        for server in servers:
            if server.returncode is None:
                server.terminate()
            await server.wait()
        if made:
            RUNTIME.rmdir()
