"""Limits: what runs at once, what waits, and what is turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from structlog.testing import capture_logs

from midflight.context import Context
from midflight.errors import NotDelivered, ProjectError, Unknown
from midflight.objects.registry import Registry
from midflight.project import Project, Service
from midflight.rpc.client import Client
from midflight.rpc.contract import interface_in_words
from midflight.rpc.interface import Contract, Interface, endpoint, spec_of
from midflight.rpc.limits import LONGEST_LINE, Line
from midflight.rpc.server import CASTS
from midflight.transports.base import Address
from midflight.transports.places import ASIDE
from tests.rpc import juno
from tests.rpc.world import Fleet, JunoCompute, Member, counted, settled

JUNO: Client[juno.ComputeAPI] = Client(juno.ComputeAPI)
WORK, ECHO = juno.ComputeAPI.work, juno.ComputeAPI.echo


class Gated(JunoCompute):
    """Work that lasts until it is let go; ``peak`` is how much of it ran at once."""

    def __init__(self, member: Member) -> None:
        super().__init__(member.done, member.seen)
        self.go, self.running, self.peak = asyncio.Event(), 0, 0

    async def work(self, context: Context, what: str, seconds: float = 0) -> str:
        self.running += 1
        self.peak = max(self.peak, self.running)
        await self.go.wait()
        self.running -= 1
        self.done.append(what)
        return what


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_of(WORK), "limit", 2)


async def served(fleet: Fleet, line: Line | None = None) -> tuple[Gated, Member]:
    """An agent, and an API that calls it."""
    agent, api = await fleet.member(juno, "h1", "compute"), await fleet.member(juno, "a1")
    gated = Gated(agent)
    agent.dispatcher.add(gated, line)
    await agent.server.serve(Address("compute", "h1"))
    return gated, api


async def several(number: int, work: Callable[[str], Awaitable[Any]]) -> list[asyncio.Future[Any]]:
    """Begin so many, in their order: each has arrived where it waits or runs."""
    begun = [asyncio.ensure_future(work(str(each))) for each in range(number)]
    await settled()
    return begun


@pytest.mark.usefixtures("limited")
async def test_calls_beyond_the_limit_wait_their_turn(fleet: Fleet) -> None:
    """Two of an endpoint run at once, the others after them in the order they came; other endpoints are not held up."""
    gated, api = await served(fleet)
    calls = await several(6, lambda what: JUNO.call(WORK, api.context, what))
    assert gated.running == 2
    assert await JUNO.call(ECHO, api.context, "beside") == "beside"
    gated.go.set()
    assert await asyncio.gather(*calls) == ["0", "1", "2", "3", "4", "5"]
    assert (gated.peak, gated.done) == (2, ["beside", "0", "1", "2", "3", "4", "5"])


@pytest.mark.usefixtures("limited")
async def test_a_call_without_a_turn_is_not_delivered(fleet: Fleet) -> None:
    """It is refused while its caller still listens, never runs, is counted, and the log says so once."""
    gated, api = await served(fleet)
    before = counted("rpc.busy", method="compute.work")
    running = await several(2, lambda what: JUNO.call(WORK, api.context, what))
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(NotDelivered, match="compute@h1 .* is busy: compute.work runs 2 at once"):
                await JUNO.within(1.5).call(WORK, api.context, "late")
    gated.go.set()
    await asyncio.gather(*running)
    assert gated.done == ["0", "1"]
    assert counted("rpc.busy", method="compute.work") == before + 3
    assert [(log["name"], log["limit"]) for log in logs if log["event"] == "rpc.busy"] == [("compute.work", 2)]


@pytest.mark.usefixtures("limited")
async def test_a_line_has_an_end(fleet: Fleet) -> None:
    """Who comes when the line is as long as it may be is refused at once; everyone in it is served."""
    gated, api = await served(fleet)
    calls = await several(2 + 2 * LONGEST_LINE, lambda what: JUNO.call(WORK, api.context, what))
    with pytest.raises(NotDelivered, match="busy"):
        await JUNO.within(60).call(WORK, api.context, "late")
    gated.go.set()
    assert len(await asyncio.gather(*calls)) == len(gated.done) == 2 + 2 * LONGEST_LINE


@pytest.mark.usefixtures("limited")
async def test_casts_beyond_the_limit_lose_nothing(fleet: Fleet) -> None:
    """Casts wait for as long as it takes, and each runs once; what did not run before a drain is the next member's."""
    gated, api = await served(fleet)
    await several(6, lambda what: JUNO.cast(WORK, api.context, what))
    assert gated.running == 2
    await fleet.members[0].server.drain(0.01)
    heir = await fleet.juno("h2")
    while len(heir.done) < 6:
        await asyncio.sleep(0.001)
    assert (gated.peak, gated.done, sorted(heir.done)) == (2, [], ["0", "1", "2", "3", "4", "5"])


@pytest.mark.usefixtures("limited")
async def test_casts_that_wait_hold_up_no_others(fleet: Fleet) -> None:
    """However many casts of one endpoint a host has that wait for their turns, up to a bound, those of another run."""
    gated, api = await served(fleet)
    await several(CASTS + ASIDE - 1, lambda what: JUNO.on("h1").cast(WORK, api.context, what))
    await JUNO.on("h1").cast(ECHO, api.context, "beside")
    await settled()
    assert (gated.running, gated.done) == (2, ["beside"])
    gated.go.set()
    while len(gated.done) < CASTS + ASIDE:
        await asyncio.sleep(0.001)
    assert gated.peak == 2


@pytest.mark.usefixtures("limited")
async def test_fanouts_beyond_the_limit_wait(fleet: Fleet) -> None:
    """Fanouts share the limit with calls and casts."""
    gated, api = await served(fleet)
    await several(2, lambda what: JUNO.fanout(WORK, api.context, what))
    call = asyncio.ensure_future(JUNO.call(WORK, api.context, "call"))
    await settled()
    gated.go.set()
    assert await call == "call"
    assert (gated.peak, gated.done) == (2, ["0", "1", "call"])


async def test_a_service_s_limit_holds_for_all_its_endpoints(fleet: Fleet) -> None:
    """With three at work, nothing else of the service runs."""
    gated, api = await served(fleet, Line(3, "service compute"))
    calls = await several(3, lambda what: JUNO.call(WORK, api.context, what))
    with pytest.raises(NotDelivered, match="busy: service compute runs 3 at once"):
        await JUNO.within(1.5).call(ECHO, api.context, "x")
    gated.go.set()
    await asyncio.gather(*calls)
    assert await JUNO.call(ECHO, api.context, "x") == "x"


@pytest.mark.usefixtures("limited")
async def test_who_gives_up_leaves_the_line(fleet: Fleet) -> None:
    """A turn is given back by whatever ended: work that failed, and work that waited no longer."""
    gated, api = await served(fleet, Line(2, "service compute"))
    await several(2, lambda what: JUNO.call(WORK, api.context, what))
    for _ in range(5):
        with pytest.raises((NotDelivered, Unknown)):
            await JUNO.within(0.05).call(WORK, api.context, "late")
    gated.go.set()
    answers = [await JUNO.call(WORK, api.context, str(each)) for each in range(5)]
    assert answers == ["0", "1", "2", "3", "4"]


def test_a_limit_is_no_part_of_the_contract() -> None:
    """An interface reads the same with a limit and without: it is the callee's own affair."""
    words = []
    for limit in (None, 4):

        class API(Interface, Protocol, topic="compute", version="1.0"):
            @endpoint(since="1.0", limit=limit)
            async def work(self, context: Context) -> str: ...

        contract = Contract(Registry([], "cloud"), [API])
        words.append((interface_in_words(contract.interfaces["compute"]), contract.manifest.digest))
    assert words[0] == words[1]


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "4"])
def test_a_limit_that_is_none(limit: Any) -> None:
    """What is no number above 0 is refused, with the endpoint or the service that it was given to."""

    async def work(self: Any, context: Context) -> str: ...

    with pytest.raises(ProjectError, match=r"work: received limit=.*expected 1 or more"):
        endpoint(since="1.0", limit=limit)(work)
    with pytest.raises(ProjectError, match=r"service web: received limit=.*expected 1 or more"):
        Project("shop", services=[Service("web", lambda _: None, limit=limit)])  # type: ignore[arg-type,return-value]
