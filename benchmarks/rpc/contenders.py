"""The processes of a contender, and the brokers between them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midflight.transports.embedded import EmbeddedBroker
from tests.transports.rabbit import Rabbit

ROOT = Path(__file__).parent.parent.parent
END_SECONDS = 30.0


@asynccontextmanager
async def brokers(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The URLs of a nats-server and of a RabbitMQ that nobody else uses."""
    rabbit = Rabbit(folder / "rabbit")
    try:
        async with EmbeddedBroker(folder / "nats") as nats:
            yield {"nats": nats.url, "amqp": (await rabbit.start()).url}
    finally:
        rabbit.stop()


class Process:
    """One process of a contender, which has said that it is ready."""

    def __init__(self, module: str, role: str, broker: str, folder: Path, python: str = sys.executable) -> None:
        folder.mkdir(parents=True)
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-m", "benchmarks.rpc.worker", module, role, broker, str(folder)],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._hear()

    def ask(self, question: str) -> Any:
        """The answer to one line. Raises RuntimeError when the process has died."""
        asked = self._process.stdin
        assert asked is not None
        asked.write(question + "\n")
        asked.flush()
        return self._hear()

    def _hear(self) -> Any:
        answers = self._process.stdout
        assert answers is not None
        answer = answers.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} died")
        return json.loads(answer)

    @property
    def cpu_seconds(self) -> float:
        """What all of its threads have used so far."""
        return time.clock_gettime(~self._process.pid << 3 | 2)  # clock_getcpuclockid(3), which Python does not have

    def end(self) -> None:
        """Let it go."""
        try:
            self._process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True)
class Contender:
    """One who asks and one who is asked. Several may ask the same one."""

    client: Process
    server: Process

    def run(self, load: str, in_flight: int, seconds: float) -> dict[str, float]:
        """The times of one turn, and the CPU seconds that a thousand calls took on both sides."""
        before = self.client.cpu_seconds + self.server.cpu_seconds
        found: dict[str, float] = self.client.ask(f"{load} {in_flight} {seconds}")
        used = self.client.cpu_seconds + self.server.cpu_seconds - before
        return found | {"cpu": used / found["calls"] * 1000}
