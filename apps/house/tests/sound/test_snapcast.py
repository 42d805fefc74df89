"""Which programs Snapcast has for what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from house.playing import Sent
from house.sound.errors import NoEngine, WrongEngine
from house.sound.pulse.modules import Found, Program, Running, Sink, Start, Stop, plan
from house.sound.snapcast import driver
from house.sound.snapcast.driver import Snapcast, check_players, check_version
from house.sound.snapcast.lines import SnapcastLines, port
from house.sound.snapcast.shortages import Shortages
from house.sound.wanted import Feed, Room, Wanted

CARD = Sink(0, "dac", "dac.monitor", 100, mute=False)
LINES = SnapcastLines(Path("/var/lib/house"))
RADIO = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)
NEWS = Feed("news", "sink", "", "station", "239.255.12.2", 5004)


def client(room: Room, server: str = "1") -> Program:
    """What plays in the only room of ``kitchen``."""
    (act,) = plan(Wanted("kitchen", (), (room,)), Found(sinks=[CARD], server=server), LINES).acts
    assert isinstance(act, Start)
    return act.program


def test_a_server_for_each_stream() -> None:
    """Each stream has a server of its own, so that a new one interrupts no other, and nobody can command it."""
    acts = plan(Wanted("station", (RADIO, NEWS)), Found(), LINES).acts
    servers = [act.program for act in acts if isinstance(act, Start)]
    assert port(RADIO) != port(NEWS)
    for server, feed in zip(servers, (RADIO, NEWS), strict=True):
        assert f"--stream.port={port(feed)}" in server.arguments
        assert {"--http.enabled=false", "--tcp.enabled=false"} <= set(server.arguments)
    running = [Running(server, 10 + n) for n, server in enumerate(servers)]
    ended = plan(Wanted("station", (RADIO,)), Found(programs=running), LINES).acts
    assert [act for act in ended if isinstance(act, Start | Stop)] == [Stop(running[1])]


def test_a_client_goes_to_its_stream() -> None:
    """A room's client goes to its stream's host and port, plays later or earlier where the room has an offset, never so
    early that there is nothing to play yet, and is another one where PulseAudio was started anew: the old one would be
    silent for ever."""
    first = client(Room("kitchen", feed=RADIO))
    assert {"--host=station", f"--port={port(RADIO)}", "--soundcard=dac", "--latency=0"} <= set(first.arguments)
    assert "--latency=-250" in client(Room("kitchen", feed=RADIO, offset_ms=250)).arguments
    assert "--latency=800" in client(Room("kitchen", feed=RADIO, offset_ms=-1000)).arguments
    again = client(Room("kitchen", feed=RADIO), server="2")
    found = Found(sinks=[CARD], server="2", programs=[Running(first, 9)])
    wanted = Wanted("kitchen", (), (Room("kitchen", feed=RADIO),))
    assert plan(wanted, found, LINES).acts == (Stop(Running(first, 9)), Start("room kitchen", again))


def test_programs_of_others_stay() -> None:
    """Somebody's own Snapcast is none of ours."""
    theirs = [
        Running(Program(("snapserver",)), 7),
        Running(Program(("snapclient", "--host=station", "--hostID=phone")), 8),
        Running(Program(("sleep", f"?name=house.{RADIO.name}")), 9),
    ]
    assert plan(Wanted("station"), Found(programs=theirs), LINES).acts == ()


def test_a_source_that_is_not_there() -> None:
    """No server is started for a capture device that is gone."""
    tv = Feed("tv", "capture", "hdmi-in", "station", "239.255.12.3", 5004)
    planned = plan(Wanted("station", (tv,)), Found(), LINES)
    assert planned.acts == ()
    assert planned.feeds["tv"].state is Sent.BROKEN


WROTE = [
    "2026-11-26 23-59-57.000 [Info] (PulsePlayer) Connecting to pulse",
    "2026-11-26 23-59-57.100 [Info] (Stream) No chunks available",
    "2026-11-26 23-59-58.000 [Info] (PulsePlayer) undeflow #1, latency: 100 ms",
    "2026-11-26 23-59-58.500 [Info] (Stream) pBuffer->full() && (abs(median_) > 2): 2304",
    "2026-11-27 00-00-01.000 [Info] (Stream) No chunks available",
    "2026-11-27 00-00-01.010 [Info] (Stream) Exception: Not enough frames available, requested frames: 960",
    "2026-11-27 00-00-02.000 [Info] (PulsePlayer) undeflow #2, latency: 100 ms",
]


def test_how_often_there_was_nothing_to_play(tmp_path: Path) -> None:
    """A client that writes of it counts, and one that has just begun has nothing yet; what it corrects is no shortage.
    A line is counted once, when it is whole; the next client's are counted, too, and one that writes nothing tells
    nothing."""
    file = tmp_path / "log"
    shortages = Shortages(file)
    assert shortages.count() is None
    file.write_text("")
    assert shortages.count() is None
    text = "".join(f"{line}\n" for line in WROTE)
    for length, expected in ((30, 0), (len(text) - 1, 2), (len(text), 3), (len(text), 3)):
        file.write_text(text[:length])
        assert shortages.count() == expected
    file.write_text(f"{WROTE[4]}\n" + "2026-11-27 00-01-00.000 [Info] (Stream) No chunks available\n" * 2)
    assert shortages.count() == 5
    file.write_text("")
    assert shortages.count() is None


async def test_this_snapcast_can_do_it() -> None:
    """Whoever tests has one that is new enough, and plays by PulseAudio."""
    await driver._ask()


@pytest.mark.parametrize(
    ("said", "received"),
    [
        ("snapclient v0.20.0\nCopyright", "snapclient 0.20"),
        ("snapclient, by somebody else", "snapclient that does not say its version"),
        (None, "snapclient that does not say its version"),
    ],
)
def test_another_snapcast_cannot(said: str | None, received: str) -> None:
    """One that is too old, or another program, is told in one line with what is needed; a newer one can do."""
    with pytest.raises(WrongEngine) as caught:
        check_version("snapclient", said)
    assert str(caught.value) == f"received the engine {received}, expected snapclient 0.26 or newer"
    check_version("snapclient", "snapclient v0.31.0 (rev 1)")
    check_version("snapserver", "snapserver v1.0.0")


async def test_a_client_that_cannot_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was built without PulseAudio is told before PulseAudio is asked, with the way out."""
    with pytest.raises(NoEngine, match="there is no snapclient that plays by PulseAudio on this host: apt install"):
        check_players("  --player arg (=alsa)   alsa|file[:<options>|?]\n  --pulse arg")
    (tmp_path / "snapclient").write_text("#!/bin/sh\necho snapclient v0.26.0\n")
    (tmp_path / "snapclient").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    engine = Snapcast(())
    with pytest.raises(NoEngine, match="snapclient that plays by PulseAudio"):
        await engine.apply(Wanted("kitchen", (), (Room("kitchen"),)))
    await engine.close()
