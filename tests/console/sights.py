"""What there is to see beside a fleet: an hour of traffic, parked messages, a data migration on its way, a journal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from midflight.conductor.data_objects import MigrationDetail, MigrationState
from midflight.conductor.interface import JournalEntry
from midflight.conductor.traffic import FINE_MINUTES, MINUTE, PIECE, Traffic
from midflight.console.passages import Passage, Rewrite
from midflight.transports.base import Address, ParkedMessage
from midflight.upgrade.chronicle import Chapter

NOW = datetime.now(UTC).replace(second=0, microsecond=0)


def minutes(number: int = 70, gap: range = range(20, 23)) -> list[Traffic]:
    """So many minutes before now, but for a gap: busier and busier, and slower in the middle."""
    return [_minute(number - n) for n in range(number) if n not in gap]


def in_pieces(number: int = 70) -> list[Traffic]:
    """The same as conductors tell it: the last ten minutes in tens of seconds, of which one was quiet."""
    told = minutes(number)[:-FINE_MINUTES]
    for before in range(10 * MINUTE // PIECE, 0, -1):
        since = NOW - timedelta(seconds=before * PIECE)
        minute = _minute(before * PIECE // MINUTE)
        calls = int(minute.calls / 6 * (1 + 0.25 * math.sin(before / 2.3) + 0.1 * (before % 3)))
        pairs = {pair: count // 6 for pair, count in minute.pairs.items()}
        told.append(
            Traffic(
                since=since,
                until=since + timedelta(seconds=PIECE),
                calls=calls if before != 33 else 4,
                failed=2 if before in (30, 31) else 0,
                p50=(minute.p50 or 0) * (1 + 0.1 * (before % 4)),
                p99=(minute.p99 or 0) * (1 + 0.3 * math.sin(before)),
                backports=sum(pairs.values()),
                pairs=pairs,
            )
        )
    return told


def compared() -> list[Traffic]:
    """The last five minutes, and the hour before them."""
    begins = NOW - timedelta(minutes=5)
    late = Traffic(since=begins, until=NOW, calls=15_330, p50=0.0048, p95=0.03, p99=0.058, backports=5_970)
    since = begins - timedelta(minutes=60)
    return [
        late,
        Traffic(since=since, until=begins, calls=168_480, failed=21, p50=0.005, p95=0.03, p99=0.081, backports=45_720),
    ]


def _minute(before: int) -> Traffic:
    since = NOW - timedelta(minutes=before)
    calls = int(60 * (40 + 25 * math.sin(before / 9) + before % 7))
    older = max(0, calls // 3 - 8 * before)
    return Traffic(
        since=since, until=since + timedelta(minutes=1), calls=calls, failed=calls // 400 if before in (30, 31) else 0,
        p50=0.004 + 0.001 * math.sin(before / 5), p95=0.02,
        p99=0.05 + (0.12 if 28 < before < 34 else 0.01 * (before % 3)),
        backports=older + older // 5,
        pairs={"Instance 1.17 1.16": older, "Flavor 1.1 1.0": older // 5} if older else {},
    )  # fmt: skip


def parked(number: int, **facts: str) -> ParkedMessage:
    """A build that an agent could not serve."""
    known = {
        "method": "compute.build_and_run_instance", "sender": "api@web-1", "sender_release": "kilo", "requested": "4.0",
        "understood": "3.35", "error": "VersionRejected", "parked_at": (NOW - timedelta(minutes=number)).isoformat(),
        "reason": "compute.build_and_run_instance 4.0 was asked for by api@web-1 (kilo), and 3.35 is served",
    }  # fmt: skip
    return ParkedMessage(Address("compute", "rack3-host03"), b"...", f"{number:04x}c0ffee{number:04x}", known | facts)


SOME_PARKED = [
    parked(31),
    parked(12, order="i-7", error="InterruptedWork", reason="a process was killed while it worked on this"),
    parked(11, order="i-7", behind=f"{12:04x}c0ffee{12:04x}"),
    parked(5, expires=str((NOW - timedelta(minutes=1)).timestamp())),
    parked(3, expires=str((NOW + timedelta(hours=2)).timestamp())),
]


def sweeping(**fields: Any) -> MigrationState:
    """Instances on their way, some of which cannot go now."""
    known = {
        "name": "migrate_flavor_data", "release": "kilo", "table": "instances", "state": "sweeping",
        "form": "both, read old", "wanted": "running", "looked": 61_240, "of": 184_000, "matched": 60_100,
        "completed": 58_911, "deferred": 1_189, "failed": 14,
        "deferred_by": {"resizing": 700, "migrating": 402, "task_state is deleting": 87},
    }  # fmt: skip
    return MigrationState(**(known | fields))


def detail(state: MigrationState) -> MigrationDetail:
    """All that is known of it."""
    return MigrationDetail(
        migration=state, holder="conductor.c-2.41", errors={"KeyError: 'instance_type_id'": 9, "ValueError: vcpus": 5},
        failed={"i-00017": "KeyError: 'instance_type_id'", "i-04711": "ValueError: vcpus is -1"},
        needs={"name_cells": True},
        pace={"target": 0.05, "duty": 0.5, "most_rows": 10_000, "rpc_p99": 1.0, "sql": [], "http": []},
    )  # fmt: skip


HEALTH = {
    "clock": [0.2, 5.0], "replica lag": [1.4, 10.0], "oldest transaction": [341.0, 300.0],
    "statements that wait for locks": [0.0, 5.0],
}  # fmt: skip


def journal() -> list[JournalEntry]:
    """Two days of an upgrade, with a storm of rejections in between."""
    return [
        JournalEntry(id=number, at=at, kind=kind, facts=facts)
        for number, (at, kind, facts) in enumerate(sorted(_happened(), key=lambda each: each[0]), 1)
    ]


def _happened() -> Iterator[tuple[datetime, str, dict[str, Any]]]:
    def ago(**time: float) -> datetime:
        return NOW - timedelta(**time)

    ann, bob = "ann, through operator@desk (kilo)", "operator@desk-2 (kilo)"
    yield ago(hours=40), "schema.applied", {"revision": "0002_flavors", "release": "kilo", "by": bob}
    yield ago(hours=40), "schema.expanded", {"release": "kilo", "revisions": ["0002_flavors"], "digest": "9f2a"}
    yield ago(hours=39), "pin.set", {"topic": "*", "release": "juno", "epoch": 4, "by": ann}
    for number in range(80):
        yield ago(hours=30, seconds=-number), "rpc.version_rejected", {"sender": "api@web-1", "method": "compute.build"}
    for number in range(30):
        yield ago(hours=20 - number / 3), "member.left", {"member": f"compute.rack1-host{number:02}.juno"}
    yield ago(hours=8), "gate.acknowledged", {
        "fact": "latency", "reason": "a backup runs until noon", "expires": "2030-01-01", "by": ann,
    }  # fmt: skip
    yield ago(hours=3), "parked.discarded", {"message_id": "0002c0ffee", "method": "compute.build", "by": ann}
    yield ago(hours=2), "migration.start", {"name": "migrate_flavor_data", "by": ann}
    yield ago(hours=2), "migration.sweeping", {"name": "migrate_flavor_data", "rows": 184_000}
    yield ago(minutes=12), "sweeper.pace", {"duty": 0.5, "by": bob}
    yield ago(minutes=3), "schema.held", {"revision": "0002c", "release": "kilo", "removes": ["instances.type_id"]}


PASSAGES = [
    Passage("icehouse", "juno", [], [Chapter("Instance 1.15 → 1.16", ("field host is new: str | None",))]),
    Passage(
        "juno", "kilo",
        [Rewrite("Instance", "crashed_was_called_shutdown", "older peers", True,
                 "Before 1.17 a machine that died by itself was like one that was shut down.")],
        [
            Chapter("Flavor 1.0 → 1.1", ("field description is new: str | None, default None",)),
            Chapter("Instance 1.16 → 1.17", ("field power_state: gained crashed", "field locked_by is new: str")),
            Chapter("compute 3.35 → 4.0", ("also serves 3.35", "endpoint reboot(hard) is new: bool, default False")),
        ],
    ),
]  # fmt: skip
