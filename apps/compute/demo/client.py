"""The HTTP API as its user sees it: one method per request, each written to the raw log, none ever repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from demo.http import Answer, ask
from demo.raw import Journal

FLAVORS = {
    "small": {"memory_mb": 512, "vcpus": 1, "root_gb": 5},
    "medium": {"memory_mb": 1024, "vcpus": 2, "root_gb": 10},
    "large": {"memory_mb": 4096, "vcpus": 4, "root_gb": 40},
    "huge": {"memory_mb": 16384, "vcpus": 8, "root_gb": 160},
}


def view(instance: dict[str, Any]) -> dict[str, Any]:
    """What of an instance is written down when it is read."""
    flavor = instance.get("flavor") or {}
    facts = {name: instance.get(name) for name in ("host", "vm_state", "task_state", "reboots")}
    return {"flavor": flavor.get("name"), **facts}


def idle(instance: dict[str, Any]) -> bool:
    """Nothing is going on with it: it may be asked to change."""
    return instance["task_state"] is None and instance["vm_state"] == "active"


class Client:
    """Asks the API on one port and logs every request, when its answer is here or will not come."""

    def __init__(self, port: int, journal: Journal) -> None:
        self.port, self.requests = port, 0
        self._journal = journal

    async def _ask(
        self,
        op: str,
        method: str,
        path: str,
        body: object = None,
        *,
        uuid: str = "",
        want: dict[str, Any] | None = None,
        sent: Callable[[], None] | None = None,
    ) -> Answer:
        start = time.monotonic()
        answer = await ask(self.port, method, path, body, sent=sent)
        ms = (time.monotonic() - start) * 1000
        self.requests += 1
        instance = answer.body if answer.ok and isinstance(answer.body, dict) and "uuid" in answer.body else {}
        self._journal.write(
            t=round(start, 4),
            ms=round(ms, 2),
            op=op,
            status=answer.status,
            uuid=uuid or instance.get("uuid", ""),
            want=want or {},
            saw=view(instance) if instance else {},
            error=answer.error or ("" if answer.ok else str(answer.body)[:200]),
        )
        return answer

    async def flavors(self) -> Answer:
        """List the flavors."""
        return await self._ask("flavors", "GET", "/flavors")

    async def new_flavor(self, name: str) -> Answer:
        """Create one of FLAVORS."""
        return await self._ask("flavor", "POST", "/flavors", {"name": name, **FLAVORS[name]})

    async def groups(self) -> Answer:
        """List the security groups."""
        return await self._ask("groups", "GET", "/security-groups")

    async def list(self) -> Answer:
        """List all instances."""
        return await self._ask("list", "GET", "/instances")

    async def read(self, uuid: str) -> Answer:
        """Show one instance."""
        return await self._ask("read", "GET", f"/instances/{uuid}", uuid=uuid)

    async def create(self, name: str, flavor: str) -> Answer:
        """Ask for a new instance."""
        body = {"display_name": name, "flavor": flavor, "metadata": {"made_by": "demo"}}
        return await self._ask("create", "POST", "/instances", body, want={"flavor": flavor})

    async def resize(self, uuid: str, flavor: str, sent: Callable[[], None] | None = None) -> Answer:
        """Ask for another flavor."""
        want = {"flavor": flavor}
        return await self._ask("resize", "POST", f"/instances/{uuid}/resize", want, uuid=uuid, want=want, sent=sent)

    async def reboot(self, uuid: str, sent: Callable[[], None] | None = None) -> Answer:
        """Ask for a reboot."""
        return await self._ask("reboot", "POST", f"/instances/{uuid}/reboot", {}, uuid=uuid, sent=sent)

    async def migrate(self, uuid: str, host: str, sent: Callable[[], None] | None = None) -> Answer:
        """Ask for a live migration."""
        want = {"host": host}
        return await self._ask("migrate", "POST", f"/instances/{uuid}/migrate", want, uuid=uuid, want=want, sent=sent)

    async def pause(self, uuid: str) -> Answer:
        """Ask it to stand still."""
        return await self._ask("pause", "POST", f"/instances/{uuid}/pause", {}, uuid=uuid)

    async def resume(self, uuid: str) -> Answer:
        """Ask it to go on."""
        return await self._ask("resume", "POST", f"/instances/{uuid}/resume", {}, uuid=uuid)

    async def delete(self, uuid: str) -> Answer:
        """Ask for its end."""
        return await self._ask("delete", "DELETE", f"/instances/{uuid}", uuid=uuid)
