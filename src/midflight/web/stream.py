"""Push a page's live part to one browser, whenever its text has changed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

from midflight.web.gatherer import Gatherer, Picture, Source

QUIET = 3.0
"""Seconds after which a browser is told that nothing has changed; it takes three times as many for a silence."""
TICK = "event: tick\ndata: .\n\n"


async def pushes(
    gatherer: Gatherer, sources: tuple[Source[object], ...], render: Callable[[Picture], str | None]
) -> AsyncIterator[str]:
    """Events for one browser, until ``render`` says None: it may look no more.

    A browser that takes its time is not waited for by others, and nothing is kept for it: when it has taken one event,
    the next one is of the newest picture.
    """
    number, sent, said = -1, "", float("-inf")
    while True:
        gatherer.want(sources)
        picture = await gatherer.after(number, QUIET)
        text = None if gatherer.closed else render(picture)
        if text is None:
            return
        number = picture.number
        if text != sent:
            yield event(text)
        elif time.monotonic() - said >= QUIET:
            yield TICK
        else:
            continue
        sent, said = text, time.monotonic()


def event(text: str) -> str:
    """A text as a server-sent event."""
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
