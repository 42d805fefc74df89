"""The command line: its nouns, and how each ending becomes an exit code.

One table for all commands: 0 done, pass, nothing to do · 1 progress made, more to do, or warnings only · 2 blocked by
a named check · 3 needs a person · 4 unknown, a fact is missing or stale · 64 usage · 70 internal · 75 try again ·
78 version skew at start · 130 interrupted · 141 who read the output has gone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from io import TextIOWrapper

from cyclopts import App, CycloptsError, UnusedCliTokensError

from midflight import telemetry
from midflight.cli.examples import lines_of
from midflight.cli.output import NotWritten, Output, Page, writing
from midflight.errors import MidflightError, UsageError
from midflight.telemetry import printable

HELP = {"--help", "-h"}
USAGE, INTERNAL, AGAIN, INTERRUPTED, UNREAD = 64, 70, 75, 130, 141
UNFOLDED = 10_000
"""Columns of a help page that no terminal shows: whoever reads it folds its lines."""

LOG_VARIABLE = "MIDFLIGHT_LOG"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

NOUNS = {
    "init": ("midflight.cli.init:init", "Make a project that runs and passes its tests at once."),
    "doctor": ("midflight.cli.doctor:doctor", "What is wrong here, and how to mend it."),
    "run": ("midflight.cli.run:run", "Run one service of the project until it is told to stop."),
    "db": ("midflight.cli.db:app", "The schema: expand it, and see how it stands."),
    "data": ("midflight.cli.data:app", "Online data migrations: let rows catch up while everything works."),
    "pin": ("midflight.cli.pin:app", "The wire floor: in whose versions the fleet speaks."),
    "fleet": ("midflight.cli.fleet:app", "The members: who runs what, where, and how lately it was heard."),
    "parked": ("midflight.cli.parked:app", "Parked messages: casts that no one could serve, until somebody decides."),
    "metrics": (
        "midflight.cli.metrics:metrics",
        "The fleet's gates, members, pins and migrations, for Prometheus.",
    ),
    "upgrade": ("midflight.cli.upgrade:app", "The way from one release to the next, step by step."),
    "console": ("midflight.cli.console:app", "The fleet in a browser."),
    "broker": ("midflight.cli.broker:app", "The broker: what each member may say there, and by what it is known."),
    "documents": (
        "midflight.cli.documents:documents",
        "What each command writes with --json, as JSON Schema.",
    ),
    "release": ("midflight.cli.release:app", "Frozen releases: what each understands."),
    "completion": ("midflight.cli.completion:completion", "What completes these commands in a shell."),
}


def build() -> App:
    """The command tree. A noun's module is imported only when the noun is used."""
    terminal = sys.stdout.isatty()
    app = App(
        name="midflight",
        console=Page() if terminal else Page(width=UNFOLDED),
        help="Distributed Python services that are upgraded while they work.",
        version=lambda: version("midflight"),
        help_format="markdown" if terminal else "plaintext",
        help_formatter="default" if terminal else "plain",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (name, (path, summary)) in enumerate(NOUNS.items()):
        app.command(path, name=name, help=summary, sort_key=place)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Every error is told in one line on standard error, and with --json also
    as a document on standard output."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a poor locale is no reason to say nothing
    try:
        code = _run(given, Output(json="--json" in given))
        with writing():
            sys.stdout.flush()
    except NotWritten as lost:
        return _unread(lost)
    return code


def _run(given: list[str], out: Output) -> int:
    try:
        telemetry.configure(level=_log_level(os.environ))
        _refuse_bytes(given)
        app = build()
        _refuse_half(app, given)
        _teach(app, given)
        answer = app(given, exit_on_error=False, print_error=False)
        return answer if isinstance(answer, int) else 0
    except CycloptsError as wrong:
        return _fail(out, UsageError.__name__, _usage(wrong), USAGE)
    except MidflightError as wrong:
        return _fail(out, type(wrong).__name__, str(wrong), wrong.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except NotWritten:
        raise
    except Exception as wrong:  # noqa: BLE001  # whatever else it is, an operator gets one line and an exit code
        telemetry.log.critical("cli.crashed", exc_info=True)
        said = f"this is a bug in midflight or in the project: {wrong!r}; the log has its traceback."
        return _fail(out, type(wrong).__name__, said, INTERNAL)


def _refuse_bytes(given: list[str]) -> None:
    """What is no text comes as half characters, which nothing can be called, and no message can carry."""
    for word in given:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(reason=f"received {word!r}, expected text in UTF-8") from None


def _refuse_half(app: App, given: list[str]) -> None:
    """A noun alone asks for nothing: an unset variable in a script must not pass for a check that passed."""
    words, apps, rest = app.parse_commands(given)
    if apps[-1].default_command is None and not rest:
        verbs = ", ".join(name for name in apps[-1] if not name.startswith("-"))
        raise UsageError(reason=f"{' '.join((*app.name, *words))} needs a command: {verbs}. See --help")


def _teach(app: App, given: list[str]) -> None:
    """The page of the command that is asked for ends with examples."""
    if HELP.isdisjoint(given):
        return
    words, apps, _ = app.parse_commands([word for word in given if word not in HELP])
    if examples := lines_of(" ".join(words)):
        apps[-1].help_epilogue = f"Examples:\n\n{examples}"


def _log_level(environment: Mapping[str, str]) -> str:
    """What a command logs to standard error: by MIDFLIGHT_LOG, else only what is wrong. A service logs more."""
    level = environment.get(LOG_VARIABLE, "warning")
    if level not in LOG_LEVELS:
        raise UsageError(reason=f"received {LOG_VARIABLE}={level}, expected one of {', '.join(LOG_LEVELS)}")
    return level


def _usage(wrong: CycloptsError) -> str:
    text = str(wrong)
    if isinstance(wrong, UnusedCliTokensError):
        left = [*(wrong.unused_tokens or ())]
        text = f"received {' '.join(left)!r}, which is more than the command takes{_meant(wrong, left[0])}"
    return f"{text.rstrip('.')}. See --help."


def _meant(wrong: UnusedCliTokensError, word: str) -> str:
    """Where a command has others below it, the word may be one of these with a slip."""
    verbs = wrong.command_chain and build()[wrong.command_chain[0]]
    return f'. Did you mean "{near[0]}"?' if verbs and (near := get_close_matches(word, [*verbs])) else ""


def _fail(out: Output, kind: str, message: str, code: int) -> int:
    print(f"error: {printable(message)}", file=sys.stderr)
    out.document({"error": {"kind": kind, "message": message, "exit_code": code}})
    return code


def _unread(lost: NotWritten) -> int:
    """What is still in the buffer would be tried again, and told with a traceback, when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(lost.__cause__ or lost.__context__, BrokenPipeError):
        return UNREAD
    print(f"error: standard output cannot be written: {lost}.", file=sys.stderr)
    return AGAIN
