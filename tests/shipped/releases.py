"""What is shipped: the releases of the applications, and how a cloud of them is asked to work."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError

ROOT = Path(__file__).parents[2]
TREES = {"juno": "apps/compute/juno", "kilo": "apps/compute/kilo", "house": "apps/house"}
"""The folders with the sources, by what their releases are called."""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "MIDFLIGHT_LOG": "info",
}
PROJECT = {"X-Project": "red"}
PATIENCE = 120.0
"""Seconds for whatever is only waited for; a busy machine needs some."""


def app_of(release: str) -> str:
    """compute or house."""
    return Path(TREES[release]).parts[1]


def run(*command: str | Path, **environment: str) -> str:
    """What a command writes; it must succeed."""
    done = subprocess.run(
        [*map(str, command)], cwd=ROOT, env=ENVIRONMENT | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command} ends with {done.returncode}: {done.stdout[-3000:]}"
    return done.stdout


class Started:
    """A service, from its word that it is ready. Whoever has told it to stop calls ``ends_well``; else it is killed."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            environment = ENVIRONMENT | environment
            self._process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        deadline = time.monotonic() + PATIENCE
        while '"service.ready"' not in (said := self._log.read_text()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise AssertionError(f"it does not serve: {said[-3000:]}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def ends_well(self) -> None:
        """By itself, with 0, having left its fleet."""
        code = self._process.wait(PATIENCE)
        assert (code, '"service.stopped"' in self._log.read_text()) == (0, True), self._log.read_text()[-3000:]


def asked(port: int, path: str, **body: Any) -> Any:
    """What the cloud's API answers, to a POST where there is a body."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, PROJECT)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def boot(port: int) -> dict[str, Any]:
    """An instance in the cloud, once an agent has made a machine of it."""
    deadline = time.monotonic() + PATIENCE
    asked(port, "/flavors", name="small", memory_mb=512, vcpus=1)
    while True:
        try:
            uuid = asked(port, "/instances", display_name="first", flavor="small")["uuid"]
            break
        except HTTPError as answer:
            if answer.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise
            time.sleep(0.1)  # nobody has told the scheduler of an agent yet
    while (instance := asked(port, f"/instances/{uuid}"))["task_state"] is not None:
        assert time.monotonic() < deadline, instance
        time.sleep(0.1)
    assert instance["vm_state"] == "active", instance
    return dict(instance)
