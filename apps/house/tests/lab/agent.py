"""The agent of a machine, as a process in the machine's namespace: the real sleeper service, whose way to sleep is a
command. What that suspends is the laboratory's: the machine's programs stand still, its interface goes down, and its
card listens."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from tests.lab.house import BROKER
from tests.lab.network import Sleeper
from tests.lab.unit import Unit

_SUSPENDED = Path(__file__).with_name("suspended.py")
_CONFIG = """[midflight]
project = "house.project:project"
broker = "{broker}"
state = "{folder}/state-{name}"
beat_seconds = 1

[app.sleeper]
interface = "eth0"
method = "command"
command = ["sh", "-c", "echo > {request}"]
logind = false
wake_on_lan = false
quiet_seconds = {quiet}
look_seconds = 0.5
refused_seconds = 1

[app.sleeper.checks.connections]
ports = [{port}]
"""


class Agent(Unit):
    """It may be stopped and started again while its machine is awake."""

    def __init__(self, sleeper: Sleeper, folder: Path, quiet_seconds: float = 1.0) -> None:
        name = sleeper.name
        config, request, self._slept = (folder / f"{name}.{kind}" for kind in ("toml", "sleeps", "slept"))
        config.write_text(
            _CONFIG.format(
                broker=BROKER, folder=folder, name=name, request=request, quiet=quiet_seconds, port=sleeper.port
            )
        )
        self._slept.write_text("0")
        command = [sys.executable, "-P", str(_SUSPENDED), "run", "sleeper", "--host", name, "--config", str(config)]
        super().__init__(name, sleeper.namespace, folder, command, SLEPT=str(self._slept))
        os.mkfifo(request)
        self._requests = os.open(request, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._requests, self._suspend)
        self._sleeper, self._since = sleeper, 0.0
        sleeper.programs = self._runs

    async def end(self) -> None:
        """It is needed no more."""
        asyncio.get_running_loop().remove_reader(self._requests)
        os.close(self._requests)
        await super().end()

    def _suspend(self) -> None:
        os.read(self._requests, 100)
        self._sleeper.suspend()

    def _runs(self, on: bool) -> None:
        if on:
            slept = float(self._slept.read_text()) + time.monotonic() - self._since
            self._slept.write_text(str(slept))
        else:
            self._since = time.monotonic()
        self.runs(on)
