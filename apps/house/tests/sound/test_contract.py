"""What every engine's driver promises (``Driver``), proved by what the rooms' sound cards have played."""

from __future__ import annotations

import asyncio
import time

import pytest

from house.playing import Playing, Sent
from house.sound.wanted import Feed, Wanted
from tests.sound.lab import tunes
from tests.sound.lab.studio import STATION, Studio, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUIET = 20_000
"""Bytes in a second: a tenth of what a stream with sound in it takes."""


async def test_each_room_plays_its_stream(house: Studio) -> None:
    """A room plays the stream that it is patched to and no other, another one when it is patched anew, and nothing
    when it has none."""
    await house.patch(kitchen="radio", office="radio", bedroom="news")
    await house.hear(kitchen="radio", office="radio", bedroom="news")
    await house.patch(kitchen="news", office=None)
    await house.hear(kitchen="news", office=None, bedroom="news")


async def test_done_twice(house: Studio) -> None:
    """What is there already is not done again, and a rehearsal says what would be done, and does nothing."""
    house.set("kitchen", feed=house.feeds["radio"])
    wanted, driver = house.wanted("kitchen"), house.drivers["kitchen"]
    with house.but_for_aborts("kitchen"):
        await driver.ready()
        rehearsed = await driver.apply(wanted, rehearse=True)
        assert rehearsed
        assert await driver.apply(wanted) == rehearsed
        assert await driver.apply(wanted) == []
    await house.apply("kitchen")
    await house.hear(kitchen="radio")


async def test_undone(house: Studio) -> None:
    """Where nothing is wanted any more, the engine is as it was before the house used it, and what others have there
    stays."""
    await house.patch(kitchen="radio")
    for host in (STATION, "kitchen"):
        with house.but_for_aborts(host):
            await house.drivers[host].ready()
            await house.drivers[host].apply(Wanted(host))
            assert await house.engine.traces(house.hosts[host]) == []
    house.set("kitchen", feed=None)
    await house.hear(kitchen=None)


async def test_how_it_stands(house: Studio) -> None:
    """A look tells the room that plays from the one that waits and the silent one, and the stream that is sent from the
    one into which nobody plays: it is quiet on the wire, and heard as soon as somebody does."""
    house.feeds["quiet"] = Feed("quiet", "sink", "", STATION, "239.255.12.9", 5004)
    house.set("kitchen", feed=house.feeds["radio"])
    house.set("office", feed=house.feeds["quiet"])
    await house.apply()
    await house.stands("kitchen", Playing.PLAYING)
    await house.stands("office", Playing.WAITING)
    await house.stands("bedroom", Playing.SILENT)
    await house.sends("radio", Sent.SENDING)
    await house.sends("quiet", Sent.IDLE)
    await until(lambda: _rate(house, "office"), lambda rate: rate < QUIET, f"less than {QUIET} bytes/s")
    await house.play("news", "quiet")
    await house.hear(kitchen="radio", office="news", bedroom=None)


async def _rate(house: Studio, room: str) -> float:
    """How many bytes the room's host has got in a second."""
    before, since = house.hosts[room].received(), time.monotonic()
    await asyncio.sleep(0.5)
    return (house.hosts[room].received() - before) / (time.monotonic() - since)


async def test_volume(house: Studio) -> None:
    """A room is as loud as it should be, mute when it should be, and the same again after PulseAudio was killed, on
    which every engine plays."""
    await house.patch(kitchen="radio")
    await house.hear(kitchen="radio")
    await house.plays_at("kitchen", tunes.LOUD)
    house.set("kitchen", volume=50)
    await house.apply("kitchen")
    await house.plays_at("kitchen", tunes.LOUD / 8)  # PulseAudio's percent are cubic
    await house.kill("kitchen", "pulseaudio")
    await house.apply("kitchen")
    await house.plays_at("kitchen", tunes.LOUD / 8)
    house.set("kitchen", mute=True)
    await house.apply("kitchen")
    await house.hear(kitchen=None)


async def test_engine_is_killed(house: Studio) -> None:
    """An engine that ends stirs, is started again, and plays what it did; that of the streams, too."""
    await house.patch(kitchen="radio", office="news")
    with house.but_for_aborts("kitchen", STATION):
        await house.hear(kitchen="radio", office="news")
        for name in ("kitchen", STATION):
            assert not await house.drivers[name].ready()
    await house.apply()
    for name in ("kitchen", STATION):
        await house.hear(kitchen="radio", office="news")
        await house.kill(name)
        assert await house.drivers[name].ready()
        assert await house.drivers[name].apply(house.wanted(name)) != []
    await house.hear(kitchen="radio", office="news")


async def test_a_new_driver_takes_over(house: Studio) -> None:
    """When a driver ends and another one begins, the room plays on, by the same engine, and there is nothing to do."""
    await house.patch(kitchen="radio")
    await house.hear(kitchen="radio")
    aborts, engines = house.aborts("kitchen"), house.engines("kitchen")
    await house.renew("kitchen")
    await house.drivers["kitchen"].ready()
    acts = await house.drivers["kitchen"].apply(house.wanted("kitchen"))
    await house.hear(kitchen="radio")
    assert engines != []
    assert (acts, house.engines("kitchen")) == ([], engines) or house.aborts("kitchen") > aborts


async def test_no_such_card(house: Studio) -> None:
    """A room without its sound card is unplugged, in words that name the card; the others play on."""
    house.set("kitchen", feed=house.feeds["radio"])
    house.set("office", feed=house.feeds["radio"], sink="usb-dac")
    await house.apply()
    await house.hear(kitchen="radio", office=None)
    with house.but_for_aborts("office"):
        heard = (await house.look("office")).rooms["office"]
        assert heard.state is Playing.UNPLUGGED
        assert "usb-dac" in heard.why


async def test_the_stream_of_its_own_host(house: Studio) -> None:
    """A room plays a stream of its own host, too."""
    house.feeds["tv"] = Feed("tv", "sink", "", "kitchen", "239.255.12.8", 5004)
    await house.apply("kitchen")
    await house.play("news", "tv")
    await house.patch(kitchen="tv")
    await house.hear(kitchen="news")


async def test_a_file(house: Studio) -> None:
    """A file is played into its stream, over and over, without anybody's doing; one that is not there makes its stream
    broken, in words that name it."""
    tape, none = house.folder / "tape.wav", house.folder / "none.wav"
    tunes.write_wav("news", tape)
    house.feeds["tape"] = Feed("tape", "file", str(tape), STATION, "239.255.12.7", 5004)
    house.feeds["none"] = Feed("none", "file", str(none), STATION, "239.255.12.6", 5004)
    house.set("kitchen", feed=house.feeds["tape"])
    await house.apply()
    await house.hear(kitchen="news")
    assert str(none) in await house.sends("none", Sent.BROKEN)
