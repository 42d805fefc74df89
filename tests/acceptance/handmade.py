"""A small run in raw files, made by hand: one instance of each fate, everything as promised.

A test changes one thing in it, and looks which figure moves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from demo.rows import Rows

KEPT, GONE = "uuid-kept", "uuid-gone"
FORMS = (
    "CREATE TABLE mf_forms (name TEXT PRIMARY KEY, form TEXT)",
    "CREATE TABLE mf_data_migrations (name TEXT PRIMARY KEY, completed INTEGER)",
    "CREATE TABLE instances (uuid TEXT PRIMARY KEY, host TEXT, vm_state TEXT, task_state TEXT, reboots INTEGER,"
    " flavor JSON)",
    "CREATE TABLE instance_system_metadata (instance_uuid TEXT, key TEXT, value TEXT)",
)


def view(**changed: Any) -> dict[str, Any]:
    """What is seen of the kept instance at the end."""
    return {"flavor": "large", "host": "agent-2", "vm_state": "active", "task_state": None, "reboots": 1} | changed


def request(t: float, op: str, uuid: str, **more: Any) -> dict[str, Any]:
    """One line of the load's log: acknowledged after 20 ms."""
    status = 200 if op == "read" else 202
    return {"t": t, "ms": 20.0, "op": op, "status": status, "uuid": uuid, "want": {}, "saw": {}, "error": ""} | more


class Handmade:
    """The files, as Python values that may be changed before ``write`` puts them where the observer looks."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.load = [
            request(10.0, "create", KEPT, want={"flavor": "small"}),
            request(10.1, "create", GONE, want={"flavor": "small"}),
            request(11.0, "resize", KEPT, want={"flavor": "large"}),
            request(12.0, "read", KEPT, saw=view(task_state="resizing", flavor="small", host="agent-1", reboots=0)),
            request(13.0, "read", KEPT, saw=view(host="agent-1", reboots=0)),
            request(13.1, "migrate", KEPT, want={"host": "agent-2"}),
            request(14.0, "reboot", KEPT),
            request(15.0, "delete", GONE),
            request(16.0, "read", KEPT, saw=view()),
        ]
        self.counts = {
            KEPT: [(70, n, 10.5 + n / 10) for n in range(1, 96)]
            + [(70, 95, 20.01, "paused"), (70, 95, 20.02, "resumed")],
            GONE: [(71, n, 10.6 + n / 10) for n in range(1, 46)],
        }
        self.witness: list[dict[str, Any]] = [
            {"t": 13.5, "kind": "forms", "unmigrated": list("abcdefghijk"), "completed": 0},
            {"t": 15.9, "kind": "forms", "unmigrated": [], "completed": 10},
            self.found(KEPT, view(), "agent-2"),
            self.found(GONE, None, None),
            {"t": 20.1, "kind": "catalogue", "tables": ["instances"]},
            {"t": 20.1, "kind": "engine", "engine": {"broker": "nats-server 2", "database": "SQLite 3"}},
        ]
        self.steps = [{"step": "control", "t": 10.0, "t1": 13.0}, {"step": "data", "t": 13.0, "t1": 20.0}]
        self.commands: list[dict[str, Any]] = [
            {
                "words": ["data", "run"],
                "code": 2,
                "lines": ["2 instances matched query, 0 completed (2 deferred: resizing 2)"],
            },
            {"words": ["data", "run"], "code": 0, "lines": ["10 instances matched query, 10 completed"]},
        ]
        self.fleet: list[dict[str, Any]] = [
            self.ready("api-1", "juno", 1),
            self.ready("api-1", "liberty", 2),
            {"t": 10.99, "event": "sigterm", "name": "api-1", "release": "juno", "pid": 1},
            {"t": 11.01, "event": "exited", "name": "api-1", "release": "juno", "pid": 1, "code": 0},
        ]
        self.logs = {
            "api-1.1.jsonl": [self.starting("juno"), self.counters(sender=1)],
            "api-1.2.jsonl": [self.starting("liberty"), self.counters(sender=3), self.counters(sender=7, reply=2)],
        }

    def found(self, uuid: str, seen: dict[str, Any] | None, host: str | None) -> dict[str, Any]:
        machine = self.machine(host is not None, host)
        return {"t": 20.0, "kind": "instance", "uuid": uuid, "api": seen, "row": seen, "machine": machine}

    @staticmethod
    def machine(alive: bool, host: str | None) -> dict[str, Any]:
        return {"alive": alive, "record": {"host": host} if host else None}

    @staticmethod
    def ready(name: str, release: str, pid: int) -> dict[str, Any]:
        tree = f"/srv/{release}"
        log = f"{name}.{pid}.jsonl"
        facts = {"name": name, "service": "api", "release": release, "pid": pid, "log": log}
        return {"t": 9.0 + pid / 10, "event": "ready", **facts, "cwd": tree, "tree": tree}

    @staticmethod
    def starting(release: str) -> dict[str, Any]:
        return {"event": "service.starting", "release": release, "code": f"/srv/{release}/compute"}

    @staticmethod
    def counters(**where: int) -> dict[str, Any]:
        kept = [{"name": "objects.backport", "value": n, "where": w, "object": "Instance"} for w, n in where.items()]
        return {"event": "telemetry.counters", "counters": [{"name": "rpc.calls", "value": 9}, *kept]}

    def write(self) -> Path:
        """All files; returns their directory."""
        for name in ("load", "witness", "steps", "commands", "fleet"):
            self._lines(self.run / f"{name}.jsonl", getattr(self, name))
        (self.run / "logs").mkdir()
        for name, events in self.logs.items():
            self._lines(self.run / "logs" / name, events)
        (self.run / "machines").mkdir()
        for uuid, counts in self.counts.items():
            text = "".join(f"{' '.join(map(str, count))}\n" for count in counts)
            (self.run / "machines" / f"{uuid}.count").write_text(text)
        return self.run

    @staticmethod
    def _lines(path: Path, objects: list[dict[str, Any]]) -> None:
        path.write_text("".join(f"{json.dumps(one)}\n" for one in objects))


def filled(url: str, old: str, new: str | None, form: str | None = None) -> Rows:
    """One instance in rows, whose two forms say these flavors."""
    rows = Rows(url)
    for statement in FORMS:
        rows.change(statement)
    stored = json.dumps({"name": new}) if new else None
    row = f"('{KEPT}', 'agent-2', 'active', NULL, 1, {'NULL' if stored is None else repr(stored)})"
    rows.change(f"INSERT INTO instances VALUES {row.replace(':', chr(92) + ':')}")
    rows.change("INSERT INTO instance_system_metadata VALUES (:uuid, 'instance_type_name', :old)", uuid=KEPT, old=old)
    if form:
        rows.change("INSERT INTO mf_forms VALUES ('migrate_flavor_data', :form)", form=form)
    return rows
