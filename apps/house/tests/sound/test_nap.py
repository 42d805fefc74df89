"""An agent of sound sleeps in the fleet while its machine does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from house.errors import NotYours
from house.sound import agent as agents
from house.sound import nap as naps
from house.sound.agent import Agent
from house.sound.file import WantedFile
from house.sound.nap import Nap
from midflight import Caller, Context, NotDelivered


class Fleet:
    """What is written down of the agent: each time that it fell asleep or woke."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.deaf = False

    @asynccontextmanager
    async def asleep(self) -> AsyncIterator[None]:
        if self.deaf:
            raise NotDelivered(what="conductor.beat", reason="no conductor answers, so nobody would know")
        self.told.append("asleep")
        try:
            yield
        finally:
            self.told.append("awake")


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def agent(fleet: Fleet, context: Context, tmp_path: Path) -> Agent:
    """That of the desk, which has no engine."""
    return Agent("desk", {}, {}, WantedFile(tmp_path / "sound.json"), lambda: context, Nap(fleet.asleep))


def by(host: str) -> Context:
    return Context(caller=Caller("sleeper", host, "alder", "m1", 0))


async def test_it_sleeps_by_the_word_of_its_own_sleeper(agent: Agent, fleet: Fleet) -> None:
    """It answers when that is written down; said twice, it is the same as once. Another machine's sleeper is
    refused."""
    with pytest.raises(NotYours, match=r"sleeper@nas \(alder\) is not the agent of desk"):
        await agent.sleeps(by("nas"), True)
    assert fleet.told == []
    for on in (False, True, True):
        await agent.sleeps(by("desk"), on)
    assert fleet.told == ["asleep"]
    for on in (False, False, True):
        await agent.sleeps(by("desk"), on)
    assert fleet.told == ["asleep", "awake", "asleep"]


async def test_a_fleet_that_does_not_hear(agent: Agent, fleet: Fleet) -> None:
    """The sleeper is told that nobody knows, and the agent is awake; the next time all is well."""
    fleet.deaf = True
    with pytest.raises(NotDelivered):
        await agent.sleeps(by("desk"), True)
    fleet.deaf = False
    await agent.sleeps(by("desk"), True)
    assert fleet.told == ["asleep"]


async def test_it_wakes_by_itself(agent: Agent, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody tells it that its machine is awake, it is so all the same after a while, which it counts only while
    the machine is awake; not before."""
    monkeypatch.setattr(agents, "REPORT_SECONDS", 0.0)
    reports, real = list[int](), agent.report

    async def report() -> None:
        reports.append(1)
        await real()

    monkeypatch.setattr(agent, "report", report)
    reporting = asyncio.create_task(agent.report_for_ever())
    await agent.sleeps(by("desk"), True)

    async def reported(more: int) -> None:
        until = len(reports) + more
        while len(reports) < until:
            assert not reporting.done()
            await asyncio.sleep(0)

    await reported(3)
    assert fleet.told == ["asleep"]
    monkeypatch.setattr(naps, "LONGEST_SECONDS", 0.0)
    await reported(3)
    assert fleet.told == ["asleep", "awake"]
    reporting.cancel()
    await asyncio.gather(reporting, return_exceptions=True)
