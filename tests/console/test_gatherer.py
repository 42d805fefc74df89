"""Asking the conductors: once for all, no more often than allowed, and what is kept while nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from midflight.console.soaking import WINDOW, SoakWatch
from midflight.console.sources import FLEET
from midflight.errors import BrokerUnreachable, NoConductor
from midflight.upgrade import gates
from midflight.upgrade.operator import Operator
from midflight.web import gatherer as gathering
from midflight.web.gatherer import Gatherer, Picture, Source
from midflight.web.stream import TICK, event, pushes
from tests.console.desk import Conductors
from tests.upgrade.fleets import KILO, cloud, rejection

SHORT = 0.01


@asynccontextmanager
async def running(conductors: Conductors, *, broken: int = 0) -> AsyncIterator[Gatherer]:
    """A gatherer that asks them; the broker refuses the first ``broken`` connections."""
    left = [broken]

    @asynccontextmanager
    async def connect() -> AsyncIterator[Conductors]:
        if left[0] > 0:
            left[0] -= 1
            raise BrokerUnreachable(url="nats://broker:4222", reason="refused")
        yield conductors

    made = Gatherer(connect, FLEET, shortest=SHORT)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(gatherer: Gatherer, number: int) -> None:
    """Wait for a picture."""
    while gatherer.picture.number < number:
        await gatherer.after(gatherer.picture.number, 30)


async def test_a_broker_that_comes_late_is_found() -> None:
    """Until then the picture says why there is none."""
    async with running(Conductors(cloud()), broken=2) as gatherer:
        picture = await gatherer.after(0, 30)
        assert picture.of(FLEET) is None
        assert "refused" in (picture.trouble([FLEET]) or ("",))[0]
        while gatherer.picture.of(FLEET) is None:
            await gatherer.after(gatherer.picture.number, 30)
        assert gatherer.picture.trouble([FLEET]) is None


async def test_a_bug_is_told_and_ends_nothing() -> None:
    """The last picture does not pass for a new one, and the next answer is shown."""
    conductors = Conductors(cloud())

    async def broken() -> None:
        raise ZeroDivisionError("oops")

    async with running(conductors) as gatherer:
        gatherer.want([FLEET])
        await until(gatherer, 1)
        conductors.fleet = broken  # type: ignore[method-assign,assignment]
        while (trouble := gatherer.picture.trouble([FLEET])) is None:
            await gatherer.after(gatherer.picture.number, 30)
        assert "this is a bug in midflight or in the project: ZeroDivisionError('oops')" in trouble[0]
        del conductors.fleet
        while gatherer.picture.trouble([FLEET]) is not None:
            await gatherer.after(gatherer.picture.number, 30)


async def test_who_waits_for_a_push_ends_with_the_console() -> None:
    """At once: nobody has to be cut off."""
    async with running(Conductors(cloud())) as gatherer:
        stream = pushes(gatherer, (FLEET,), lambda _picture: "text")
        await anext(stream)
        waiting = asyncio.create_task(anext(stream, None))
        gatherer.close()
        assert await waiting is None


async def test_there_is_one_picture_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so no browser is pushed more often. What took long has a quarter of the time, however large the fleet."""
    slept: list[float] = []

    async def came(_event: asyncio.Event, seconds: float) -> bool:
        slept.append(seconds)
        return False

    monkeypatch.setattr(gathering, "_came", came)
    gatherer = Gatherer(lambda: None, FLEET)  # type: ignore[arg-type,return-value]
    gatherer.want([FLEET])
    for took in (0.0, 0.2, 2.0):
        await gatherer._pause(took)
    assert slept == [1.0, 0.8, 6.0]


async def test_what_nobody_looks_at_is_not_asked() -> None:
    """A source is asked while it is wanted; the fleet always."""
    asked: list[str] = []

    async def ask(_operator: Operator, _picture: Picture) -> int:
        asked.append("other")
        return 7

    other = Source("other", ask)
    async with running(Conductors(cloud())) as gatherer:
        gatherer.want([FLEET])
        await until(gatherer, 3)
        assert asked == []
        gatherer.want([other])
        while gatherer.picture.of(other) is None:
            await gatherer.after(gatherer.picture.number, 30)
    assert gatherer.picture.of(other) == 7


async def test_a_source_that_costs_more_is_asked_less_often() -> None:
    """By its own measure."""
    asked: list[int] = []

    async def ask(_operator: Operator, _picture: Picture) -> int:
        asked.append(len(asked))
        return len(asked)

    dear = Source("dear", ask, seconds=3600)
    async with running(Conductors(cloud())) as gatherer:
        gatherer.want([dear])
        await until(gatherer, 8)
    assert asked == [0]


async def test_one_source_that_fails_leaves_the_others_alone() -> None:
    """Its trouble is told to the pages that show it."""

    async def ask(_operator: Operator, _picture: Picture) -> int:
        raise NoConductor(project="cloud", broker="b", reason="gone")

    bad = Source("bad", ask)
    async with running(Conductors(cloud())) as gatherer:
        gatherer.want([bad, FLEET])
        await until(gatherer, 3)
    assert gatherer.picture.trouble([FLEET]) is None
    assert "gone" in (gatherer.picture.trouble([FLEET, bad]) or ("",))[0]


async def test_while_nobody_looks_it_asks_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """And at once when somebody comes."""
    monkeypatch.setattr(gathering, "IDLE", 3600)
    conductors = Conductors(cloud())
    async with running(conductors) as gatherer:
        await until(gatherer, 1)
        for _ in range(20):
            await asyncio.sleep(SHORT)
        assert conductors.asked == 1
        gatherer.want([FLEET])
        await until(gatherer, 3)


async def test_who_has_changed_something_sees_it_at_once() -> None:
    """It is asked again without a pause, once; then there is one as before."""
    conductors = Conductors(cloud())

    @asynccontextmanager
    async def connect() -> AsyncIterator[Conductors]:
        yield conductors

    gatherer = Gatherer(connect, FLEET, shortest=3600)
    task = asyncio.create_task(gatherer.run())
    await until(gatherer, 1)
    gatherer.hurry()
    await until(gatherer, 2)
    for _ in range(20):
        await asyncio.sleep(SHORT)
    assert conductors.asked == 2
    task.cancel()


async def test_who_takes_no_push_costs_nothing() -> None:
    """A stream that is not read renders nothing; when it is read again it is given the newest picture."""
    rendered: list[int] = []
    async with running(Conductors(cloud())) as gatherer:
        await until(gatherer, 1)
        stream = pushes(gatherer, (FLEET,), lambda picture: rendered.append(picture.number) or str(picture.number))
        await anext(stream)
        await until(gatherer, gatherer.picture.number + 10)
        assert len(rendered) == 1
        newest = gatherer.picture.number
        assert int((await anext(stream)).removeprefix("data: ")) >= newest


async def test_equal_texts_are_pushed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In between, a browser is told that somebody is there; it ends when somebody may look no more."""
    monkeypatch.setattr("midflight.web.stream.QUIET", 0.05)
    texts = iter(["one\ntwo", *["one\ntwo"] * 10_000])
    over: list[bool] = []
    async with running(Conductors(cloud())) as gatherer:
        stream = pushes(gatherer, (FLEET,), lambda _picture: None if over else next(texts))
        assert await anext(stream) == event("one\ntwo") == "data: one\ndata: two\n\n"
        assert [await anext(stream) for _ in range(3)] == [TICK] * 3
        over.append(True)
        assert [each async for each in stream] == []


def test_the_clock_of_a_soak_runs_while_all_is_clean() -> None:
    """It says since when; what is rejected stops it, and so does a time in which nobody answered."""
    now = [1000.0]
    watch = SoakWatch(KILO, lambda: now[0])
    clean, wrong = cloud("kilo"), cloud("kilo", rejections=[rejection()])

    def look(shown: object) -> None:
        watch.judge(watch._soak.judge(shown, now[0]))  # type: ignore[arg-type]

    assert watch.shows.since is None
    look(clean)
    begun = watch.shows.since
    assert begun is not None
    assert watch.shows.ends == begun + timedelta(seconds=WINDOW)
    now[0] += 0.4
    look(clean)
    assert watch.shows.since == begun
    look(wrong)
    assert watch.shows.since is None
    now[0] += 60
    look(clean)
    assert watch.shows.since is not None
    watch.missed()
    assert watch.shows.since is None
    assert gates.soak(clean, KILO, clean_for=0.0).step == "soak"
