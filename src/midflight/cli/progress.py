"""How far a data migration is, while somebody watches: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from midflight.conductor.data_objects import SweepResult

LINE_SECONDS = 10.0
"""How often a line is written where there is no terminal."""
_CHUNKS = 20
"""The speed is that of so many chunks."""


class Speed:
    """How many rows a second, from the last chunks and the pauses between them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque(maxlen=_CHUNKS + 1)

    def looked(self, rows: int) -> None:
        """So many rows of the pass were looked at by now; fewer than before in a new pass."""
        if self._marks and rows < self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((self._clock(), rows))

    @property
    def rate(self) -> float:
        """Rows a second over these chunks."""
        if len(self._marks) < 2:
            return 0.0
        (begun, first), (ended, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(ended - begun, 1e-6)

    def left(self, rows: int) -> tuple[float, float] | None:
        """Within which seconds so many rows are likely to be done: at the speed of the quicker chunks, and of the
        slower ones. None where nobody can say."""
        marks = list(self._marks)
        rates = sorted(
            (later[1] - earlier[1]) / max(later[0] - earlier[0], 1e-6) for earlier, later in itertools.pairwise(marks)
        )
        if len(rates) < 4 or not rates[len(rates) // 4]:
            return None
        return rows / rates[len(rates) * 3 // 4], rows / rates[len(rates) // 4]


def span(seconds: tuple[float, float] | None) -> str:
    """A range of time: ``12–15 s``, ``3–4 min``."""
    if seconds is None:
        return "?"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds[1] >= 2 * size:
            return _between(seconds[0] / size, seconds[1] / size, unit)
    return _between(seconds[0], seconds[1], "s")


def _between(low: float, high: float, unit: str) -> str:
    first, last = max(1, round(low)), max(1, round(high))
    return f"{last} {unit}" if first >= last else f"{first}–{last} {unit}"


class Shown:
    """What is shown of one migration."""

    def __init__(self, say: Callable[[str], None], bar: tuple[Progress, TaskID] | None, name: str) -> None:
        self._say, self._bar, self._name = say, bar, name
        self._speed, self._last_line, self._last_held = Speed(), time.monotonic(), ""

    def chunk(self, result: SweepResult) -> None:
        """A chunk was done, or held up."""
        if not result.held:
            self._speed.looked(result.looked)
        if self._bar:
            progress, task = self._bar
            progress.update(task, words=self._words(result))
            if not result.held:
                progress.update(task, completed=result.looked, total=max(result.of, result.looked, 1))
        else:
            self._write(result)

    def _write(self, result: SweepResult) -> None:
        new_reason = result.held != self._last_held
        self._last_held = result.held
        due = time.monotonic() - self._last_line >= LINE_SECONDS
        if (result.held and new_reason) or due:
            self._last_line = time.monotonic()
            self._say(f"{self._name}: {self._words(result)}")

    def _words(self, result: SweepResult) -> str:
        if result.held:
            return f"held: {result.held}"
        left = self._speed.left(max(0, result.of - result.looked))
        done = f"{result.looked:,} of about {max(result.of, result.looked):,}"
        return f"{result.state} {done} rows, {self._speed.rate:,.0f}/s, {span(left)} left"


@contextmanager
def shown(console: Console | None, say: Callable[[str], None], name: str) -> Iterator[Shown]:
    """Show one migration while the block runs: as a bar on this console, which is a terminal, or by lines."""
    if console is None:
        yield Shown(say, None, name)
        return
    columns = (TextColumn(name), BarColumn(), TextColumn("{task.fields[words]}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        yield Shown(say, (progress, progress.add_task(name, total=None, words="begins")), name)
