"""The command line: its nouns, and how each ending becomes an exit code.

One table for all commands: 0 done, pass, nothing to do · 1 progress made, more to do, or warnings only · 2 blocked by
a named check · 3 needs a person · 4 unknown, a fact is missing or stale · 64 usage · 70 internal · 75 try again ·
78 version skew at start · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, UnusedCliTokensError

from midflight import telemetry
from midflight.errors import MidflightError, UsageError

USAGE, INTERNAL, INTERRUPTED = 64, 70, 130

LOG_VARIABLE = "MIDFLIGHT_LOG"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

NOUNS = {
    "run": ("midflight.cli.run:run", "Run one service of the project until it is told to stop."),
    "db": ("midflight.cli.db:app", "The schema: expand it, and see how it stands."),
    "data": ("midflight.cli.data:app", "Online data migrations: let rows catch up while everything works."),
    "pin": ("midflight.cli.pin:app", "The wire floor: in whose versions the fleet speaks."),
    "fleet": ("midflight.cli.fleet:app", "The members: who runs what, where, and how lately it was heard."),
    "upgrade": ("midflight.cli.upgrade:app", "The way from one release to the next, step by step."),
    "release": ("midflight.cli.release:app", "Frozen releases: what each understands."),
}


def build() -> App:
    """The command tree. A noun's module is imported only when the noun is used."""
    app = App(
        name="midflight",
        help="Distributed Python services that are upgraded while they work.",
        version=lambda: version("midflight"),
        help_format="markdown",
        help_formatter="default" if sys.stdout.isatty() else "plain",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (name, (path, summary)) in enumerate(NOUNS.items()):
        app.command(path, name=name, help=summary, sort_key=place)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Every error is told in one line on standard error."""
    try:
        telemetry.configure(level=_log_level(os.environ))
        answer = build()(arguments, exit_on_error=False, print_error=False)
        return answer if isinstance(answer, int) else 0
    except CycloptsError as wrong:
        return _fail(_usage(wrong), USAGE)
    except MidflightError as wrong:
        return _fail(str(wrong), wrong.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as wrong:  # noqa: BLE001  # whatever else it is, an operator gets one line and an exit code
        telemetry.log.critical("cli.crashed", exc_info=True)
        return _fail(f"this is a bug in midflight or in the project: {wrong!r}; the log has its traceback.", INTERNAL)


def _log_level(environment: Mapping[str, str]) -> str:
    """What a command logs to standard error: by MIDFLIGHT_LOG, else only what is wrong. A service logs more."""
    level = environment.get(LOG_VARIABLE, "warning")
    if level not in LOG_LEVELS:
        raise UsageError(reason=f"received {LOG_VARIABLE}={level}, expected one of {', '.join(LOG_LEVELS)}")
    return level


def _usage(wrong: CycloptsError) -> str:
    text = str(wrong)
    if isinstance(wrong, UnusedCliTokensError):
        text = f"received {' '.join(wrong.unused_tokens or ())!r}, which is more than the command takes"
    return f"{text.rstrip('.')}. See --help."


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
