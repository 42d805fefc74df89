"""Which programs GStreamer's net clock has for what is wanted, and which GStreamer it can be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import pytest

from house.sound.errors import NoEngine, WrongEngine
from house.sound.gst_netclock import driver
from house.sound.gst_netclock.driver import PACKAGES, GstNetclock, check_told
from house.sound.gst_netclock.lines import ENDS, PROGRAM, PYTHON, NetclockLines, clock_port, packet_port
from house.sound.pulse import programs as module
from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.modules import Found, Load, Loaded, Need, Program, Running, Sink, Start, Stop, Unload, plan
from house.sound.pulse.programs import Programs
from house.sound.pulse_rtp.lines import RtpLines
from house.sound.wanted import Feed, Room, Wanted
from tests.sound.lab.studio import PATIENCE, until

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


def test_a_device_is_played_into_a_sink() -> None:
    """What a device records is sent from a sink, for PulseAudio to resample it to the time of its host; both go with
    the stream, the device's way into the sink first, and neither by the plan of another engine."""
    tv = Feed("tv", "capture", "hdmi-in", "station", "239.255.12.3", 5004)
    wanted, found = Wanted("station", (tv,)), Found(sources=["hdmi-in"])
    sink, way, sender = plan(wanted, found, LINES).acts
    assert isinstance(sink, Load)
    assert isinstance(way, Load)
    assert isinstance(sender, Start)
    assert 'sink_name="house.tv"' in sink.module.argument
    assert 'source="hdmi-in" sink="house.tv" ' in way.module.argument
    assert "--device=house.tv.monitor" in sender.program.arguments
    there = [Loaded(act.module.name, act.module.argument, n) for n, act in enumerate((sink, way))]
    found = replace(found, modules=there, programs=[Running(sender.program, 9)])
    assert plan(wanted, found, LINES).acts == ()
    assert plan(Wanted("station"), replace(found, needs=[Need(LINES, tv)]), RtpLines()).acts == ()
    ended = Stop(Running(sender.program, 9)), Unload(there[1]), Unload(there[0])
    for nothing in (Wanted("station"), Wanted("station", (msgspec.structs.replace(tv, enabled=False),))):
        assert plan(nothing, found, LINES).acts == ended


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
    theirs = [
        Running(Program((PYTHON, "-I", "/usr/bin/print.py", "play", "--name=letter")), 7),
        Running(Program((PYTHON,)), 8),
        Running(Program(("sleep", "--name=house.radio")), 9),
    ]
    assert plan(Wanted("station"), Found(programs=theirs), LINES).acts == ()


def test_programs_of_an_earlier_release() -> None:
    """An upgrade may have moved the code: what plays and sends by the older program is ended, and then begun by the
    new one, so that nothing is heard twice."""
    before = NetclockLines(Path("/opt/house-1/program.py"))
    for wanted, found in (
        (Wanted("station", (RADIO,)), Found()),
        (Wanted("kitchen", (), (Room("kitchen", feed=RADIO),)), Found(sinks=[CARD], server="1")),
    ):
        (start,) = [act for act in plan(wanted, found, LINES).acts if isinstance(act, Start)]
        (older,) = [act for act in plan(wanted, found, before).acts if isinstance(act, Start)]
        running = Running(older.program, 9)
        acts = plan(wanted, replace(found, programs=[running]), LINES).acts
        assert [act for act in acts if isinstance(act, Start | Stop)] == [Stop(running), start]


async def test_this_gstreamer_can_do_it() -> None:
    """Whoever tests has a GStreamer that is new enough, with every element that the programs need."""
    await driver._ask()


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
    wanted = Wanted("kitchen", (), (Room("kitchen"),))
    for python, message in (
        ("/nowhere/python3", "there is no /nowhere/python3 on this host: apt install python3"),
        ("/bin/false", "there is no GStreamer for /bin/false on this host: apt install python3-gi"),
    ):
        monkeypatch.setattr(driver, "PYTHON", python)
        engine = GstNetclock(())
        with pytest.raises(NoEngine, match=message):
            await engine.apply(wanted)
        await engine.close()


async def test_it_is_left_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What plays can be ended on a host that has no GStreamer any more."""
    applied = list[Wanted]()

    async def apply(_: PulseDriver, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        applied.append(wanted)
        return []

    monkeypatch.setattr(PulseDriver, "apply", apply)
    monkeypatch.setattr(driver, "PYTHON", "/nowhere/python3")
    engine = GstNetclock(())
    await engine.apply(Wanted("kitchen"))
    assert applied == [Wanted("kitchen")]
    with pytest.raises(NoEngine):
        await engine.apply(Wanted("kitchen", (RADIO,)))
    assert len(applied) == 1
    await engine.close()


@pytest.fixture
async def programs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Programs]:
    """Those of the user who tests, with no PulseAudio: however late one ends, it was soon."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(module, "SOON", 86_400.0)
    ours = Programs(PACKAGES, "unix:/nowhere/native", ends=ENDS)
    yield ours
    for each in ours.found(lambda program: "--name=test" in program.arguments):
        await ours.stop(each)
    ours.close()


class Clock(asyncio.DatagramProtocol):
    """One that is asked for the time, and ``tells`` it, or does not; ``asked`` are the ports from which it was."""

    def __init__(self, *, tells: bool) -> None:
        self.tells, self.asked = tells, set[int]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.add(addr[1])
        if self.tells:  # when it was asked, and when that came here: "GstNetTimePacket" in GStreamer's reference
            self.transport.sendto(data[:8] + time.monotonic_ns().to_bytes(8, "big"), addr)


@asynccontextmanager
async def clock(*, tells: bool) -> AsyncIterator[tuple[Clock, int]]:
    """It runs, at this port; no other program can have it."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Clock(tells=tells), ("127.0.0.1", 0)
    )
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def program(act: str, *more: str, file: Path = PROGRAM) -> Program:
    """One of the user who tests, by its act and what it is told besides."""
    return Program((PYTHON, "-I", str(file), act, "--name=test", "--device=none", *more))


NO_HOST = f"--host={'x' * 70}"
"""Longer than a name can be, so that nobody is asked for it."""


@pytest.mark.parametrize(
    ("act", "more", "code"),
    [
        ("play", (NO_HOST,), 3),
        ("send", ("--group=239.255.12.1", "--clock={port}"), 4),
        ("play", ("--host=127.0.0.1", "--group=10.0.0.1", "--port=5004", "--clock={port}"), 5),
        ("send", ("--group=239.255.12.1", "--port=5004"), 6),
    ],
)
async def test_why_it_ends(programs: Programs, act: str, more: tuple[str, ...], code: int) -> None:
    """A program that cannot go on says by its exit code which cause that has: an unknown host, a clock's port that is
    another program's, a group that is none, and a PulseAudio that does not answer."""
    async with clock(tells=True) as (_, port):
        ends = program(act, *(each.format(port=port) for each in more))
        await programs.start(ends)
        async with asyncio.timeout(PATIENCE):
            await programs.stirred()
        assert programs.failure(ends).startswith(f"{PYTHON} ends as soon as it is started, for {ENDS[code]}: {PYTHON}")


TOLD = """
import runpy, sys, time
program = runpy.run_path(sys.argv[1])
Gst, GstNet, anew = program["Gst"], program["GstNet"], []
program["Time"].look.__globals__.update(SILENT_NS=0, _begin_anew=lambda: anew.append(1))
Gst.init(None)
provider = GstNet.NetTimeProvider.new(Gst.SystemClock.obtain(), "127.0.0.1", 0)
clock = GstNet.NetClientClock.new("sender", "127.0.0.1", provider.get_property("port"), 0)
told = program["Time"](clock)
while not told._told.have_pending():
    time.sleep(0.01)
clock.set_property("bus", None)
for _ in range(2):
    told.look()
    print(len(anew))
"""
"""Looks at one that was told the time, and again when nobody has told it since; its patience is 0 s."""


async def test_a_player_is_told_the_time() -> None:
    """It goes on while its stream's host tells it the time, whether there is anything to hear or not, and begins anew
    when nobody does."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-I", "-c", TOLD, str(PROGRAM), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said.split() == [b"0", b"1"]


async def test_a_player_that_nobody_tells_the_time(programs: Programs, tmp_path: Path) -> None:
    """After a while it begins anew, as the same process: its stream's host may have another address by now."""
    impatient, patience = tmp_path / "program.py", "SILENT_NS = 10_000 * MS"
    text = PROGRAM.read_text()
    assert patience in text
    impatient.write_text(text.replace(patience, "SILENT_NS = 300 * MS"))
    async with clock(tells=False) as (never, port):
        plays = program("play", "--host=127.0.0.1", f"--clock={port}", file=impatient)
        await programs.start(plays)

        async def asked() -> int:
            return len(never.asked)

        await until(asked, lambda ports: ports > 1, "a second one that asks")
        assert not programs.ended()
