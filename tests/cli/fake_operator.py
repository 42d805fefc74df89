"""An operator without a fleet: it answers what a test gave it, and notes what it was asked to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from midflight.conductor.data_objects import Comparison, MigrationDetail, ProofResult, SweepResult
from midflight.conductor.interface import Fleet, JournalEntry, Member, VersionsAtRest
from midflight.transports.base import ParkedMessage
from midflight.upgrade.verdict import Verdict
from midflight.versions import Manifest


class FakeOperator:
    """``late`` have not acknowledged anything; ``chunks`` are what the sweeps will say, one after the other; ``rows``
    is what is at rest, or why nobody can say."""

    def __init__(
        self,
        fleet: Fleet,
        late: Iterable[Member] = (),
        chunks: Iterable[SweepResult] = (),
        rows: VersionsAtRest | Exception | None = None,
    ) -> None:
        self.acts: list[str] = []
        self.noted: list[tuple[str, str, str, bool]] = []
        self.entries: list[JournalEntry] = []
        self.kept: list[ParkedMessage] = []
        self.detail: MigrationDetail | None = None
        self.compared: list[Comparison] = []
        self.overtaken_by = ""
        """The pin that another operator sets right after ours."""
        self.left: list[list[str] | None] = []
        self.understood: dict[str, Manifest] = {}
        self._rows = rows or VersionsAtRest()
        self._fleet, self._late, self._chunks = fleet, list(late), list(chunks)

    async def fleet(self) -> Fleet:
        return self._fleet

    async def set_pin(self, topic: str, release: str) -> int:
        self.acts.append(f"pin {topic} {release}")
        self._fleet.pins = {**self._fleet.pins, topic: self.overtaken_by or release}
        return 5

    async def clear_pin(self, topic: str) -> int:
        self.acts.append(f"clear {topic}")
        self._fleet.pins = {pinned: release for pinned, release in self._fleet.pins.items() if pinned != topic}
        return 5

    async def retire(self, member: str) -> None:
        self.acts.append(f"retire {member}")

    async def note(self, verdict: Verdict, target: str, *, soaks: bool = False) -> None:
        self.noted.append((verdict.step, target, verdict.status.value, soaks))

    async def journal(self, after: int | None, kinds: Sequence[str] = (), limit: int = 100) -> list[JournalEntry]:
        self.acts.append(f"journal {after} {' '.join(kinds)} {limit}".replace("  ", " "))
        if after is None:
            return self.entries[-limit:]
        if self.entries and after == self.entries[-1].id:
            raise KeyboardInterrupt  # who follows has seen all
        return [entry for entry in self.entries if entry.id > after][:limit]

    async def drain(self, member: str, *, undo: bool = False) -> list[str] | None:
        self.acts.append(f"{'undrain' if undo else 'drain'} {member}")
        return [] if undo else self.left.pop(0)

    async def manifests(self, fleet: Fleet, known: Mapping[str, Manifest] | None = None) -> dict[str, Manifest]:
        return self.understood

    async def acknowledge(self, fact: str, reason: str, seconds: float) -> datetime:
        self.acts.append(f"acknowledge {fact} for {seconds:g} s: {reason}")
        return datetime(2030, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)

    async def withdraw(self, fact: str) -> None:
        self.acts.append(f"withdraw {fact}")

    async def parked(self) -> list[ParkedMessage]:
        return self.kept

    async def replay(self, message: ParkedMessage) -> None:
        self.acts.append(f"replay {message.message_id}")

    async def discard(self, message: ParkedMessage) -> bool:
        self.acts.append(f"discard {message.message_id}")
        return message.message_id != "gone-1"

    async def sweep(self, name: str, limit: int) -> SweepResult:
        self.acts.append(f"sweep {name} {limit}")
        return self._chunks.pop(0)

    async def sweep_paced(self, name: str) -> SweepResult:
        self.acts.append(f"chunk of {name}")
        return self._chunks.pop(0)

    async def retry(self, name: str) -> SweepResult:
        self.acts.append(f"retry {name}")
        return self._chunks.pop(0)

    async def steer(self, name: str, act: str) -> None:
        self.acts.append(f"{act} {name}")

    async def brake(self, on: bool) -> None:
        self.acts.append(f"brake {on}")

    async def pace(self, changes: dict[str, Any]) -> dict[str, Any]:
        msgspec.msgpack.encode(changes)  # what cannot travel is refused
        self.acts.append(f"pace {changes}")
        return {"target": 0.05, "duty": 0.5, "sql": []} | changes

    async def migration(self, name: str) -> MigrationDetail:
        assert self.detail is not None
        return self.detail

    async def compare(self, name: str, after: list[Any], limit: int, *, sample: bool = False) -> Comparison:
        self.acts.append(f"compare {name} {after} {limit} {sample}")
        return self.compared.pop(0)

    async def prove(self, name: str) -> ProofResult:
        self.acts.append(f"prove {name}")
        return ProofResult(
            name=name, checked=14, proven=True, sql="SELECT count(*) FROM items WHERE NOT (cents IS NOT NULL)",
            seconds=0.5, releases={"kilo": 2},
        )  # fmt: skip

    async def advance_form(self, name: str, to: str) -> int:
        self.acts.append(f"{name} to {to}")
        return 6

    async def raise_store_floor(self, release: str) -> None:
        self.acts.append(f"floor {release}")

    async def versions_at_rest(self) -> VersionsAtRest:
        if isinstance(self._rows, Exception):
            raise self._rows
        return self._rows

    async def wait_for(self, epoch: int, seconds: float, late: Any = None) -> list[Member]:
        self.acts.append(f"wait {epoch}")
        return self._late


def employ(monkeypatch: pytest.MonkeyPatch, operator: FakeOperator) -> FakeOperator:
    """Let every command meet this operator."""

    @asynccontextmanager
    async def operating(*_: object) -> AsyncIterator[FakeOperator]:
        yield operator

    nouns = "ack", "background", "data", "fleet", "journal", "metrics", "parked", "pin", "release", "upgrade", "why"
    for noun in nouns:
        monkeypatch.setattr(f"midflight.cli.{noun}.operating", operating)
    monkeypatch.setattr("midflight.upgrade.doctor.operating", operating)
    return operator
