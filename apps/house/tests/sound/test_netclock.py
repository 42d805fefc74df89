"""Which programs GStreamer's net clock has for what is wanted, and which GStreamer it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from house.sound.errors import NoEngine, WrongEngine
from house.sound.gst_netclock import driver
from house.sound.gst_netclock.driver import GstNetclock, check_told
from house.sound.gst_netclock.lines import PYTHON, NetclockLines, clock_port, packet_port
from house.sound.pulse.modules import Found, Program, Running, Sink, Start, Stop, plan
from house.sound.wanted import Feed, Room, Wanted

CARD = Sink(0, "dac", "dac.monitor", 100, mute=False)
LINES = NetclockLines(Path("/usr/lib/house/program.py"))
RADIO = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)
NEWS = Feed("news", "sink", "", "station", "239.255.12.2", 5004)


def player(room: Room, server: str = "1") -> Program:
    """What plays in the only room of ``kitchen``."""
    (act,) = plan(Wanted("kitchen", (), (room,)), Found(sinks=[CARD], server=server), LINES).acts
    assert isinstance(act, Start)
    return act.program


def test_a_sender_for_each_stream() -> None:
    """Each stream has a sender, a clock and a port of its own, and its sender ends with it."""
    acts = plan(Wanted("station", (RADIO, NEWS)), Found(), LINES).acts
    senders = [act.program for act in acts if isinstance(act, Start)]
    assert len({clock_port(RADIO), clock_port(NEWS), packet_port(RADIO), packet_port(NEWS)}) == 4
    for sender, feed in zip(senders, (RADIO, NEWS), strict=True):
        wanted = {f"--group={feed.group}", f"--port={packet_port(feed)}", f"--clock={clock_port(feed)}"}
        assert wanted | {"send", f"--device=house.{feed.name}.monitor"} <= set(sender.arguments)
    running = [Running(sender, 10 + n) for n, sender in enumerate(senders)]
    ended = plan(Wanted("station", (RADIO,)), Found(programs=running), LINES).acts
    assert [act for act in ended if isinstance(act, Start | Stop)] == [Stop(running[1])]


def test_a_player_follows_its_stream() -> None:
    """A room's player listens to its stream's host and group, plays later or earlier where the room has an offset,
    never so early that there is nothing to play yet, and is another one where PulseAudio was started anew."""
    first = player(Room("kitchen", feed=RADIO))
    wanted = {"play", "--host=station", f"--group={RADIO.group}", f"--port={packet_port(RADIO)}", "--device=dac"}
    assert {*wanted, f"--clock={clock_port(RADIO)}", "--offset=0"} <= set(first.arguments)
    assert "--offset=250" in player(Room("kitchen", feed=RADIO, offset_ms=250)).arguments
    assert "--offset=-150" in player(Room("kitchen", feed=RADIO, offset_ms=-1000)).arguments
    again = player(Room("kitchen", feed=RADIO), server="2")
    assert "--name=gst-netclock.kitchen.2" in again.arguments
    found = Found(sinks=[CARD], server="2", programs=[Running(first, 9)])
    wished = Wanted("kitchen", (), (Room("kitchen", feed=RADIO),))
    assert plan(wished, found, LINES).acts == (Stop(Running(first, 9)), Start("room kitchen", again))


def test_programs_of_others_stay() -> None:
    """What else the system's Python runs is none of ours."""
    theirs = [Running(Program((PYTHON, "-I", "/usr/bin/print.py", "play")), 7), Running(Program((PYTHON,)), 8)]
    assert plan(Wanted("station"), Found(programs=theirs), LINES).acts == ()


async def test_this_gstreamer_can_do_it() -> None:
    """Whoever tests has a GStreamer that is new enough, with every element that the programs need."""
    check_told(await driver._told())


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        (None, NoEngine, "there is no GStreamer for /usr/bin/python3 on this host: apt install python3-gi gir1.2-"),
        ("1.18", WrongEngine, "received the engine GStreamer 1.18, expected GStreamer 1.22 or newer"),
        ("1.22 udpsrc pulsesink", NoEngine, "there is no element udpsrc or pulsesink of GStreamer on this host: apt"),
    ],
)
def test_another_gstreamer_cannot(said: str | None, kind: type[Exception], message: str) -> None:
    """One that is not there, too old, or not whole is told in one line, with the way out."""
    with pytest.raises(kind, match=message):
        check_told(said)


async def test_a_host_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Python of the system's, or none that has GStreamer, that is said before PulseAudio is asked."""
    engine = GstNetclock(())
    monkeypatch.setattr(driver, "PYTHON", "/nowhere/python3")
    with pytest.raises(NoEngine, match="there is no /nowhere/python3 on this host: apt install python3"):
        await engine.ready()
    monkeypatch.setattr(driver, "PYTHON", "/bin/false")
    with pytest.raises(NoEngine, match="there is no GStreamer for /bin/false on this host: apt install python3-gi"):
        await engine.ready()
    await engine.close()
