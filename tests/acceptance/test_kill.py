from __future__ import annotations

import asyncio
from pathlib import Path

from demo import road
from demo.hop import restart
from demo.http import PATIENCE
from demo.observer import observe
from demo.raw import requests
from demo.size import parse
from demo.stage import Stage, staged
from demo.step import Step

from tests.acceptance.small import SIZE


async def test_kill_in_the_middle_of_a_roll(tmp_path: Path) -> None:
    """When an agent and a conductor are killed in the middle of a roll, no acknowledged change is lost, no instance is
    interrupted, and every request ends within its deadline, definitely or as Unknown."""
    size = parse([f"--{name}={value}" for name, value in SIZE.items()], {})
    said: list[str] = []
    async with staged(size, tmp_path / "run", said.append) as stage:
        why = await road.walk(stage, lambda *_: None, ROAD)
    figures = observe(tmp_path / "run")
    assert why == "", said
    assert figures["lost_updates"] == 0, figures["details"]["lost"]
    assert figures["instances_interrupted"] == 0, figures["details"]["interrupted"]
    assert figures["rejected_versions"] == 0
    log = requests(tmp_path / "run" / "load.jsonl")
    assert max(request.ms for request in log) < PATIENCE * 1000
    assert {request.status for request in log if request.failed} <= {200, 202, 503}, figures["details"]["failed"]


async def roll_with_kills(stage: Stage) -> None:
    """kill -9 an agent and a conductor with work in their hands, and let the roll go on over it."""
    agent, conductor = stage.fleet.members["agent-1"], stage.fleet.members["conductor-2"]
    await stage.load.do("avoid", host="agent-1")
    await stage.load.do("put_in_flight", host="agent-1", writes=4)
    await stage.fleet.kill(agent)
    await stage.load.do("put_in_flight", host=None, writes=4)
    await stage.fleet.kill(conductor)
    await asyncio.sleep(1)
    await stage.fleet.start("agent-1", "compute", "kilo")
    await stage.fleet.start("conductor-2", "conductor", "kilo")
    await restart(stage, "agent-2", "kilo")


ROAD = (
    *road.until("kilo control"),
    Step("roll", "an agent and a conductor are killed", roll_with_kills),
)
