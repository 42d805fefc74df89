"""What a process tells about itself: stable log events, and counters.

Events have dotted names that never change their meaning (``rpc.version_rejected``) and key-value facts. They go
to standard error, one JSON object a line, or as coloured text on a terminal.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger("midflight")

_Key = tuple[str, tuple[tuple[str, str], ...]]

_counters: dict[_Key, list[int]] = {}
"""By name and labels, a cell with the count: whoever counts often keeps the cell, and looks nothing up."""

MOST_LABELS = 1_000
"""So many sets of labels one counter may have; more are counted together, since a peer may have chosen their names."""
_OTHERS = (("labels", "others"),)
_kinds: dict[str, int] = {}
"""How many sets of labels each counter has."""


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
    key = (name, tuple(sorted(labels.items())))
    if (cell := _counters.get(key)) is not None:
        return cell
    if (known := _kinds.get(name, 0)) >= MOST_LABELS:
        return _counters.setdefault((name, _OTHERS), [0])
    _kinds[name] = known + 1
    return _counters.setdefault(key, [0])


def counted() -> list[dict[str, Any]]:
    """All counters of this process: ``[{"name": …, "value": …, label: …}]``."""
    return [{"name": name, "value": value, **dict(labels)} for (name, labels), (value,) in sorted(_counters.items())]


class BadInput:
    """What peers send that cannot be served: counted by its kind, and logged once a minute for each sender.

    Who sends is often only what a message says, so names are worth nothing: beyond a thousand of them in a minute, all
    others have one line together.
    """

    SECONDS = 60.0
    MOST_SENDERS = 1_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, dict[str, int]]] = {}
        """By event and sender: when the last line was written, and what was passed over since, by kind."""

    def note(self, event: str, kind: str, sender: str, **facts: Any) -> None:
        """Count ``event`` by its kind; log it, with the facts, where nothing was logged of this sender for a minute."""
        count(event, kind=kind)
        if (more := self.turn(event, kind, sender)) is not None:
            log.warning(event, sender=sender, error=kind, **facts, **more)

    def turn(self, event: str, kind: str, sender: str) -> dict[str, Any] | None:
        """None where this shall not be logged now; else what the line says besides: how much of each kind was passed
        over since the last one."""
        now, key = self._clock(), (event, sender)
        if key not in self._said and len(self._said) >= self.MOST_SENDERS:
            self._forget_before(now - self.SECONDS)
            key = key if len(self._said) < self.MOST_SENDERS else (event, "others")
        since, passed_over = self._said.pop(key, (float("-inf"), {}))
        if now - since < self.SECONDS:
            passed_over[kind] = passed_over.get(kind, 0) + 1
            self._said[key] = since, passed_over
            return None
        self._said[key] = now, {}
        return {"passed_over": passed_over} if passed_over else {}

    def forget(self) -> None:
        """Say all of it anew."""
        self._said.clear()

    def _forget_before(self, past: float) -> None:
        self._said = {key: (since, over) for key, (since, over) in self._said.items() if since >= past}


bad_input = BadInput()
"""That of this process."""
