"""What a process tells about itself: stable log events, and counters.

Events have dotted names that never change their meaning (``rpc.version_rejected``) and key-value facts. They go
to standard error, one JSON object a line, or as coloured text on a terminal.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger("midflight")

_Key = tuple[str, tuple[tuple[str, str], ...]]

_counters: dict[_Key, list[int]] = {}
"""By name and labels, a cell with the count: whoever counts often keeps the cell, and looks nothing up."""


def printable(text: str) -> str:
    """The same with whatever could move a cursor, begin a line or turn the writing escaped: it may come from a peer."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _printable(_logger: Any, _method: str, facts: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """For a terminal; JSON escapes by itself, and a traceback is ours."""
    return {n: printable(fact) if isinstance(fact, str) and n != "exception" else fact for n, fact in facts.items()}


def configure(*, level: str = "info", **facts: str) -> None:
    """Set up logging of this process at its start, or change its level later; ``facts`` are bound to every event."""
    terminal = sys.stderr.isatty()
    render: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *((_printable,) if terminal else ()),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(**facts)


def count(name: str, amount: int = 1, **labels: str) -> None:
    """Add to a counter, kept apart by its labels."""
    _cell(name, labels)[0] += amount


def counter(name: str, **labels: str) -> Callable[[int], None]:
    """One counter, to be kept where it is added to often."""
    cell = _cell(name, labels)

    def add(amount: int) -> None:
        cell[0] += amount

    return add


def _cell(name: str, labels: dict[str, str]) -> list[int]:
    return _counters.setdefault((name, tuple(sorted(labels.items()))), [0])


def counted() -> list[dict[str, Any]]:
    """All counters of this process: ``[{"name": …, "value": …, label: …}]``."""
    return [{"name": name, "value": value, **dict(labels)} for (name, labels), (value,) in sorted(_counters.items())]
