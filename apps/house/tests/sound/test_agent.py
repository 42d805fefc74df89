"""Agents keep engines at what the house wants: patched on the command line or in a browser, heard in the rooms."""

from __future__ import annotations

import json
import os
import re
import signal
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from house.names import ALL
from house.objects.patch_bay import PatchBay
from house.objects.stream import Stream
from house.playing import Playing
from tests.sound.lab import jukebox, obstacles, tunes
from tests.sound.lab.browser import patch_bay
from tests.sound.lab.house import AGENTS, JUKEBOX, House
from tests.sound.lab.studio import STATION, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOMS = AGENTS[1:]
RECEIVES = "pactl list short sink-inputs; pactl list short modules | grep -c module-rtp-recv || true"
"""What plays in a PulseAudio, and how many receivers there are."""
FIFTH = "numgen inc mod 5 == 0"
"""The expression of nft for one packet of five."""
SOME_LOST = "pulse-rtp: [0-9]+( packets are lost|% of sound.test is lost)"
NONE_ARRIVE = "pulse-rtp: nothing of sound.test arrives here"
"""What a room says then of the engine that loses, as regular expressions."""


async def told_at(home: House, room: str) -> datetime | None:
    """When the house was told of a room last."""
    return (await home.hearings())[room].at


async def underruns(home: House, room: str) -> int | None:
    """What its engine tells of them."""
    return (await home.hearings())[room].underruns


async def test_patched(home: House) -> None:
    """A room plays what it is patched to, and the house knows that it does; a room without a stream is silent."""
    await home.tell("sound", "patch", "kitchen", "radio")
    await home.tell("sound", "patch", "office", "news")
    await home.studio.hear(kitchen="radio", office="news")
    await home.stand(kitchen=Playing.PLAYING, office=Playing.PLAYING)
    await home.tell("sound", "patch", "kitchen", "news")
    await home.tell("sound", "off", "office")
    await home.studio.hear(kitchen="news", office=None)
    await home.says("kitchen", state=Playing.PLAYING, stream="news")
    await home.says("office", state=Playing.SILENT, stream=None)


async def test_each_room_plays_what_is_patched_to_it_in_a_browser(home: House, tmp_path: Path) -> None:
    """By a tap and by a drag: the recordings of the rooms prove it, and so they do that a room is silent when its jack
    is pulled out. The page says so of each, by the word of its agent."""
    await home.tell("sound", "off", "all")
    await home.studio.hear(kitchen=None, office=None)
    async with patch_bay(home, tmp_path) as seen:
        await seen.page.click("[id='jack-kitchen.radio']")
        await home.studio.hear(kitchen="radio", office=None)
        await seen.reads("#row-kitchen", "playing")
        await seen.page.drag_and_drop("#stream-news", "#row-office th")
        await home.studio.hear(kitchen="radio", office="news")
        await seen.reads("#row-office", "playing")
        await seen.page.click("[id='jack-kitchen.news']")
        await home.studio.hear(kitchen="news", office="news")
        await seen.page.click("[id='jack-kitchen.news'][aria-pressed='true']")
        await home.studio.hear(kitchen=None, office="news")
        await seen.reads("#row-kitchen", "silent")
        await seen.page.focus("[id='jack-all.news']")
        await seen.page.keyboard.press("Delete")
        await home.studio.hear(kitchen=None, office=None)
        await seen.reads("#summary", "Silence in 2 rooms")


async def test_disabled(home: House) -> None:
    """The rooms of a stream that is disabled fall silent and say why; they play it again when it is enabled."""
    await home.tell("sound", "patch", "kitchen", "radio")
    await home.studio.hear(kitchen="radio")
    await home.tell("sound", "disable", "radio")
    await home.studio.hear(kitchen=None)
    await home.says("kitchen", state=Playing.WAITING, why="radio is disabled")
    await home.tell("sound", "enable", "radio")
    await home.studio.hear(kitchen="radio")


async def test_all_but_the_engines_go_away(home: House) -> None:
    """While agents, conductor and broker are killed, are away, and come again, rooms play on, and nobody touches their
    engines: the same processes have the same modules and the same streams, but for an engine that has ended by itself
    meanwhile, which its agent had to start again."""
    await PatchBay.patch(home.context, ALL, "radio")
    before = await home.steady(home.engine, kitchen="radio", office="radio")
    names = ("broker", "conductor", *AGENTS)
    await home.kill(*names)
    told = {room: hearing.at for room, hearing in (await home.hearings()).items()}
    await home.studio.hear(kitchen="radio", office="radio")
    await home.start(*names)

    async def told_again() -> list[str]:
        return [room for room, hearing in (await home.hearings()).items() if hearing.at != told[room]]

    await until(told_again, lambda rooms: set(rooms) >= set(ROOMS), "a word from both rooms' agents")
    await home.stand(kitchen=Playing.PLAYING, office=Playing.PLAYING)
    after = await home.steady(home.engine, kitchen="radio", office="radio")
    for host, (aborts, engine) in before.items():
        assert after[host] == (aborts, engine) or after[host][0] > aborts


async def test_two_engines(home: House) -> None:
    """Rooms of two engines play the same stream, from the same sink; it stays when one of the engines, and then the
    other one, has no room any more, but for an engine that has ended by itself meanwhile. A room of Snapcast tells of
    its underruns."""
    await PatchBay.patch(home.context, ALL, "radio")
    before = (await home.steady(home.sinks, kitchen="radio", office="radio"))[STATION]
    for name in ROOMS:
        await home.tell("sound", "room", name, "--engine", "snapcast")
        await home.runs(name, "snapclient")
        await home.studio.hear(kitchen="radio", office="radio")
        await home.stand(kitchen=Playing.PLAYING, office=Playing.PLAYING)
        await until(partial(underruns, home, name), lambda number: number is not None, "a number of underruns")
    for name in ROOMS:
        await home.tell("sound", "room", name, "--engine", "pulse-rtp")
        await home.studio.hear(kitchen="radio", office="radio")
    for name in ROOMS:
        await home.runs(name, "snapclient", none=True)
    await home.runs(STATION, "snapserver", none=True)
    after = (await home.steady(home.sinks, kitchen="radio", office="radio"))[STATION]
    assert after == before or after[0] > before[0]


async def test_an_engine_is_killed(home: House) -> None:
    """A room whose engine is killed plays again, as loud as before, and its agent counts that; nobody but the agent has
    to be there for it."""
    await PatchBay.patch(home.context, "kitchen", "radio")
    await PatchBay.set_volume(home.context, "kitchen", 50)
    await home.studio.plays_at("kitchen", tunes.LOUD / 8)
    await home.kill("conductor")
    restarts = (await home.hearings())["kitchen"].restarts
    host = home.studio.hosts["kitchen"]
    killed = host.processes("pulseaudio")
    assert killed
    for process in killed:
        os.kill(process, signal.SIGKILL)

    async def runs() -> list[int]:
        return host.processes("pulseaudio")

    await until(runs, lambda found: bool(found) and not set(found) & set(killed), "another one")
    await home.studio.hear(kitchen="radio")
    await home.studio.plays_at("kitchen", tunes.LOUD / 8)
    await home.start("conductor")

    async def counted() -> int:
        return (await home.hearings())["kitchen"].restarts

    # More than once, where the machine is so busy that the new one does not answer in time.
    await until(counted, lambda found: found > restarts, f"more than {restarts}")
    await PatchBay.set_volume(home.context, "kitchen", 100)


async def test_an_agent_that_begins_knows_what_to_play(home: House) -> None:
    """An agent that begins while no conductor answers has its room play what it played last, though the engine is
    another one."""
    await PatchBay.patch(home.context, "office", "news")
    await home.studio.hear(office="news")
    await home.kill("conductor", "office")
    for process in home.studio.hosts["office"].processes("pulseaudio"):
        os.kill(process, signal.SIGKILL)
    await home.studio.hear(office=None)
    await home.start("office")
    await home.studio.hear(office="news")
    await home.start("conductor")
    await home.stand(office=Playing.PLAYING)


async def test_a_network_that_passes_no_multicast(home: House) -> None:
    """A room whose network brings it nothing says so, and which engine needs no multicast, and plays again when it
    does. The other room plays on meanwhile."""
    await PatchBay.patch(home.context, ALL, "radio")
    await home.studio.hear(kitchen="radio", office="radio")
    with obstacles.drops(home.studio.hosts["kitchen"], obstacles.MULTICAST):
        await home.studio.hear(kitchen=None, office="radio")
        why = "nothing of radio arrives here; where the network passes no multicast, the engine snapcast needs none"
        await home.says("kitchen", state=Playing.WAITING, why=why)
        await home.studio.hear(kitchen=None, office="radio")
    await home.studio.hear(kitchen="radio", office="radio")


async def test_two_senders_to_one_group(home: House) -> None:
    """A room to whose stream's group somebody else sends is silent, and says who both are; its PulseAudio does not end
    of that again and again, the other room plays on, and it plays again as soon as one of them is gone."""
    kitchen, bedroom = home.studio.hosts["kitchen"], home.studio.hosts["bedroom"]
    group = str((await Stream.get(home.context, "radio")).address)
    await PatchBay.patch(home.context, "kitchen", "radio")
    await PatchBay.patch(home.context, "office", "news")
    await home.studio.hear(kitchen="radio", office="news")
    async with obstacles.sends(bedroom, group):
        both = f"{home.studio.hosts[STATION].address} and {bedroom.address} all send to {group}, which is radio's: "
        why = "nobody hears it until one is left; the engines gst-netclock and snapcast hear only station"
        await home.says("kitchen", state=Playing.WAITING, why=both + why)
        await home.studio.hear(kitchen=None, office="news")
        await until(lambda: kitchen.run("sh", "-c", RECEIVES), "1\n".__eq__, "a receiver that has left its stream")
        engine, said = await home.engine("kitchen"), await told_at(home, "kitchen")
        await until(partial(told_at, home, "kitchen"), lambda at: at != said, "another word of the kitchen")
        assert await home.engine("kitchen") == engine
        await home.studio.hear(kitchen=None, office="news")
    await home.studio.hear(kitchen="radio", office="news")


async def test_a_network_that_floods(home: House) -> None:
    """A host that gets streams which nobody there has asked for says so."""
    await PatchBay.patch(home.context, "kitchen", "radio")
    await PatchBay.patch(home.context, "office", None)
    await home.studio.hear(kitchen="radio", office=None)

    async def told() -> list[str]:
        hosts = (await PatchBay.get(home.context)).hosts
        return [host.name for host in hosts if "seems to flood multicast" in "".join(host.troubles)]

    with obstacles.flooded(home.studio.hosts["office"]):
        await until(told, lambda hosts: "office" in hosts, "a word from the office")


async def test_packets_that_get_lost(home: House) -> None:
    """A room says how many, and where that is heard, how large their share is and which engine would bear it. The other
    room, whose way is a good one, has lost none."""
    await PatchBay.patch(home.context, ALL, "news")
    await home.studio.hear(kitchen="news", office="news")
    with obstacles.drops(home.studio.hosts["kitchen"], obstacles.loses(20)):

        async def told() -> tuple[str, int]:
            hearing = (await home.hearings())["kitchen"]
            return hearing.why, hearing.lost or 0

        await until(told, lambda said: "% of news is lost on its way here" in said[0] and said[1] > 0, "a word of it")

    async def office() -> tuple[object, ...]:
        hearing = (await home.hearings())["office"]
        return hearing.stream, hearing.lost, hearing.underruns, hearing.jitter_ms is not None

    await until(office, ("news", 0, None, True).__eq__, "nothing of it from the office")


async def test_an_mpd_plays_into_a_stream(home: House) -> None:
    """It is heard, and the house says what it plays and what comes next. When it ends, the house says that, and what
    others play is heard on."""
    station = home.studio.hosts[STATION]
    folder = station.home / JUKEBOX
    config = station.write(f"{JUKEBOX}/mpd.conf", jukebox.settings(folder, f'type "pulse"\nsink "house.{JUKEBOX}"'))
    tune = "-stream_loop", "30", "-f", "s16le", "-ar", "48000", "-ac", "2", "-i", str(home.studio.folder / "radio")
    song = await jukebox.song(station.home / "song.flac", *tune, artist="Nina Simone", title="Sinnerman")
    await home.tell("sound", "stream", JUKEBOX, "--host", STATION)
    process = await station.start("mpd", "--no-daemon", str(config))
    async with jukebox.remote(folder) as remote:
        remote.repeat(1)
        remote.single(1)
        remote.add(song)
        remote.play(0)
    await home.tell("sound", "patch", "kitchen", JUKEBOX)
    await home.tell("sound", "patch", "office", "news")
    await home.studio.hear(kitchen="radio", office="news")

    async def told() -> str:
        return await home.tell("sound", "queue", JUKEBOX)

    playing = "Nina Simone – Sinnerman\n1. Nina Simone – Sinnerman\n"
    await until(told, playing.__eq__, playing)
    assert "Nina Simone – Sinnerman" in await home.tell("sound", "streams")
    await station.stop(process)
    away = f"MPD at {folder}/socket does not run\n"
    await until(told, away.__eq__, away)
    await home.studio.hear(kitchen=None, office="news")
    await home.tell("sound", "stream", JUKEBOX, "--remove")


async def test_which_engine_the_network_bears(home: House) -> None:
    """Where multicast does not arrive, and where packets are lost, ``house sound test`` says so of that engine, and
    that the other one is heard. Then rooms play again what they played before."""
    await home.tell("sound", "patch", "kitchen", "radio")
    await home.tell("sound", "off", "office")
    await home.studio.hear(kitchen="radio", office=None)
    kitchen, office = home.studio.hosts["kitchen"], home.studio.hosts["office"]

    async def tested() -> dict[str, Any]:
        command = ("sound", "test", "--from", STATION, "--seconds", "2", "--yes", "--json")
        return dict(json.loads(await home.tell(*command, ends=(1, 2, 4))))

    def is_heard(found: dict[str, Any]) -> bool:
        """Whether the machine was quick enough for each engine that can be heard, and to see what the others lack."""
        levels = {(each["player"], each["engine"]): each["level_db"] for each in found.get("trials", [])}
        can_be = [("kitchen", "pulse-rtp"), ("kitchen", "snapcast"), ("office", "snapcast")]
        why = {each["room"]: each["why"] for each in found.get("advice", [])}
        return (
            all(levels.get(each) is not None for each in can_be)
            and re.search(SOME_LOST, why["kitchen"]) is not None
            and re.search(NONE_ARRIVE, why["office"]) is not None
        )

    with obstacles.drops(office, obstacles.MULTICAST), obstacles.drops(kitchen, f"{obstacles.MULTICAST} {FIFTH}"):
        found = await until(tested, is_heard, "a signal that is heard")
    trials = {(each["player"], each["engine"]): each for each in found["trials"]}
    assert trials["office", "pulse-rtp"]["level_db"] is None
    assert trials["kitchen", "pulse-rtp"]["lost"] > 0
    assert {each["engine"] for each in found["advice"]} <= {"snapcast", None}
    await home.studio.hear(kitchen="radio", office=None)
    await home.stand(kitchen=Playing.PLAYING)
