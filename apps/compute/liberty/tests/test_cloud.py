"""The services as processes of their own, on a broker of their own: what only they can show."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from compute.waiting import until
from midflight.transports.embedded import EmbeddedBroker

TREE = Path(__file__).parent.parent
MIDFLIGHT = Path(sys.executable).with_name("midflight")
CONFIG = """
[midflight]
project = "compute.project:project"
broker = "{broker}"
state = "{state}"
beat_seconds = 1

[app]
machines = "{machines}"
resize_seconds = 0.1
"""


class Fleet:
    """The processes of one cloud, in one folder."""

    def __init__(self, folder: Path, broker: str, listening: socket.socket) -> None:
        self.folder, self.broker, self.listening = folder, broker, listening
        self.running: dict[str, Process] = {}

    async def command(self, *words: str, name: str, database: bool) -> Process:
        config = self.folder / f"{name}.toml"
        machines, state = self.folder / "machines", self.folder / name
        config.write_text(CONFIG.format(broker=self.broker, state=state, machines=machines))
        url = {"MIDFLIGHT_DATABASE": f"sqlite:///{self.folder}/compute.db"} if database else {}
        with (self.folder / f"{name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                str(MIDFLIGHT), *words, "--config", str(config), cwd=TREE, stdin=DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **url, "LISTEN_FDS": "1"}, pass_fds=(3,),
                preexec_fn=lambda: os.dup2(self.listening.fileno(), 3),
            )  # fmt: skip

    async def start(self, name: str, service: str) -> None:
        """Start a member, and wait until it is ready."""
        log = self.folder / f"{name}.log"
        began = log.read_text().count("service.ready") if log.exists() else 0
        opens = service in ("api", "conductor")
        self.running[name] = await self.command("run", service, "--host", name, name=name, database=opens)
        assert await until(lambda: log.read_text().count("service.ready") > began, 60), log.read_text()

    async def operate(self, *words: str) -> int:
        """A command of the operator's, and how it ends."""
        return await (await self.command(*words, name="operator", database=False)).wait()

    async def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        process = self.running.pop(name)
        process.send_signal(how)
        return await process.wait()

    async def start_all(self) -> None:
        """One or two of each, on an expanded schema."""
        expanding = await self.command("db", "expand", name="operator", database=True)
        assert await expanding.wait() == 0
        await self.start("conductor-1", "conductor")
        agents, others = {"one": "compute", "two": "compute"}, {"scheduler-1": "scheduler", "api-1": "api"}
        for together in (agents, others):  # who joins later knows all who joined before
            await asyncio.gather(*(self.start(name, service) for name, service in together.items()))

    async def end(self) -> None:
        """Stop all; the machines end with their files."""
        codes = [await self.stop(name) for name in reversed(list(self.running))]
        for count in (self.folder / "machines").glob("*.count"):
            count.unlink()
        assert set(codes) <= {0}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    """A broker, and nothing that runs yet."""
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        broker = await EmbeddedBroker(tmp_path / "broker").start()
        stack.push_async_callback(broker.stop)
        fleet = Fleet(tmp_path, broker.url, listening)
        stack.push_async_callback(fleet.end)
        yield fleet


async def idle(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The instance, as soon as nobody works on it."""
    async with asyncio.timeout(30):
        while (shown := (await http.get(path)).json())["task_state"] is not None:
            await asyncio.sleep(0.05)
    found: dict[str, Any] = shown
    return found


async def test_an_instance_lives_on_while_its_agent_is_killed_and_replaced(fleet: Fleet, tmp_path: Path) -> None:
    """What is ordered meanwhile waits for the next agent, and the same process counts on, here and elsewhere, also when
    the operator has its host emptied, which gets nothing new until that is undone."""
    await fleet.start_all()
    url = f"http://127.0.0.1:{fleet.listening.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, headers={"X-Project": "red"}, timeout=10) as http:
        for name, memory in (("small", 512), ("large", 2048)):
            await http.post("/flavors", json={"name": name, "memory_mb": memory, "vcpus": 1})
        created = await http.post("/instances", json={"display_name": "first", "flavor": "small"})
        path, uuid = f"/instances/{created.json()['uuid']}", created.json()["uuid"]
        built = await idle(http, path)
        assert (created.status_code, built["vm_state"]) == (202, "active")

        await fleet.stop(built["host"], signal.SIGKILL)
        assert (await http.post(f"{path}/resize", json={"flavor": "large"})).status_code == 202
        await fleet.start(built["host"], "compute")
        assert (await idle(http, path))["flavor"]["name"] == "large"

        assert (await http.post(f"{path}/migrate")).status_code == 202
        assert {built["host"], (await idle(http, path))["host"]} == {"one", "two"}
        assert (await http.post(f"{path}/reboot")).status_code == 202
        assert (await idle(http, path))["reboots"] == 1

        emptied = (await http.get(path)).json()["host"]
        assert await fleet.operate("fleet", "drain", emptied) == 0
        assert (await idle(http, path))["host"] != emptied
        second = await http.post("/instances", json={"display_name": "second", "flavor": "small"})
        assert second.json()["host"] != emptied
        assert await fleet.operate("fleet", "drain", emptied, "--undo") == 0
        third = await http.post("/instances", json={"display_name": "third", "flavor": "small"})
        assert third.json()["host"] == emptied
        for each in (second, third):
            await idle(http, f"/instances/{each.json()['uuid']}")

        counted = [line.split() for line in (tmp_path / "machines" / f"{uuid}.count").read_text().splitlines()]
        assert len({line[0] for line in counted}) == 1
        assert [line[3] for line in counted if line[3:]] == ["started", "rebooted"]

        assert (await http.delete(path)).status_code == 202
        async with asyncio.timeout(30):
            while (await http.get(path)).status_code != 404:
                await asyncio.sleep(0.05)
        assert (tmp_path / "machines" / f"{uuid}.count").read_text().endswith(" ended\n")


async def test_an_agent_that_is_given_a_database_does_not_start(fleet: Fleet, tmp_path: Path) -> None:
    """It exits with 64 and says what is wrong."""
    agent = await fleet.command("run", "compute", "--host", "three", name="three", database=True)
    assert await agent.wait() == 64
    said = (tmp_path / "three.log").read_text()
    assert "Service compute works without a database, and was given sqlite:///" in said
    assert "Traceback" not in said
