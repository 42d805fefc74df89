"""What a process tells about itself: stable log events, counters, and how long things take.

Events have dotted names that never change their meaning (``rpc.version_rejected``) and key-value facts. They go
to standard error, one JSON object a line, or as coloured text on a terminal.
"""

from __future__ import annotations

import logging
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any


def _on_terminal() -> bool:
    """Whether standard error is a terminal; it is None where it was closed before the start."""
    return sys.stderr is not None and sys.stderr.isatty()


_UNUSED = () if _on_terminal() else ("rich", "greenlet")
"""What structlog loads where it is installed, and JSON needs nothing of: colours, and greenlets; 6 MB in each agent."""

for _name in _UNUSED:
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]  # a module that is not there
import structlog  # noqa: E402  # what it tries to load is hidden by now

for _name in _UNUSED:
    if sys.modules[_name] is None:
        del sys.modules[_name]

log: structlog.stdlib.BoundLogger = structlog.get_logger("midflight")

_Key = tuple[str, tuple[tuple[str, str], ...]]

_counters: dict[_Key, list[int]] = {}
"""By name and labels, a cell with the count: whoever counts often keeps the cell, and looks nothing up."""

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds up to which durations are counted together: from a call over loopback to the longest that is usual."""

MOST_LABELS = 1_000
"""So many sets of labels one counter may have; more are counted together, since a peer may have chosen their names."""
_OTHERS = (("labels", "others"),)
_kinds: dict[str, int] = {}
"""How many sets of labels each counter has, and each histogram."""


class Histogram:
    """How often something took how long."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        """By the first of BUCKETS that it did not exceed; the last is for what exceeds all."""
        self.total = 0.0
        """Seconds, of all together."""

    def took(self, seconds: float) -> None:
        """Once more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


_histograms: dict[_Key, Histogram] = {}
"""By name and labels, like the counters; a name is either's."""


def printable(text: str) -> str:
    """The same with whatever could move a cursor, begin a line or turn the writing escaped: it may come from a peer."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _printable(_logger: Any, _method: str, facts: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """For a terminal; JSON escapes by itself, and a traceback is ours."""
    return {n: printable(fact) if isinstance(fact, str) and n != "exception" else fact for n, fact in facts.items()}


class _StandardError:
    """Writes each line to what standard error is by then. Where that is closed, full, or read by nobody any more, the
    line is counted as lost: who logs is often about to mend something, and must get to do it."""

    def __init__(self, _name: str) -> None:
        """Called by structlog, for each event."""

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError) as error:  # the last where it is None, closed before the start
            count("log.lost", kind=type(error).__name__)

    debug = info = warning = error = critical = exception = msg


def configure(*, level: str = "info", **facts: str) -> None:
    """Set up logging of this process at its start, or change its level later; ``facts`` are bound to every event."""
    terminal = _on_terminal()
    render: Any = _console() if terminal else structlog.processors.JSONRenderer(default=str)
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
        logger_factory=_StandardError,
    )
    structlog.contextvars.bind_contextvars(**facts)


def _console() -> structlog.dev.ConsoleRenderer:
    """Colours, and tracebacks as Python writes them: the same with rich and without."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def count(name: str, amount: int = 1, **labels: str) -> None:
    """Add to a counter, kept apart by its labels."""
    _cell(name, labels)[0] += amount


def counter(name: str, **labels: str) -> Callable[[int], None]:
    """One counter, to be kept where it is added to often."""
    cell = _cell(name, labels)

    def add(amount: int) -> None:
        cell[0] += amount

    return add


def histogram(name: str, **labels: str) -> Histogram:
    """One histogram, to be kept where it is added to often."""
    key = (name, tuple(sorted(labels.items())))
    found = _histograms.get(key)
    return found or _histograms.setdefault(_bounded(key), Histogram())


def _cell(name: str, labels: dict[str, str]) -> list[int]:
    key = (name, tuple(sorted(labels.items())))
    cell = _counters.get(key)
    return cell or _counters.setdefault(_bounded(key), [0])


def _bounded(key: _Key) -> _Key:
    """The same as long as there are few of the name; afterwards, the one for all others."""
    name, _ = key
    if (known := _kinds.get(name, 0)) >= MOST_LABELS:
        return name, _OTHERS
    _kinds[name] = known + 1
    return key


def counted() -> list[dict[str, Any]]:
    """All counters of this process: ``[{"name": …, "value": …, label: …}]``."""
    return [{"name": name, "value": value, **dict(labels)} for (name, labels), (value,) in sorted(_counters.items())]


def measured() -> list[tuple[str, dict[str, str], Histogram]]:
    """All histograms of this process, by name and labels; each a copy of its own."""
    found = []
    for (name, labels), each in sorted(_histograms.items(), key=lambda item: item[0]):
        copy = Histogram()
        copy.counts, copy.total = [*each.counts], each.total
        found.append((name, dict(labels), copy))
    return found


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
