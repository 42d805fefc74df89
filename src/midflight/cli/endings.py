"""How each ending of a command becomes an exit code, and what is said of it.

One table for all commands: 0 done, pass, nothing to do · 1 progress made, more to do, or warnings only · 2 blocked by
a named check · 3 needs a person · 4 unknown, a fact is missing or stale · 64 usage · 70 internal · 75 try again ·
78 version skew at start · 130 interrupted · 141 who read the output has gone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

import msgspec

from midflight import telemetry
from midflight.errors import MidflightError, UsageError
from midflight.spelling import meant
from midflight.telemetry import printable

INTERNAL, AGAIN, INTERRUPTED, UNREAD = 70, 75, 130, 141

LOG_VARIABLE = "MIDFLIGHT_LOG"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class NotWritten(Exception):
    """Standard output takes nothing more: who read it has gone (by a BrokenPipeError), or its disk is full."""


@contextmanager
def writing() -> Iterator[None]:
    """Raises NotWritten for what keeps the block from writing to standard output."""
    try:
        yield
    except OSError as wrong:
        raise NotWritten(wrong.strerror) from wrong


def ended(command: Callable[[], int], *, json: bool) -> int:
    """Run a command; returns its exit code. Every error is told in one line on standard error, and with ``json`` also
    as a document on standard output."""
    _open_what_was_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a poor locale is no reason to say nothing
    try:
        code = _code(command, json)
        with writing():
            sys.stdout.flush()
    except NotWritten as lost:
        return _unread(lost)
    return code


def _open_what_was_closed() -> None:
    """A stream that was closed before the start is None: who asks whether it is a terminal fails, and ``print`` takes
    standard output for standard error. What is said to it goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  # for as long as the process lives


def _code(command: Callable[[], int], json: bool) -> int:
    try:
        telemetry.configure(level=_log_level(os.environ))
        return command()
    except MidflightError as wrong:
        return _fail(json, type(wrong).__name__, str(wrong), wrong.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except NotWritten:
        raise
    except Exception as wrong:  # noqa: BLE001  # whatever else it is, an operator gets one line and an exit code
        telemetry.log.critical("cli.crashed", exc_info=True)
        said = f"this is a bug in midflight or in the project: {wrong!r}; the log has its traceback."
        return _fail(json, type(wrong).__name__, said, INTERNAL)


def _log_level(environment: Mapping[str, str]) -> str:
    """What a command logs to standard error: by MIDFLIGHT_LOG, else only what is wrong. A service logs more."""
    level = environment.get(LOG_VARIABLE, "warning")
    if level not in LOG_LEVELS:
        known = ", ".join(LOG_LEVELS) + meant(level, LOG_LEVELS)
        raise UsageError(reason=f"received {LOG_VARIABLE}={level}, expected one of {known}")
    return level


def _fail(json: bool, kind: str, message: str, code: int) -> int:
    print(f"error: {printable(message)}", file=sys.stderr)
    if json:
        document = msgspec.json.encode({"error": {"kind": kind, "message": message, "exit_code": code}})
        with writing():
            sys.stdout.write(msgspec.json.format(document).decode() + "\n")
    return code


def _unread(lost: NotWritten) -> int:
    """What is still in the buffer would be tried again, and told with a traceback, when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(lost.__cause__ or lost.__context__, BrokenPipeError):
        return UNREAD
    print(f"error: standard output cannot be written: {lost}.", file=sys.stderr)
    return AGAIN
