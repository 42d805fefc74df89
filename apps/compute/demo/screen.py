"""What a person sees of a run: on a terminal a live table, elsewhere plain lines."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from demo.observer import percentile
from demo.raw import Request, Tail
from demo.report import steps_table

SHOWN = 12
"""Steps that stand below what is said; the rest would push it off a small terminal."""

BLANK: dict[str, object] = {"seconds": None, "requests": None, "failed": None, "p50": None, "p99": None}


class Progress:
    """The figures of the step that is going on, from what the load has logged so far."""

    def __init__(self, load_log: Path) -> None:
        self._tail = Tail(load_log)
        self._requests: list[Request] = []
        self._begun = time.monotonic()
        self.steps: list[dict[str, object]] = []

    def begin(self, step: str) -> None:
        """A new step: its figures start at nothing."""
        self.look()
        self._requests, self._begun = [], time.monotonic()
        self.steps.append({"step": step})

    def look(self) -> None:
        """Bring the last step's figures up to date."""
        self._requests += [Request(**line) for line in self._tail.fresh()]
        if self.steps:
            times = [request.ms for request in self._requests]
            self.steps[-1] |= {
                "seconds": round(time.monotonic() - self._begun, 1),
                "requests": len(times),
                "failed": sum(request.failed for request in self._requests),
                "p50": percentile(times, 0.50),
                "p99": percentile(times, 0.99),
            }


class Plain:
    """For files, pipes and CI: a line when something is said, and one with its figures when a step has ended."""

    def __init__(self, console: Console, load_log: Path) -> None:
        self._console, self._progress = console, Progress(load_log)

    def say(self, line: str) -> None:
        """One line, as it is."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self, step: str, title: str) -> None:
        """A step begins."""
        self._end()
        self._progress.begin(step)
        self.say(f"── {step}: {title}")

    def _end(self) -> None:
        self._progress.look()
        if self._progress.steps:
            figures = "{seconds} s, {requests} requests, {failed} failed, p50 {p50} ms, p99 {p99} ms"
            self.say(f"   {figures.format(**self._progress.steps[-1])}")

    @contextlib.asynccontextmanager
    async def showing(self, _: Callable[[], str]) -> AsyncIterator[None]:
        """Nothing to prepare."""
        yield
        self._end()


class Living:
    """For a terminal: what is said scrolls by, and below it stand the latest steps and who runs which release."""

    def __init__(self, console: Console, load_log: Path) -> None:
        self._console, self._progress = console, Progress(load_log)
        self._fleet: Callable[[], str] = str

    def say(self, line: str) -> None:
        """One line, above the table."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True, style="dim")

    def begin(self, step: str, title: str) -> None:
        """A step begins."""
        self._progress.begin(step)
        self._console.print(f"── {step}: {title}", style="bold", highlight=False)

    def _picture(self) -> Group:
        self._progress.look()
        latest = self._progress.steps[-SHOWN:]
        return Group(steps_table([BLANK | step for step in latest]), Text(self._fleet()))

    @contextlib.asynccontextmanager
    async def showing(self, fleet: Callable[[], str]) -> AsyncIterator[None]:
        """Draw until the block ends; ``fleet`` says who runs what."""
        self._fleet = fleet
        with Live(self._picture(), console=self._console, auto_refresh=False, transient=True) as live:
            drawing = asyncio.create_task(self._draw(live))
            try:
                yield
            finally:
                drawing.cancel()
                live.update(self._picture(), refresh=True)

    async def _draw(self, live: Live) -> None:
        while True:
            live.update(self._picture(), refresh=True)
            await asyncio.sleep(0.5)


Screen = Plain | Living


def screen(console: Console, load_log: Path) -> Screen:
    """What suits where the output goes."""
    return Living(console, load_log) if console.is_terminal else Plain(console, load_log)
