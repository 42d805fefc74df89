"""A cloud in one process's memory that answers as the compute API does: what the load client can be tested against."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

WORKS = 0.05
"""Seconds that every change takes."""


class FakeCloud:
    """``requests`` are all that came, as method and path; ``conflicts`` are the refused writes."""

    def __init__(self, hosts: list[str]) -> None:
        self.hosts = hosts
        self.instances: dict[str, dict[str, Any]] = {}
        self.flavors = [{"name": "small"}]
        self.requests: list[tuple[str, str]] = []
        self.conflicts = 0
        self.broken: str = ""
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeCloud]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n")[0].split()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length"))
        body = json.loads(await reader.readexactly(length)) if length else {}
        self.requests.append((method, path))
        if self.broken == "reset":
            writer.transport.abort()
            return
        status, answer = (500, {"error": "broken"}) if self.broken else self._answer(method, path, body)
        content = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
        writer.close()

    def _answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if parts[0] == "flavors":
            return self._flavors(method, body)
        if parts[0] == "security-groups":
            return 200, {"security_groups": []}
        if len(parts) == 1:
            return self._create(body) if method == "POST" else (200, {"instances": list(self.instances.values())})
        if parts[1] not in self.instances:
            return 404, {"error": "no such instance"}
        return self._one(method, self.instances[parts[1]], parts[2:], body)

    def _flavors(self, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "GET":
            return 200, {"flavors": self.flavors}
        self.flavors.append(body)
        return 201, body

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        number = len(self.requests)
        instance = {
            "id": number,
            "uuid": f"uuid-{number}",
            "host": self.hosts[number % len(self.hosts)],
            "vm_state": "building",
            "task_state": "spawning",
            "flavor": {"name": body["flavor"]},
            "reboots": 0,
        }
        self.instances[f"uuid-{number}"] = instance
        self._later(instance, vm_state="active")
        return 202, instance

    def _one(self, method: str, instance: dict[str, Any], act: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        if method == "GET":
            return 200, instance
        if instance["task_state"] is not None:
            self.conflicts += 1
            return 409, {"error": "busy"}
        instance["task_state"] = "working"
        if method == "DELETE":
            del self.instances[instance["uuid"]]
        elif act == ["resize"]:
            self._later(instance, flavor={"name": body["flavor"]})
        elif act in (["pause"], ["resume"]):
            self._later(instance, vm_state={"pause": "paused", "resume": "active"}[act[0]])
        elif act == ["migrate"]:
            self._later(instance, host=body["host"])
        else:
            self._later(instance, reboots=instance["reboots"] + 1)
        return 202, instance

    def _later(self, instance: dict[str, Any], **change: Any) -> None:
        asyncio.get_running_loop().call_later(WORKS, lambda: instance.update(change, task_state=None))
