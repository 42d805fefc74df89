"""Where a command begins. A service is started without the command line of operators, which stands on an extra.

``midflight run SERVICE`` is what runs on each host, in thousands of copies; all other commands are for where people
and their scripts work.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence

from midflight.cli.endings import ended
from midflight.cli.run import plainly, run
from midflight.errors import MissingExtra, UsageError

EXTRA = ("cyclopts", "rich")
"""What the extra brings, as it is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Every error is told in one line on standard error, and with --json also
    as a document on standard output."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return ended(lambda: _run(given), json="--json" in given)


def _run(given: list[str]) -> int:
    _refuse_bytes(given)
    if (asked := plainly(given)) is not None:
        service, options = asked
        return asyncio.run(run(service, **options))
    return _command_line()(given)


def _refuse_bytes(given: list[str]) -> None:
    """What is no text comes as half characters, which nothing can be called, and no message can carry."""
    for word in given:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(reason=f"received {word!r}, expected text in UTF-8") from None


def _command_line() -> Callable[[list[str]], int]:
    try:
        from midflight.cli.app import command
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRA:
            raise
        what = "any command but `midflight run SERVICE [--host HOST] [--config FILE]`"
        raise MissingExtra(module=what, missing=missing.name, extra="cli") from None
    return command
