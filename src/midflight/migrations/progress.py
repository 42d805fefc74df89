"""What a sweep says of itself: a line for the operator, numbers for machines, an exit code for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from midflight.migrations.state import Position, State


@dataclass(frozen=True)
class Progress:
    """What one chunk did. As text it is the line for the operator: ``10 instances matched query, 10 completed``.

    ``matched`` are the rows whose new form was missing or said something else than the old one, the deferred and the
    failed among them. A chunk that ends a pass of verifying counts all rows that are still left.
    """

    table: str
    matched: int = 0
    completed: int = 0
    deferred: Mapping[str, int] = field(default_factory=dict)
    """Reason → rows."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Key, as text → error; of very many, the first."""
    failures: int = 0
    """How many rows failed, the unnamed among them."""
    more: bool = False
    """There are rows that this chunk did not come to: run it again."""
    proven: bool = False
    """All rows of the table were compared in the end, and agree."""
    looked: int = 0
    """Rows that this chunk looked at."""
    state: State = State.PROVEN
    at: Position = field(default_factory=Position)
    """Where the pass is now."""

    def __str__(self) -> str:
        line = f"{self.matched} {self.table} matched query, {self.completed} completed"
        parts = [part for part in (self._deferred_text(), self._failed_text()) if part]
        if self.more and not self.matched:
            parts.append("not all rows were looked at yet")
        return f"{line} ({'; '.join(parts)})" if parts else line

    @property
    def exit_code(self) -> int:
        """0 nothing is left, and that is proven; 1 there is more to do; 2 only deferred rows are left; 3 rows fail."""
        if self.more:
            return 1
        if self.failed:
            return 3
        if self.deferred:
            return 2
        return 0 if self.proven and (self.completed or not self.matched) else 1

    def _deferred_text(self) -> str:
        by_number = sorted(self.deferred.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{reason} {rows}" for reason, rows in by_number)
        return f"{sum(self.deferred.values())} deferred: {reasons}" if reasons else ""

    def _failed_text(self) -> str:
        return f"{max(self.failures, len(self.failed))} failed" if self.failed else ""
