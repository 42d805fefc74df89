import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from midflight.transports.embedded import EmbeddedBroker
from tests.rolling import trees
from tests.rolling.process import HostProcess

CONFIGURATION = """[midflight]
project = "house.project:project"
broker = "{broker}"
{database}
state = "state-{name}"
beat_seconds = 1

[app.sleeper]
method = "command"
command = ["true"]
logind = false
wake_on_lan = false
quiet_seconds = 0.1
look_seconds = 0.1
refused_seconds = 0.1
{checks}

[app.sound]
engines = []
"""
IDLE, BUSY = "[app.sleeper.checks]", '[app.sleeper.checks.processes]\nnames = ["*"]'
DESK, SOUND = "sleeper@desk", "sound@desk"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "broker")
    asyncio.run(broker.start())
    yield broker
    asyncio.run(broker.stop())


def configuration(folder: Path, name: str, broker: EmbeddedBroker, checks: str = IDLE, database: str = "") -> str:
    """The file of one host."""
    file = folder / f"{name}.toml"
    file.write_text(CONFIGURATION.format(name=name, broker=broker.url, checks=checks, database=database))
    return str(file)


def stands(found: dict[str, Any]) -> list[Any]:
    """How the desk stands, in the house and in the fleet, which are asked one after the other."""
    return [found["machines"]["desk"], found["members"].get(DESK)]


def test_a_house_is_upgraded_while_one_of_its_machines_sleeps(tmp_path: Path, broker: EmbeddedBroker) -> None:
    """From before the first step until after the last, it is asleep, with both of its agents: neither lost, nor do they
    hold down what is spoken, nor block the gates. Its clocks have jumped when it wakes; it says so, in words that are a
    release old, and is upgraded then."""
    asyncio.run(upgraded(tmp_path, broker))


async def upgraded(folder: Path, broker: EmbeddedBroker) -> None:
    slept = folder / "slept"
    slept.write_text("0")
    main = configuration(folder, "main", broker, database=f'database = "sqlite:///{folder}/house.db"')
    agent = configuration(folder, "agent", broker)
    nas = configuration(folder, "nas", broker, BUSY)
    alder_tree = trees.first(folder / "alder")

    def still_asleep(found: dict[str, Any], floor: str) -> None:
        """As the operator sees it after each step."""
        assert [found["members"][each] for each in (DESK, SOUND)] == [["alder", "asleep"]] * 2
        assert found["machines"]["desk"] == "asleep"
        assert found["floors"]["sleeper"][0] == floor
        assert {DESK, SOUND}.isdisjoint(holder for _, holders in found["floors"].values() for holder in holders)
        assert [fact for fact in found["blocked_by"] if "desk" in fact] == []

    async with AsyncExitStack() as stack:

        async def host(tree: Path, name: str) -> HostProcess:
            return await stack.enter_async_context(HostProcess.running(tree, folder / f"{name}.log", slept))

        first = await host(alder_tree, "alder")
        await first.do("freeze", release="alder")
        await first.do("expand", config=main, release="alder")
        desk = await host(alder_tree, "desk")
        await first.do("create", name="desk", mac="52:54:00:00:00:01", config=main)
        await first.do("create", name="nas", mac="52:54:00:00:00:02", config=main)
        assert await first.do("start", service="conductor", host="c1", config=main) == "alder"
        await first.do("start", service="watcher", host="attic", config=agent)
        await first.do("start", service="sleeper", host="nas", config=nas)
        await desk.do("start", service="sound", host="desk", config=agent)
        await desk.do("start", service="sleeper", host="desk", config=agent)
        found = await first.until(main, lambda found: stands(found) == ["asleep", ["alder", "asleep"]])
        desk.freeze()
        still_asleep(found, "1.0")

        birch_tree = trees.following(alder_tree, folder / "birch")
        second = await host(birch_tree, "birch")
        await second.do("freeze", release="birch")
        await second.do("expand", config=main, release="birch")
        assert await second.do("start", service="conductor", host="c2", config=main) == "birch"
        await first.do("stop", service="conductor", host="c1")
        still_asleep(await second.do("look", config=main), "1.0")
        await first.do("stop", service="watcher", host="attic")
        await second.do("start", service="watcher", host="attic", config=agent)
        await first.do("stop", service="sleeper", host="nas")
        await second.do("start", service="sleeper", host="nas", config=nas)
        found = await second.until(main, lambda found: found["machines"]["nas"] == "awake")
        still_asleep(found, "1.1")
        assert found["members"]["sleeper@nas"][0] == "birch"

        slept.write_text("36000")
        desk.thaw()
        found = await second.until(main, lambda found: stands(found) == ["awake", ["alder", "active"]])
        assert found["floors"]["sleeper"] == ["1.0", [DESK]]
        await second.until(main, lambda found: found["members"].get(SOUND) == ["alder", "active"])
        assert found["slept"] == {"desk": True, "nas": False}
        for service in ("sleeper", "sound"):
            await desk.do("stop", service=service, host="desk")
        await second.do("start", service="sound", host="desk", config=agent)
        await second.do("start", service="sleeper", host="desk", config=agent)
        found = await second.until(main, lambda found: found["floors"]["sleeper"][0] == "1.1")
        assert found["members"][DESK] == ["birch", "active"]
        assert {release for release, _ in found["members"].values()} == {"birch"}
