"""What many chunks of one data migration did, said as one."""

from __future__ import annotations

from collections import Counter

from midflight.conductor.data_objects import SweepResult
from midflight.migrations.progress import Progress


class Total:
    """Adds up chunks. Rows that are held up are those of the last pass, which its last chunk counts."""

    def __init__(self, table: str) -> None:
        self._table, self._completed = table, 0
        self._deferred, self._failed = Counter[str](), dict[str, str]()

    def add(self, result: SweepResult) -> None:
        """One more chunk."""
        self._completed += result.completed
        if result.more and not result.held:
            self._deferred.update(result.deferred)
            self._failed.update(result.failed)

    def result(self, last: SweepResult) -> SweepResult:
        """All of them, ended by this one."""
        deferred, failed = (self._deferred, self._failed) if last.more else (Counter(last.deferred), last.failed)
        matched = self._completed + (deferred.total() + len(failed) if last.more else last.matched - last.completed)
        progress = Progress(self._table, matched, self._completed, deferred, failed, more=last.more, proven=last.proven)
        return SweepResult(
            name=last.name, line=str(progress), exit_code=last.exit_code, matched=matched, completed=self._completed,
            deferred=dict(deferred), failed=dict(failed), more=last.more, proven=last.proven, state=last.state,
            looked=last.looked, of=last.of, stopped=last.stopped,
        )  # fmt: skip
