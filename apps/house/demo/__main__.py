"""``python -m demo``: see the package."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from demo import figures, story
from demo.stage import Broken, Stage, staged

REPORT = Path(__file__).parents[3] / "build" / "demo" / "house.json"
CHAPTER_SECONDS = 300.0
"""What takes longer than this will not happen."""
NEEDS_A_PERSON, USAGE, INTERRUPTED = 3, 64, 130


class Told:
    """What a person sees of a run: plain lines, each with the seconds since it began."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    def __call__(self, line: str) -> None:
        """One line, at once."""
        print(f"{self.seconds:5.1f} s  {line}", flush=True)


async def main(short: bool, report: Path) -> int:
    """Tell the story, and say by the exit code whether all was as promised."""
    _end_by_signal()
    say = Told()
    report.unlink(missing_ok=True)
    cast, rooms = (story.SHORT_CAST, story.SHORT_ROOMS) if short else (story.CAST, story.ROOMS)
    async with staged(cast, rooms, say) as stage:
        stopped = await _tell(stage, short)
        found = figures.of(stage, upgraded=not short) | {"seconds": round(say.seconds, 1), "stopped": stopped}
    figures.write(found, report)
    for name, value in found.items():
        print(f"         {name:<22} {value}")
    wrong = figures.wrong(found)
    for line in wrong or ["nobody waited in vain, nobody was woken for nothing, and each room played what it should"]:
        say(line)
    return NEEDS_A_PERSON if wrong else 0


def _end_by_signal() -> None:
    """Ctrl-C ends the story, and what was set up is taken down; a second one changes nothing of that."""
    task = asyncio.current_task()
    assert task

    def end() -> None:
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)


async def _tell(stage: Stage, short: bool) -> str | None:
    """Chapter by chapter; what kept the story from its end, in words."""
    for chapter in story.SHORT if short else story.CHAPTERS:
        stage.say(f"── {(chapter.__doc__ or '').strip().splitlines()[0]}")
        try:
            async with asyncio.timeout(CHAPTER_SECONDS):
                await chapter(stage)
        except (Broken, AssertionError, TimeoutError) as wrong:
            return f"{chapter.__name__}: {wrong or 'it took too long'}"
    return None


def run() -> int:
    """The command."""
    arguments = argparse.ArgumentParser(
        prog="python -m demo", description="A house that sleeps, wakes and is upgraded."
    )
    arguments.add_argument("--short", action="store_true", help="two machines, two rooms, and no upgrade")
    arguments.add_argument("--report", type=Path, default=REPORT, help="where the figures are written")
    try:
        given = arguments.parse_args()
    except SystemExit as ended:
        return USAGE if ended.code else 0
    if os.geteuid() != 0:
        print("error: the demo makes networks of its own in namespaces, which needs root: sudo make demo APP=house")
        return USAGE
    try:
        return asyncio.run(main(given.short, given.report))
    except asyncio.CancelledError:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run())
