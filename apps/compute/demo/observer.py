"""The observer: computes the report from raw files alone. It imports nothing of midflight and asks it nothing.

requests, failed, steps        load.jsonl and steps.jsonl
instances_interrupted          the machines' count files
lost_updates                   load.jsonl against the reads in it and witness.jsonl
rejected_versions, backports   the services' logs
migrated, deferred             the lines that ``midflight data run`` printed, checked against the rows
paused                         the machines' count files
old_home                       the catalogue, as the witness found it in the end
releases                       /proc, checked against the services' logs
restarts                       fleet.jsonl against load.jsonl
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from demo import members, raw
from demo.changes import History, Loss, Seen, distinct, final, histories, stale_reads
from demo.counts import Stalls, interruption, pauses
from demo.raw import PAUSES, WRITES, Request
from demo.rows import OLD_HOME

CHUNK_LINE = re.compile(r"^(?:\w+: )?(\d+) instances matched query, (\d+) completed(?: \((?:(\d+) deferred)?.*\))?$")
"""What ``midflight data run`` prints for one chunk."""


def observe(run: Path) -> dict[str, Any]:
    """The report of the run whose raw files are in this directory."""
    requests = raw.requests(run / "load.jsonl")
    steps, fleet = list(raw.lines(run / "steps.jsonl")), list(raw.lines(run / "fleet.jsonl"))
    lives = histories(requests)
    witnessed = {line["uuid"]: line for line in raw.lines(run / "witness.jsonl") if line["kind"] == "instance"}
    interrupted = interruptions(lives, witnessed, run / "machines")
    losses = lost(lives, witnessed)
    logged, processes = members.events(run / "logs"), members.runs(fleet, run / "logs")
    rejected = members.rejections(logged)
    return {
        "steps": [step_figures(step, requests) for step in steps],
        "requests": len(requests),
        "failed": sum(r.failed for r in requests),
        "mix": mix(requests),
        "instances": len(lives),
        "instances_interrupted": len(interrupted),
        "lost_updates": len(losses),
        "rejected_versions": sum(entry["messages"] for entry in rejected),
        "backports": members.backports(logged),
        **data_figures(run),
        "paused": sum(map(pauses, (run / "machines").glob("*.count"))),
        "old_home": old_home(run),
        "restarts": restarts(fleet, requests),
        "releases": members.releases(processes),
        "disagreeing": [vars_of(process) for process in processes if not process.agrees],
        "seconds": round(steps[-1]["t1"] - steps[0]["t"], 1) if steps else 0.0,
        "engine": engine(run),
        "details": {
            "failed": [failure(r) for r in requests if r.failed][:50],
            "interrupted": interrupted,
            "lost": [str(loss) for loss in losses],
            "rejected": rejected,
        },
    }


def step_figures(step: dict[str, Any], requests: Sequence[Request]) -> dict[str, Any]:
    """One step's part of the load: the requests that were sent while it lasted."""
    inside = [r for r in requests if step["t"] <= r.t < step["t1"]]
    return {
        "step": step["step"],
        "seconds": round(step["t1"] - step["t"], 1),
        "requests": len(inside),
        "failed": sum(r.failed for r in inside),
        "p50": percentile([r.ms for r in inside], 0.50),
        "p99": percentile([r.ms for r in inside], 0.99),
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share of them lies (nearest rank); None of nothing."""
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 1) if ranked else None


def mix(requests: Sequence[Request]) -> dict[str, float]:
    """The share of each kind of the steady load, in percent; everything that changes nothing is a read."""
    kinds = Counter(r.op if r.op in WRITES else "read" for r in requests if r.op not in PAUSES)
    return {op: round(100 * kinds[op] / max(1, kinds.total()), 1) for op in ("read", *WRITES)}


def failure(request: Request) -> str:
    """One failed request in words."""
    reason = request.error or ("too late" if request.acknowledged else "no 2xx")
    return f"{request.op} {request.uuid} at {request.t:.2f}: status {request.status}, {request.ms:.0f} ms, {reason}"


def interruptions(lives: Iterable[History], witnessed: dict[str, dict[str, Any]], machines: Path) -> dict[str, str]:
    """By uuid, what interrupted it while it was alive: until its end was asked for, or until it was looked at last."""
    found, stalls = {}, Stalls.of(machines.glob("*.count"))
    for life in lives:
        counted = machines / f"{life.uuid}.count"
        until = life.ended.t if life.ended else witnessed.get(life.uuid, {}).get("t", 0.0)
        if counted.exists() and (wrong := interruption(counted, until, stalls)):
            found[life.uuid] = wrong
    return found


def lost(lives: Iterable[History], witnessed: dict[str, dict[str, Any]]) -> list[Loss]:
    """Every acknowledged change that somebody missed, in a read of the load or at the end."""
    found: list[Loss] = []
    for life in lives:
        found += stale_reads(life)
        if life.uuid in witnessed:
            seen = witnessed[life.uuid]
            found += final(life, Seen(seen["api"], seen["row"], **seen["machine"]))
        else:
            found.append(Loss(life.uuid, "create", life.created.end, "nobody looked at the end"))
    return distinct(found)


def data_figures(run: Path) -> dict[str, Any]:
    """What the data migration's printed lines say, and whether the rows say the same."""
    printed = [line for command in raw.lines(run / "commands.jsonl") for line in command["lines"]]
    chunks = [match for line in printed if (match := CHUNK_LINE.match(line))]
    migrated, deferred = sum(int(m[2]) for m in chunks), sum(int(m[3] or 0) for m in chunks)
    looks = [line for line in raw.lines(run / "witness.jsonl") if line["kind"] == "forms"]
    return {"migrated": migrated, "deferred": deferred, "rows_disagree": disagreement(migrated, looks)}


def disagreement(migrated: int, looks: Sequence[dict[str, Any]]) -> str:
    """Where the printed lines and the rows contradict each other; ``looks`` are from before and after the migration."""
    if len(looks) < 2:
        return "nobody looked at the rows before and after the data migration"
    before, after = looks[0], looks[-1]
    if after["unmigrated"]:
        return f"{len(after['unmigrated'])} rows have not the new form: {', '.join(after['unmigrated'][:5])}"
    if migrated > len(before["unmigrated"]):
        return f"{migrated} rows were completed, it printed, but only {len(before['unmigrated'])} were to be done"
    if after["completed"] != migrated:
        return f"{migrated} rows were completed, it printed, {after['completed']} it wrote down"
    return ""


def old_home(run: Path) -> list[str] | None:
    """The tables of the catalogue in which flavors lay, whatever they are called by now; None if nobody looked."""
    looks = [line["tables"] for line in raw.lines(run / "witness.jsonl") if line["kind"] == "catalogue"]
    return [table for table in looks[-1] if OLD_HOME in table] if looks else None


def restarts(fleet: Iterable[dict[str, Any]], requests: Sequence[Request]) -> list[dict[str, Any]]:
    """Every process that was stopped while the load was on, and the writes that were under way meanwhile."""
    writes = [request for request in requests if request.op in WRITES]
    begun: dict[int, dict[str, Any]] = {}
    found = []
    for event in fleet:
        if event["event"] == "sigterm":
            begun[event["pid"]] = event
        elif event["event"] == "exited" and event["pid"] in begun:
            found.append(_restart(begun[event["pid"]], event, writes))
    return found


def _restart(sigterm: dict[str, Any], exited: dict[str, Any], writes: Sequence[Request]) -> dict[str, Any]:
    start, end = sigterm["t"], exited["t"]
    return {
        "member": exited["name"],
        "release": exited["release"],
        "seconds": round(end - start, 2),
        "writes_in_flight": sum(r.t <= start <= r.end for r in writes),
        "writes_meanwhile": sum(r.t <= end and r.end >= start for r in writes),
    }


def engine(run: Path) -> dict[str, str]:
    """Broker and database, as the witness found them."""
    found = [line["engine"] for line in raw.lines(run / "witness.jsonl") if line["kind"] == "engine"]
    return dict(found[-1]) if found else {}


def vars_of(process: members.Run) -> dict[str, str]:
    """A process whose sources disagree, in full."""
    return {name: getattr(process, name) for name in process.__slots__}
