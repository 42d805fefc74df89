"""Commands, and a whole fleet of real processes on a broker and a database of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from midflight.transports.embedded import EmbeddedBroker

HERE = Path(__file__).parent.parent
PATIENCE = 60.0
"""Seconds that anything may take on a busy machine."""


@dataclass
class Outcome:
    """How a command ended, and what it wrote."""

    code: int
    out: str


@dataclass
class Fleet:
    """Where it keeps what it keeps, and the commands that see it."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str) -> Outcome:
        """Run a command in the project's folder, and wait for its end."""
        done = subprocess.run(
            command, cwd=HERE, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return Outcome(done.returncode, done.stdout)

    def midflight(self, *arguments: str) -> Outcome:
        """Run one of midflight's commands."""
        return self.run(sys.executable, "-m", "midflight.cli", *arguments)

    def ask(self, *arguments: str) -> Outcome:
        """Ask as a guest."""
        return self.run(sys.executable, "-m", "example_fleet", *arguments)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What the database says."""
        connection = sqlite3.connect(self.folder / "var" / "jobs.db", timeout=PATIENCE)
        try:
            found = connection.execute(statement).fetchall()
            connection.commit()
        finally:
            connection.close()
        return found

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until it is so."""
        end = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > end:
                logs = {log.name: log.read_text().splitlines()[-3:] for log in (self.folder / "var").glob("*.log")}
                raise AssertionError(f"{what} did not come about; the logs end with {json.dumps(logs, indent=2)}")
            time.sleep(0.1)


def configured(folder: Path, broker: str) -> Fleet:
    """The project's own configuration, with another broker, in this folder."""
    text = (HERE / "midflight.toml").read_text().replace("nats://127.0.0.1:4333", broker)
    config = folder / "midflight.toml"
    config.write_text(text)
    (folder / "var").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"MIDFLIGHT_CONFIG": str(config), "MIDFLIGHT_DATABASE": f"sqlite:///{folder}/var/jobs.db"}
    return Fleet(folder, {**os.environ, **settings, "PATH": path})


@pytest.fixture
def alone(tmp_path: Path) -> Fleet:
    """A configuration and nobody who runs."""
    return configured(tmp_path, "memory:nobody")


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """All services, each once at least. They run until the last test has ended."""
    folder = tmp_path_factory.mktemp("fleet")
    broker = EmbeddedBroker(folder / "broker")
    asyncio.run(broker.start())
    made = configured(folder, broker.url)
    try:
        up = made.run("./fleet", "up")
        assert up.code == 0, up.out
        made.until(lambda: "4 active" in made.midflight("fleet", "list").out, "a fleet of four")
        yield made
    finally:
        made.run("./fleet", "down")
        asyncio.run(broker.stop())
