"""What benchmarks of fleets share: a real conductor in a process of its own, and what processes cost."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

_TICK = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def conductor(folder: Path, project: str, broker: str, database: str, *paths: Path) -> AsyncIterator[Process]:
    """A conductor of a project that is found in one of these ``paths``, on a database whose schema is there; ready."""
    config = {"project": project, "broker": broker, "database": database}
    lines = "\n".join(f"{entry} = {json.dumps(said)}" for entry, said in config.items())
    (folder / "conductor.toml").write_text(f"[midflight]\n{lines}\n")
    where = os.pathsep.join(map(str, (ROOT / "src", ROOT, *paths)))
    words = ("-m", "midflight.cli", "run", "conductor", "--config", str(folder / "conductor.toml"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=folder, env=os.environ | {"PYTHONPATH": where, "MIDFLIGHT_LOG": "info"},
        stdout=DEVNULL, stderr=PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    async for line in process.stderr:
        if b"service.ready" in line:
            break
    reading = asyncio.create_task(process.stderr.read())
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()
        await reading


@dataclass
class Watched:
    """The processes whose time is measured, by name; ours is measured too."""

    pids: dict[str, int]
    ours: str = "agents"
    at: str = "start"
    """The step that is under way."""
    spent: dict[str, float] = field(default_factory=dict)
    beating: dict[str, float] = field(default_factory=dict)
    """Seconds of CPU that each takes in a second in which the fleet only beats: no part of what is done meanwhile."""

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each has taken until now."""
        others = {name: _cpu_of(pid) for name, pid in self.pids.items()}
        return {**others, self.ours: time.process_time()}

    def memory(self) -> dict[str, int]:
        """Bytes of memory that each has now."""
        return {name: _memory_of(pid) for name, pid in {**self.pids, self.ours: os.getpid()}.items()}

    @contextmanager
    def step(self, name: str, pieces: int) -> Iterator[None]:
        """Note the milliseconds of time, and of each process's CPU and of all together, for each piece of work in the
        block; less what the fleet takes by ``beating`` while it lasts."""
        self.at, before, began = name, self.cpu(), time.monotonic()
        yield
        total, passed = max(1, pieces), time.monotonic() - began
        self.spent[f"{name}_ms"] = 1000 * passed / total
        beaten = {who: passed * self.beating.get(who, 0.0) for who in before}
        taken = {
            who: 1000 * max(0.0, seconds - before[who] - beaten[who]) / total for who, seconds in self.cpu().items()
        }
        self.spent[f"{name}_cpu_ms"] = sum(taken.values())
        self.spent |= {f"{name}_{who}_cpu_ms": spent for who, spent in taken.items()}


def _cpu_of(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


def _memory_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024
