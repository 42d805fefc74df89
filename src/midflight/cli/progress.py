"""How far a data migration is, while somebody watches: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from midflight.conductor.data_objects import SweepResult
from midflight.upgrade.speed import Speed, span

LINE_SECONDS = 10.0
"""How often a line is written where there is no terminal."""


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
