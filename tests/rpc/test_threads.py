"""Threads: endpoints that a service wrote as a plain def."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from midflight import check_cancelled, from_thread
from midflight.context import Context
from midflight.errors import NotDelivered, RemoteError, Unknown
from midflight.rpc.client import Client
from midflight.rpc.threads import Threads
from midflight.transports import hands
from tests.rpc import juno
from tests.rpc.world import FAILURES, Fleet, JunoCompute, Member

JUNO: Client[juno.ComputeAPI] = Client(juno.ComputeAPI)
WORK, ECHO = juno.ComputeAPI.work, juno.ComputeAPI.echo


class Plain(JunoCompute):
    """Its ``work`` runs in a thread, and does what it is told by name."""

    def __init__(self, member: Member) -> None:
        super().__init__(member.done, member.seen)
        self.threads: list[str] = []
        self.go = threading.Event()
        self.doing: dict[str, Callable[[Context], str]] = {}

    def work(self, context: Context, what: str, seconds: float = 0) -> str:  # type: ignore[override]
        self.threads.append(threading.current_thread().name)
        self.seen.append(context)
        if what in FAILURES:
            raise FAILURES[what]
        result = self.doing[what](context) if what in self.doing else what
        self.done.append(what)
        return result

    def wait(self, context: Context) -> str:
        assert self.go.wait(60)
        return "waited"


async def served(fleet: Fleet, **options: Any) -> tuple[Plain, Member]:
    """An agent whose ``work`` is plain, and an API that calls it."""
    agent, api = await fleet.member(juno, "h1", "compute", **options), await fleet.member(juno, "a1")
    plain = Plain(agent)
    plain.doing["wait"] = plain.wait
    await agent.serve(plain)
    return plain, api


async def begun(plain: Plain, number: int = 1) -> None:
    """Wait until so many have begun."""
    while len(plain.threads) < number:
        await asyncio.sleep(0.001)


async def test_a_plain_endpoint_holds_up_nobody(fleet: Fleet) -> None:
    """While a plain one blocks its thread, others are served in the loop; calls and casts find their way to both."""
    plain, api = await served(fleet)
    call = asyncio.create_task(JUNO.call(WORK, api.context, "wait"))
    await begun(plain)
    assert await JUNO.call(ECHO, api.context, "beside") == "beside"
    await JUNO.cast(WORK, api.context, "cast")
    await begun(plain, 2)
    plain.go.set()
    assert await call == "waited"
    assert sorted(plain.done) == ["beside", "cast", "wait"]
    assert all(name.startswith("endpoint") for name in plain.threads)


async def test_threads_are_used_again_and_bounded(fleet: Fleet) -> None:
    """Calls one after the other share a thread; no more run at once than there are threads, and the rest wait."""
    plain, api = await served(fleet, threads=Threads(2))
    for _ in range(5):
        await JUNO.call(WORK, api.context, "x")
    assert set(plain.threads) == {"endpoint 1"}
    calls = [asyncio.create_task(JUNO.call(WORK, api.context, "wait")) for _ in range(5)]
    await begun(plain, 7)
    with pytest.raises(NotDelivered, match="busy: the threads of plain endpoints runs 2 at once"):
        await JUNO.within(2).call(WORK, api.context, "late")
    assert len(plain.threads) == 7
    plain.go.set()
    assert await asyncio.gather(*calls) == ["waited"] * 5
    assert set(plain.threads) == {"endpoint 1", "endpoint 2"}


async def test_its_context_and_what_it_awaits(fleet: Fleet) -> None:
    """A plain endpoint gets the context of its call, and can await from its thread, with the deadline of its caller."""
    plain, api = await served(fleet)
    plain.doing["ask"] = lambda context: from_thread(JUNO.on("h1").call(ECHO, context, "answer"))
    assert await JUNO.call(WORK, api.context, "ask") == "answer"
    asked, answered = plain.seen
    assert (asked.values, asked.request_id) == (answered.values, answered.request_id) == ({"user": "ada"}, "req-1")
    assert asked.deadline is not None


@pytest.mark.parametrize("error", [juno.Overloaded("no room"), ValueError("no"), StopIteration(), SystemExit(3)])
async def test_what_it_raises(fleet: Fleet, error: BaseException) -> None:
    """Its errors cross as those of any endpoint, and the thread goes on."""
    plain, api = await served(fleet)
    FAILURES["fail"] = error
    expected = juno.Overloaded if isinstance(error, juno.Overloaded) else RemoteError
    for _ in range(2):
        with pytest.raises(expected):
            await JUNO.call(WORK, api.context, "fail")
    assert set(plain.threads) == {"endpoint 1"}
    assert await JUNO.call(WORK, api.context, "x") == "x"


async def test_the_drain_waits_for_it(fleet: Fleet) -> None:
    """What a thread has in hand is finished and answered before a drain ends."""
    plain, api = await served(fleet)
    call = asyncio.create_task(JUNO.call(WORK, api.context, "wait"))
    await begun(plain)
    drain = asyncio.create_task(fleet.members[0].server.drain(10))
    await asyncio.sleep(0.05)
    assert not drain.done()
    plain.go.set()
    await drain
    assert await call == "waited"


async def test_it_learns_that_it_is_cancelled(fleet: Fleet) -> None:
    """When the drain's time is up, a plain endpoint that asks is stopped; its cast is the next member's."""
    plain, api = await served(fleet)

    def until_cancelled(context: Context) -> str:
        while True:
            check_cancelled()
            time.sleep(0.01)

    plain.doing["long"] = until_cancelled
    await JUNO.cast(WORK, api.context, "long")
    await begun(plain)
    await fleet.members[0].server.drain(0.01)
    heir = await fleet.juno("h2")
    while not heir.done:
        await asyncio.sleep(0.001)
    assert (plain.done, heir.done) == ([], ["long"])


async def test_it_learns_that_its_caller_left(fleet: Fleet) -> None:
    """A call that is cancelled where it was made ends in the thread that runs it, whose place is free again."""
    plain, api = await served(fleet, threads=Threads(1))
    ended = threading.Event()

    def until_cancelled(context: Context) -> str:
        try:
            while True:
                check_cancelled()
                time.sleep(0.01)
        finally:
            ended.set()

    plain.doing["long"] = until_cancelled
    call = asyncio.create_task(JUNO.call(WORK, api.context, "long"))
    await begun(plain)
    call.cancel()
    assert await asyncio.to_thread(ended.wait, 60)
    assert await JUNO.call(WORK, api.context, "next") == "next"
    assert (plain.done, set(plain.threads)) == (["next"], {"endpoint 1"})


async def test_what_it_awaits_is_cancelled_with_it(fleet: Fleet) -> None:
    """A cancellation reaches the endpoint where it waits for the loop, and nothing of it runs on."""
    plain, api = await served(fleet)
    ended: list[str] = []

    async def slow() -> str:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("slow")
        return "never"

    plain.doing["ask"] = lambda _: from_thread(slow())
    call = asyncio.create_task(JUNO.within(3).call(WORK, api.context, "ask"))
    await begun(plain)
    await fleet.members[0].server.drain(0.05)
    assert (ended, plain.done) == (["slow"], [])
    with pytest.raises(Unknown):
        await call


async def test_what_it_finished_all_the_same_has_happened(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cast that ends within the moment that a cancelled one gets is acknowledged, and does not run again."""
    monkeypatch.setattr(hands, "CANCEL_SECONDS", 60.0)
    plain, api = await served(fleet)
    plain.doing["short"] = lambda _: time.sleep(0.3) or "done"  # type: ignore[func-returns-value]
    await JUNO.cast(WORK, api.context, "short")
    await begun(plain)
    await fleet.members[0].server.drain(0.01)
    heir = await fleet.juno("h2")
    await asyncio.sleep(0.1)
    assert (plain.done, heir.done) == (["short"], [])


async def test_an_async_endpoint_behind_a_decorator(fleet: Fleet) -> None:
    """A def that wraps an async def stays in the loop, and one that does not say so is awaited all the same."""
    agent, api = await fleet.member(juno, "h1", "compute"), await fleet.member(juno, "a1")
    names: list[str] = []

    def told(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            names.append(threading.current_thread().name)
            return function(*args, **kwargs)

        return wrapper

    class Wrapped(JunoCompute):
        echo = told(JunoCompute.echo)
        work = told(lambda *args, **kwargs: JunoCompute.work(*args, **kwargs))

    await agent.serve(Wrapped(agent.done, agent.seen))
    assert await JUNO.call(ECHO, api.context, "x") == "x"
    assert await JUNO.call(WORK, api.context, "y") == "y"
    assert names == ["MainThread", "endpoint 1"]


async def test_from_thread_elsewhere() -> None:
    """Outside a plain endpoint's thread, from_thread and check_cancelled say what they are for."""

    async def question() -> None: ...

    with pytest.raises(RuntimeError, match="from_thread.* is for the thread of a plain def endpoint"):
        from_thread(question())
    with pytest.raises(RuntimeError, match="check_cancelled"):
        check_cancelled()


async def test_the_threads_of_a_pool_end() -> None:
    """When a pool is closed, its threads end."""
    threads = Threads(3)
    found = await asyncio.gather(*(threads.run(lambda: time.sleep(0.05) or threading.current_thread()) for _ in "abc"))  # type: ignore[func-returns-value]
    threads.close()
    for thread in set(found):
        await asyncio.to_thread(thread.join, 60)
    assert [thread.is_alive() for thread in set(found)] == [False] * 3
