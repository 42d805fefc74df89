"""What happens, chapter by chapter.

A chapter is a function that does its part with the stage; the first line of its docstring is what a person reads when
it begins. What else the house learns to do gets a chapter in a module of its own beside this one, and its place in
CHAPTERS: the machines, their agents and the box are there, and run, in all of them after the first.
"""

from __future__ import annotations

import asyncio
import json
import select
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address

from demo import music
from demo.stage import Stage
from house.lan.ethernet import Frame
from house.lan.mac import Mac
from tests.lab import noise
from tests.lab.network import Sleeper
from tests.lan import frames
from tests.rolling import trees

CAST = (
    Sleeper(0, 1.0, called="desk", port=80), Sleeper(1, 2.0, called="cellar", port=80),
    Sleeper(2, 0.5, called="attic", port=80),
)  # fmt: skip
"""The machines, each with how many seconds it needs to resume. The last one sleeps through the upgrade."""
ROOMS = "kitchen", "office", music.SPEAKER
SHORT_CAST, SHORT_ROOMS = CAST[:2], (ROOMS[0], music.SPEAKER)
SCANNER = Mac.parse("02:00:00:00:00:66")
UNLISTED = 8080


async def moving_in(stage: Stage) -> None:
    """An always-on box, rooms with speakers, and machines whose agents make themselves known"""
    await stage.command("midflight", "db", "expand", MIDFLIGHT_DATABASE=stage.box.database)
    await stage.box.broker.start(ready=False)
    await stage.box.conductor.start(stage.tree)
    await asyncio.gather(
        stage.box.watcher.start(stage.tree),
        stage.page.start(stage.tree, ready=False),
        stage.band.start(stage.tree),
    )
    stage.say(f"the house in a browser: {stage.url}")
    await music.tune_up(stage)
    await asyncio.gather(*(agent.start(stage.tree) for agent in stage.agents.values()))
    await stage.moved_in()
    for machine in stage.machines:
        stage.say(f"{machine.name} has entered the house: {machine.mac}, {machine.four}")
    set_up = "ports=80", "shortest-awake=1"
    await asyncio.gather(*(stage.command("house", "set", each.name, *set_up) for each in stage.machines))


async def falling_asleep(stage: Stage) -> None:
    """Nobody needs them: the house gives leave, the watcher stands guard, and they sleep"""
    await asyncio.gather(*(_sleeps(stage, each) for each in stage.machines))


async def being_wanted(stage: Stage) -> None:
    """A visitor who knows nothing of it wants a page"""
    await asyncio.gather(*(stage.ask(each) for each in stage.machines[:-1]))


async def chatter(stage: Stage) -> None:
    """A network is never silent: announcements, scans and unlisted ports wake nobody"""
    await falling_asleep(stage)
    made = [frame for each in stage.machines for frame in _chatter(each)]
    noise.send(stage.net, made)
    stage.noise += len(made)
    stage.say(f"{len(made)} frames that want nothing of {', '.join(each.name for each in stage.machines)}")


async def being_wanted_again(stage: Stage) -> None:
    """After all that, who really wants a machine gets it"""
    await stage.ask(stage.machines[0])


async def upgrade(stage: Stage) -> None:
    """All services go from alder to the next release, birch, while one machine sleeps and others are wanted"""
    desk, cellar, attic = stage.machines
    asleep = [attic.name] if attic.asleep and not attic.woken else []
    playing = {name: at for name, at in stage.band.mark().items() if name != music.SPEAKER}
    stage.trees["birch"] = stage.tree = trees.following(stage.trees["alder"], stage.folder / "birch")
    await stage.command("midflight", "release", "freeze", "birch", aloud=False)
    await stage.command("house", "hold", "--all", "--until", "10m", "--reason", "an upgrade")
    await stage.command("midflight", "db", "expand", MIDFLIGHT_DATABASE=stage.box.database)
    await _replace_conductor(stage, desk)
    await _replace_watcher(stage, cellar)
    for machine in (desk, cellar):
        await _replace_agent(stage, machine)
    await music.replace_agents(stage)
    await stage.page.stop()
    await stage.page.start(stage.tree, ready=False)
    stage.say("page: birch")
    stage.gaps = {room: stage.band.gaps(room, since) for room, since in playing.items()}
    stage.say(f"silences of {' and '.join(playing)} meanwhile: {sum(stage.gaps.values())}")
    await music.patch(stage, "kitchen", "radio")
    await music.hears(stage, kitchen="radio")
    stage.slept_through = asleep if attic.asleep and not attic.woken else []
    stage.say(f"{attic.name} has slept through all of that, and is wanted now")
    await stage.ask(attic)
    await _replace_agent(stage, attic)
    members = json.loads(await stage.command("midflight", "fleet", "list", "--json", aloud=False))
    stage.releases = {f"{each['service']}@{each['host']}": each["release"] for each in members["members"]}


async def looking_back(stage: Stage) -> None:
    """What the house knows of it"""
    for words in ("status",), ("sound", "rooms"), ("history",):
        for line in (await stage.command("house", *words)).splitlines():
            stage.say(line)


Chapter = Callable[[Stage], Awaitable[None]]
SHORT: Sequence[Chapter] = moving_in, falling_asleep, being_wanted, chatter, being_wanted_again, music.patching
CHAPTERS: Sequence[Chapter] = moving_in, falling_asleep, being_wanted, chatter, music.patching, upgrade, looking_back


async def _sleeps(stage: Stage, machine: Sleeper) -> None:
    await machine.down.wait()
    stage.say(f"{machine.name} sleeps: its card listens, and the watcher has its address")


def _chatter(machine: Sleeper) -> list[Frame]:
    """What is heard in any network, and is no wish of anybody's."""
    others = [IPv4Address("198.18.0.80") + n for n in range(40)]
    return [
        *(frames.question(each, mac=SCANNER) for each in others),
        frames.question(machine.four, sender=IPv4Address("0.0.0.0")),  # may I have this address?
        frames.syn(machine.four, UNLISTED), frames.syn(machine.six, UNLISTED), frames.ping(machine.four),
        frames.syn(machine.four, machine.port, vlan=7), frames.duplicate_detection(machine.six),
    ]  # fmt: skip


async def _replace_conductor(stage: Stage, wanted: Sleeper) -> None:
    """The house has one. While there is none, a machine is wanted: its watcher needs nobody for that."""
    await stage.box.conductor.stop()
    await stage.ask(wanted)
    await stage.box.conductor.start(stage.tree)
    stage.say("conductor: birch")


async def _replace_watcher(stage: Stage, wanted: Sleeper) -> None:
    """While there is none, a machine is wanted. What is asked waits in the socket that is kept for the next one."""
    stage.net.knows(wanted)  # as somebody who has talked to it lately
    await stage.box.watcher.stop()
    asking = asyncio.create_task(stage.ask(wanted))
    kept = stage.box.watcher.kept[0]
    await asyncio.to_thread(select.select, [kept], [], [], 30.0)
    await stage.box.watcher.start(stage.tree)
    stage.say("watcher: birch")
    await asking


async def _replace_agent(stage: Stage, machine: Sleeper) -> None:
    agent = stage.agents[machine.name]
    await agent.stop()
    await agent.start(stage.tree)
    stage.say(f"sleeper on {machine.name}: birch")
