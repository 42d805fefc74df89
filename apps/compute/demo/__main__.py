"""``python -m demo``: see the package."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from demo import report
from demo.observer import observe
from demo.road import until, walk
from demo.screen import screen
from demo.size import Size, parse
from demo.stage import staged
from demo.step import Step

NEEDS_A_PERSON, USAGE, INTERRUPTED = 3, 64, 130


async def main(size: Size, steps: tuple[Step, ...], console: Console) -> int:
    """Go these steps of the road, show what the observer found, and say by the exit code whether it is as promised."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    build = Path(size.build)
    (build / "report.json").unlink(missing_ok=True)
    view = screen(console, build / "run" / "load.jsonl")
    async with staged(size, build / "run", view.say) as stage, view.showing(stage.fleet.described):
        stopped = await walk(stage, view.begin, steps)
    figures = observe(build / "run") | {"stopped": stopped, "broken": size.break_}
    report.write(figures, build / "report.json")
    report.show(figures, console)
    wrong = report.wrong(figures, size.requests)
    for line in wrong or ["nobody noticed"]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return NEEDS_A_PERSON if wrong else 0


def console() -> Console:
    """The terminal as it is; elsewhere lines may be long."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def run() -> int:
    """The command."""
    size = parse(sys.argv[1:])
    try:
        steps = until(size.until)
        return asyncio.run(main(size, steps, console()))
    except ValueError as wrong:
        print(f"python -m demo: error: argument --until: {wrong}", file=sys.stderr)
        return USAGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run())
