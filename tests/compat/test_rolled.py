"""midflight itself is rolled: a fleet of an earlier one becomes a fleet of this one while it works."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from demo import road
from demo import stage as stages
from demo.fleet import environment
from demo.hop import replace, restart
from demo.observer import observe
from demo.size import parse
from demo.stage import Stage, staged
from demo.step import Step

from tests.compat.earlier import ROOT, checked_out, tree

SIZE = {"instances": 16, "agents": 2, "rate": 12, "workers": 4, "resizes": 0, "resize-seconds": 1}
EARLIER, TODAY = "juno", "today"


async def test_midflight_itself_is_rolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet under load goes from an earlier midflight to this one, process by process, and some of it back and forth
    again; the operators' commands of both are answered meanwhile. No request fails, nothing that was acknowledged is
    lost, and nobody's version is rejected."""
    with checked_out(tmp_path / "checkout") as checkout:
        trees = {EARLIER: tree(checkout, tmp_path / EARLIER), TODAY: tree(ROOT, tmp_path / TODAY)}
    assert {release: midflight_of(folder) for release, folder in trees.items()} == trees
    monkeypatch.setattr(stages, "TREES", trees)
    said: list[str] = []
    size = parse([f"--{name}={value}" for name, value in SIZE.items()], {})
    async with staged(size, tmp_path / "run", said.append) as stage:
        why = await road.walk(stage, lambda *_: None, ROAD)
    figures = observe(tmp_path / "run")
    assert why == "", said
    assert {name: figures[name] for name in ZEROS} == dict.fromkeys(ZEROS, 0), figures["details"]
    assert min(restart["writes_meanwhile"] for restart in figures["restarts"]) > 0
    for name, path in figures["releases"].items():
        assert Path(path[-1]["code"]).parent == trees[TODAY], name


ZEROS = ("failed", "instances_interrupted", "lost_updates", "rejected_versions")


def midflight_of(folder: Path) -> Path:
    """From where a process whose tree this is gets its midflight."""
    asked = [sys.executable, "-c", "import midflight; print(midflight.__file__)"]
    told = subprocess.run(asked, cwd=folder, env=environment(folder), capture_output=True, text=True, check=True)
    return Path(told.stdout.strip()).parents[1]


async def load(stage: Stage) -> None:
    """The load begins."""
    await stage.load.do("start", rate=stage.size.rate, workers=stage.size.workers)


async def expand(stage: Stage) -> None:
    """midflight's own tables grow, while everybody who uses them is of before."""
    await stage.operator.command("db", "expand", release=TODAY)


async def control(stage: Stage) -> None:
    """Conductors, scheduler and APIs, one by one. Both conductors answer both operators."""
    for name, service in stage.members():
        if service != "compute":
            await replace(stage, name, TODAY)
        if name == "conductor-1":
            await operate(stage)


async def operate(stage: Stage) -> None:
    """What an operator of either midflight asks in the middle of it, of whichever conductor answers."""
    for release in (EARLIER, TODAY):
        await stage.operator.command("fleet", "list", release=release)
        await stage.operator.command("pin", "set", "juno", "--wait", "60s", release=release)
        await stage.operator.command("pin", "show", release=release)
        await stage.operator.command("upgrade", "status", release=release, accept=(0, 1, 2, 4))


async def roll(stage: Stage) -> None:
    """The agents, one by one, with live migrations between the two."""
    first, second = stage.size.hosts
    await restart(stage, first, TODAY)
    await stage.load.do("migrate", source=first, target=second, count=2)
    await stage.load.do("migrate", source=second, target=first, count=2)
    await restart(stage, second, TODAY)


async def back(stage: Stage) -> None:
    """A conductor and an agent, as if this midflight had disappointed."""
    for release in (EARLIER, TODAY):
        await replace(stage, "conductor-1", release)
        await restart(stage, "agent-1", release)


async def unpin(stage: Stage) -> None:
    """Whoever can speak today's words may do so."""
    await stage.operator.command("pin", "clear", "--wait", "60s", release=TODAY)
    await asyncio.sleep(2)


ROAD = (
    *(step for step in road.ROAD if step.name in ("start", "populate")),
    Step("load", "the load begins", load),
    Step("expand", "the schema grows", expand),
    Step("control", "all but the agents become today's", control),
    Step("roll", "the agents become today's", roll),
    Step("back", "some go back and forth", back),
    Step("unpin", "today's words may be spoken", unpin),
)


def test_a_clone_without_the_commit_is_told_the_way_out(tmp_path: Path) -> None:
    """A shallow clone does not pass this for want of the earlier midflight: it fails, and says what to do."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", str(clone)], check=True)
    said = r"does not have the commit [0-9a-f]{40}.*git fetch --unshallow"
    with pytest.raises(RuntimeError, match=said), checked_out(tmp_path / "earlier", clone):
        pass
