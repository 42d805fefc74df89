"""Ask the conductors, once for all browsers, and keep the last picture where nobody answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from midflight import telemetry
from midflight.errors import MidflightError

T = TypeVar("T")

SHORTEST = 1.0
"""Seconds between two gatherings, at the least."""
SHARE = 4.0
"""A gathering that took long is followed by a pause, so that it has no more than this part of the time."""
IDLE = 5.0
"""Seconds between two gatherings while nobody looks: what a soak remembers needs them all the same."""
REMEMBERED = 10.0
"""For so many seconds after somebody looked at it, a source is wanted."""


@dataclass(frozen=True, eq=False)
class Source(Generic[T]):
    """Something that is asked, of the operator that ``connect`` has made, by who knows the picture so far. ``seconds``
    apart at the least, where it costs more than a look. Raises MidflightError where nobody answers."""

    name: str
    ask: Callable[[Any, Picture], Awaitable[T]]
    seconds: float = 0.0


@dataclass(frozen=True)
class Sight(Generic[T]):
    """An answer, and when it came, by this console's clock."""

    value: T
    at: datetime


@dataclass(frozen=True)
class Picture:
    """What is known now: the last answer of each source, and why it is no newer one. A later picture has a higher
    number."""

    number: int = 0
    sights: Mapping[Source[Any], Sight[Any]] = field(default_factory=dict)
    troubles: Mapping[Source[Any], str] = field(default_factory=dict)

    def of(self, source: Source[T]) -> T | None:
        """The last answer; None where there was none yet."""
        sight = self.sights.get(source)
        return None if sight is None else sight.value

    def seen(self, source: Source[Any]) -> datetime | None:
        """When it came."""
        sight = self.sights.get(source)
        return None if sight is None else sight.at

    def trouble(self, sources: Sequence[Source[Any]]) -> tuple[str, datetime | None] | None:
        """Why the last answer of the first source that does not answer is no newer, and when it came."""
        for source in sources:
            if source in self.troubles:
                return self.troubles[source], self.seen(source)
        return None


async def asked(operator: Any, sources: Sequence[Source[Any]]) -> Picture:
    """What is known of these now, each asked for by who knows those before it. Raises what goes wrong."""
    picture = Picture()
    for source in sources:
        sight = Sight(await source.ask(operator, picture), datetime.now(UTC))
        picture = replace(picture, sights={**picture.sights, source: sight})
    return picture


Connect = Callable[[], AbstractAsyncContextManager[Any]]
"""Makes an operator, whatever that is: the sources and the acts know."""


class Gatherer:
    """One task that asks for whatever somebody looks at, and always for one source. ``connect`` makes an operator,
    which is closed when ``run`` ends. ``errors`` are told as they are, beside MidflightError; others are bugs."""

    def __init__(
        self,
        connect: Connect,
        always: Source[Any],
        *,
        errors: tuple[type[Exception], ...] = (),
        shortest: float = SHORTEST,
    ) -> None:
        self.connect, self.always, self._shortest = connect, always, shortest
        self.errors: tuple[type[Exception], ...] = (MidflightError, *errors)
        self.picture, self.closed = Picture(), False
        self._wanted: dict[Source[Any], float] = {}
        self._asked: dict[Source[Any], float] = {}
        self._looked, self._changed, self._newer = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def want(self, sources: Sequence[Source[Any]]) -> None:
        """Somebody looks at these now."""
        until = time.monotonic() + REMEMBERED
        new = any(self._wanted.get(source, 0.0) < time.monotonic() for source in sources)
        self._wanted.update((source, until) for source in sources)
        if new:
            self._looked.set()

    def hurry(self) -> None:
        """Something was changed by somebody here, who wants to see that: ask again at once."""
        self._changed.set()

    async def after(self, number: int, seconds: float) -> Picture:
        """The first picture behind this number, or the present one after so many seconds, or once it is closed."""
        await asyncio.sleep(0)  # who asks in a circle can be cancelled, also when there is nothing to wait for
        try:
            async with asyncio.timeout(seconds):
                while self.picture.number <= number and not self.closed:
                    await self._newer.wait()
        except TimeoutError:
            pass  # nothing has changed, which is an answer too
        return self.picture

    def close(self) -> None:
        """Let all who wait for a picture end."""
        self.closed = True
        self._newer.set()

    async def run(self) -> None:
        """Gather until cancelled. A broker that cannot be reached is asked again."""
        while True:
            try:
                async with self.connect() as operator:
                    while True:
                        await self._pause(await self._gather(operator))
            except self.errors as wrong:
                self._show({}, {self.always: str(wrong)})
            except Exception as wrong:  # noqa: BLE001  # whatever it is, an old picture must not pass for a new one
                telemetry.log.critical("console.crashed", exc_info=True)
                self._show({}, {self.always: f"this is a bug in midflight or in the project: {wrong!r}; see the log"})
            await asyncio.sleep(self._shortest)

    async def _gather(self, operator: Any) -> float:
        """Ask for what is due. Returns the seconds that it took where it was answered."""
        begun = time.monotonic()
        sights: dict[Source[Any], Sight[Any]] = {}
        troubles: dict[Source[Any], str] = {}
        for source in self._due(begun):
            self._asked[source] = time.monotonic()
            try:
                sights[source] = Sight(await source.ask(operator, self.picture), datetime.now(UTC))
            except self.errors as wrong:
                troubles[source] = str(wrong)
        if sights or troubles:
            self._show(sights, troubles)
        return 0.0 if troubles else time.monotonic() - begun

    def _due(self, now: float) -> list[Source[Any]]:
        looked_at = (source for source, until in self._wanted.items() if until > now and source is not self.always)
        wanted = [self.always, *looked_at]
        return [source for source in wanted if now - self._asked.get(source, float("-inf")) >= source.seconds]

    def _show(self, sights: Mapping[Source[Any], Sight[Any]], troubles: Mapping[Source[Any], str]) -> None:
        before = self.picture
        for reason in troubles.values():
            if reason not in before.troubles.values():
                telemetry.log.warning("console.nobody_answers", reason=reason)
        still = {source: why for source, why in before.troubles.items() if source not in sights}
        self.picture = replace(
            before, number=before.number + 1, sights={**before.sights, **sights}, troubles={**still, **troubles}
        )
        self._newer.set()
        self._newer = asyncio.Event()

    async def _pause(self, took: float) -> None:
        """Until it may be asked again, or must be; longer while nobody looks, until somebody does."""
        self._looked.clear()
        if await _came(self._changed, max(self._shortest - took, (SHARE - 1) * took)):
            self._changed.clear()
        elif not any(until > time.monotonic() for until in self._wanted.values()):
            await _came(self._looked, IDLE)


async def _came(event: asyncio.Event, seconds: float) -> bool:
    """Whether it came within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
