"""What the services themselves logged, and which code the kernel says they ran."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.raw import lines


@dataclass(frozen=True, slots=True)
class Run:
    """One process of a member: what the supervisor started, what /proc showed, what the process said of itself."""

    name: str
    release: str
    tree: str
    cwd: str
    said: str
    code: str

    @property
    def agrees(self) -> bool:
        """All sources name the same release and the same place."""
        return self.said == self.release and self.cwd == self.tree and Path(self.code).is_relative_to(self.tree)


def runs(fleet: Iterable[dict[str, Any]], logs: Path) -> list[Run]:
    """Every process that became ready, in order."""
    return [_run(event, logs / event["log"]) for event in fleet if event["event"] == "ready"]


def _run(event: dict[str, Any], log: Path) -> Run:
    said = next((line for line in lines(log) if line.get("event") == "service.starting"), {})
    seen = {name: str(event[name]) for name in ("name", "release", "tree", "cwd")}
    return Run(**seen, said=str(said.get("release")), code=str(said.get("code")))


def releases(all_runs: Iterable[Run]) -> dict[str, list[dict[str, str]]]:
    """By member, the releases that it ran, one after the other, each with the code path."""
    by_name: dict[str, list[dict[str, str]]] = defaultdict(list)
    for run in all_runs:
        by_name[run.name].append({"release": run.release, "code": run.code})
    return dict(by_name)


def events(logs: Path) -> list[dict[str, Any]]:
    """All events of all services; each knows its log file as ``log``."""
    return [{**line, "log": path.name} for path in sorted(logs.glob("*.jsonl")) for line in lines(path)]


PARTIES = ("sender", "sender_release", "pin_epoch", "receiver", "receiver_release", "method", "requested", "understood")


def rejections(all_events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What receivers could not serve: the facts, how many ``messages``, and the logs of both ends that name them.

    Each is in its sender's log, unless that was killed meanwhile; a receiver tells of each sender once a minute.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for event in all_events:
        if event.get("event") == "rpc.version_rejected":
            facts = {name: str(event.get(name)) for name in PARTIES}
            blank = {**facts, "messages": 0, "receiver_logs": [], "sender_logs": []}
            entry = found.setdefault(tuple(facts.values()), blank)
            entry[f"{event['side']}_logs"].append(event["log"])
    for entry in found.values():
        entry["messages"] = max(len(entry["sender_logs"]), len(entry["receiver_logs"]))
        for side in ("sender_logs", "receiver_logs"):
            entry[side] = list(dict.fromkeys(entry[side]))
    return list(found.values())


def backports(all_events: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many objects were made older, by who did it: the sender, the writer of a reply, or a receiver."""
    last_of: dict[str, list[dict[str, Any]]] = {}
    for event in all_events:
        if event.get("event") == "telemetry.counters":
            last_of[event["log"]] = event["counters"]
    total: Counter[str] = Counter(sender=0, reply=0, receiver=0)
    for counters in last_of.values():
        total.update({c["where"]: 0 for c in counters if "where" in c})
        for counter in counters:
            if counter["name"] == "objects.backport":
                total[counter["where"]] += counter["value"]
    return dict(total)
