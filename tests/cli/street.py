"""A shop with branches: one tree for each release, and the processes that run from them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds that a process may take to start on a busy machine."""
COMMAND = [sys.executable, "-m", "midflight.cli"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)


class Shop:
    """One tree with its configuration."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder, self._broker = folder, broker

    def configure(self, **settings: str | float) -> Path:
        """Write midflight.toml; the settings are added to those that every shop has."""
        known: dict[str, str | float] = {"project": "shop:project", "broker": self._broker, "call_seconds": 0.5}
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in {**known, **settings}.items()]
        path = self.folder / "midflight.toml"
        path.write_text("[midflight]\n" + "".join(lines))
        return path

    def edit(self, old: str, new: str) -> None:
        """Change the project file."""
        path = self.folder / "shop.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


class Street:
    """A fleet of real processes of two releases."""

    def __init__(self, folder: Path, broker: str, trees: Path, command: Callable[..., Outcome]) -> None:
        self.folder, self.database, self._command = folder, folder / "shop.db", command
        self._running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        for release in ("juno", "kilo"):
            shutil.copytree(trees / release, folder / release)
            Shop(folder / release, broker).configure(state=str(folder / "state"), beat_seconds=0.5, call_seconds=15)

    def midflight(self, release: str, *arguments: str) -> Outcome:
        """Run one command from the tree of a release, in this process: an operator has many, and they are short."""
        return self._command(self.folder / release, *arguments)

    def run(self, release: str, service: str, host: str) -> Outcome:
        """Start a service, and wait for its end."""
        done = subprocess.run(
            [*COMMAND, "run", service, "--host", host],
            cwd=self.folder / release,
            env=self._environment(service),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, release: str, service: str, host: str) -> None:
        """Start a service from the tree of a release; its log goes into a file."""
        with (self.folder / f"{service}-{host}.log").open("ab") as log:
            self._running[service, host] = subprocess.Popen(
                [*COMMAND, "run", service, "--host", host],
                cwd=self.folder / release,
                env=self._environment(service),
                stdout=log,
                stderr=log,
            )

    def members(self, count: int) -> list[dict[str, Any]]:
        """The members, once so many take work."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            listed = self.midflight("kilo", "fleet", "list", "--json")
            found: list[dict[str, Any]] = listed.document["members"] if listed.code == 0 else []
            if sum(bool(member["topics"]) for member in found) == count:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{count} members never came: {listed}")

    def stop(self, service: str, host: str) -> int:
        """Let one drain and leave; its exit code."""
        process = self._running.pop((service, host))
        process.send_signal(signal.SIGTERM)
        return process.wait(60)

    def stop_all(self) -> None:
        """End all that still runs, at once."""
        for process in self._running.values():
            process.kill()
            process.wait()

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the database says, past the framework."""
        connection = sqlite3.connect(self.database)
        try:
            found = connection.execute(statement, parameters).fetchall()
            connection.commit()
        finally:
            connection.close()
        return found

    @property
    def url(self) -> str:
        """The database's."""
        return f"sqlite:///{self.database}"

    def _environment(self, service: str) -> dict[str, str]:
        url = {"MIDFLIGHT_DATABASE": self.url} if service == "conductor" else {}
        return {name: value for name, value in os.environ.items() if not name.startswith("MIDFLIGHT_")} | url
