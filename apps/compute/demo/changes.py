"""Was an acknowledged change lost? What the load was promised, against what anybody saw afterwards.

Two proofs: every read of the load, from the moment of the acknowledgement on, must show the change as soon as it shows
an idle instance; and at the end the API, the rows, the agents' records and the processes must all show it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.raw import Request

FIELDS = {"resize": "flavor", "migrate": "host"}
"""The writes that set a field, and which."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One acknowledged change that was not there any more."""

    uuid: str
    op: str
    t: float
    what: str

    def __str__(self) -> str:
        return f"{self.op} of {self.uuid}, acknowledged at {self.t:.2f}: {self.what}"


@dataclass(slots=True)
class History:
    """All requests of the load about one instance, in order."""

    created: Request
    requests: list[Request] = field(default_factory=list)

    @property
    def uuid(self) -> str:
        """The instance."""
        return self.created.uuid

    @property
    def ended(self) -> Request | None:
        """The delete that was acknowledged, or is uncertain."""
        deletes = [r for r in self.requests if r.op == "delete" and (r.acknowledged or r.uncertain)]
        return deletes[0] if deletes else None

    @property
    def uncertain(self) -> bool:
        """Some write to it has an unknown outcome."""
        return any(r.uncertain and r.op not in ("read", "create") for r in self.requests)

    def promised(self, op: str, start: float = math.inf, end: float = math.inf) -> tuple[Request | None, set[Any]]:
        """What an idle instance must show in a look from ``start`` to ``end``: the last change that was acknowledged
        before, and all values that are right: its own, and those of writes that were under way or are uncertain."""
        writes = [r for r in self._sets(op) if r.t <= end and (r.acknowledged or r.uncertain)]
        done = [n for n, r in enumerate(writes) if r.acknowledged and r.end <= start]
        if not done:
            return None, set()
        return writes[done[-1]], {r.want[FIELDS[op]] for r in writes[done[-1] :]}

    def _sets(self, op: str) -> list[Request]:
        first = [self.created] if op == "resize" else []
        return first + [r for r in self.requests if r.op == op]

    def reboots(self, start: float = math.inf) -> list[Request]:
        """The reboots that were acknowledged before ``start``."""
        return [r for r in self.requests if r.op == "reboot" and r.acknowledged and r.end <= start]


def histories(requests: Iterable[Request]) -> list[History]:
    """One per instance whose creation was acknowledged, oldest first."""
    by_uuid: dict[str, list[Request]] = defaultdict(list)
    created: dict[str, Request] = {}
    for request in sorted(requests, key=lambda r: r.t):
        if request.op == "create" and request.acknowledged:
            created[request.uuid] = request
        elif request.uuid:
            by_uuid[request.uuid].append(request)
    return [History(first, by_uuid[uuid]) for uuid, first in created.items()]


def mismatches(history: History, seen: Mapping[str, Any], where: str, *span: float) -> Iterator[Loss]:
    """The promises that this view of an idle instance breaks; ``span`` is when it was looked at, else it is the end."""
    for op, name in FIELDS.items():
        promise, right = history.promised(op, *span)
        if promise and seen[name] not in right:
            expected = " or ".join(sorted(map(str, right)))
            yield Loss(history.uuid, promise.op, promise.end, f"{name} should be {expected}, {where} says {seen[name]}")
    reboots = history.reboots(*span[:1])
    if reboots and (seen["reboots"] or 0) < len(reboots):
        yield Loss(
            history.uuid, "reboot", reboots[-1].end, f"reboots should be {len(reboots)}, {where} says {seen['reboots']}"
        )


def stale_reads(history: History) -> Iterator[Loss]:
    """What the load itself read after it had been promised otherwise."""
    for read in history.requests:
        if read.op == "read" and read.acknowledged and read.saw["task_state"] is None:
            yield from mismatches(history, read.saw, f"a read at {read.t:.2f}", read.t, read.end)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of one instance at the end. ``api`` and ``row`` are None where it is gone."""

    api: dict[str, Any] | None
    row: dict[str, Any] | None
    alive: bool
    record: dict[str, Any] | None


def final(history: History, seen: Seen) -> Iterator[Loss]:
    """What is missing at the end."""
    ended = history.ended
    if ended and ended.acknowledged:
        yield from _should_be_gone(history, ended, seen)
    elif ended and seen.api is None and seen.row is None:
        return
    elif seen.api is None or seen.row is None:
        missing = "the API" if seen.api is None else "the rows"
        yield Loss(history.uuid, "create", history.created.end, f"{missing} lost it")
    else:
        yield from _broken_promises(history, {"the API": seen.api, "the row": seen.row})
        yield from _should_run(history, seen, seen.row["host"])


def _should_be_gone(history: History, ended: Request, seen: Seen) -> Iterator[Loss]:
    places = {
        "the API shows it": seen.api,
        "the rows hold it": seen.row,
        "its process runs": seen.alive,
        "its record is there": seen.record,
    }
    if still := [place for place, there in places.items() if there]:
        yield Loss(history.uuid, "delete", ended.end, ", ".join(still))


def _broken_promises(history: History, views: Mapping[str, dict[str, Any]]) -> Iterator[Loss]:
    for where, view in views.items():
        if view["vm_state"] == "active" and view["task_state"] is None:
            yield from mismatches(history, view, where)
        elif not history.uncertain:
            yield _latest(history, f"{where} says {view['vm_state']}, {view['task_state']}")


def _should_run(history: History, seen: Seen, host: str) -> Iterator[Loss]:
    if not seen.alive:
        yield Loss(history.uuid, "create", history.created.end, "no process runs")
    elif (seen.record or {}).get("host") != host:
        yield _latest(history, f"the row says {host}, the agents' record says {seen.record}", "migrate")


def _latest(history: History, what: str, op: str = "") -> Loss:
    """A loss of the last change that was acknowledged, of one kind or of any."""
    writes = [r for r in history.requests if r.op != "read" and r.acknowledged and op in ("", r.op)]
    change = writes[-1] if writes else history.created
    return Loss(history.uuid, change.op, change.end, what)


def distinct(losses: Iterable[Loss]) -> list[Loss]:
    """Each lost change once, however often it was missed; the first sight of it."""
    first: dict[tuple[str, str, float], Loss] = {}
    for loss in losses:
        first.setdefault((loss.uuid, loss.op, loss.t), loss)
    return list(first.values())
