"""Which modules PulseAudio is told to load and to unload, for what is wanted and what is there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec

from house.objects.player import Player as RoomObject
from house.objects.wiring import Wiring
from house.playing import Engine, Playing, Sent
from house.sound import orders
from house.sound.gst_netclock.lines import PROGRAM, NetclockLines
from house.sound.heard import RoomHeard
from house.sound.pulse import feeding, modules
from house.sound.pulse.modules import (
    Act,
    Begin,
    End,
    Found,
    Load,
    Loaded,
    Module,
    Need,
    Plan,
    Player,
    Sink,
    Turn,
    Unload,
)
from house.sound.pulse_rtp.lines import RtpLines
from house.sound.snapcast.lines import SnapcastLines
from house.sound.wanted import Feed, Room, Wanted

CARD = Sink(0, "dac", "dac.monitor", 100, mute=False)
RADIO = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)
SNAPCAST, NETCLOCK = SnapcastLines(Path("/snapserver")), NetclockLines(PROGRAM)


def plan(wanted: Wanted, found: Found) -> Plan:
    """That of the engine ``pulse-rtp``, which has all its lines in PulseAudio."""
    return modules.plan(wanted, found, RtpLines())


def done(found: Found, acts: tuple[Act, ...]) -> Found:
    """What is there after these acts."""
    modules = [each for each in found.modules if Unload(each) not in acts]
    modules += [
        Loaded(act.module.name, act.module.argument, 100 + n) for n, act in enumerate(acts) if isinstance(act, Load)
    ]
    turned = {act.sink.name: act for act in acts if isinstance(act, Turn)}
    sinks = [
        Sink(each.index, each.name, each.monitor, turned[each.name].volume, turned[each.name].mute)
        if each.name in turned
        else each
        for each in found.sinks
    ]
    return Found(modules, sinks, found.sources, found.default_sink)


def test_nothing_twice() -> None:
    """What was done for a plan is not in the next one."""
    found = Found(sinks=[CARD])
    wanted = Wanted("kitchen", (), (Room("kitchen", volume=40, feed=RADIO),))
    first = plan(wanted, found)
    assert [type(act) for act in first.acts] == [Turn, Load]
    assert plan(wanted, done(found, first.acts)).acts == ()


def test_a_test_signal() -> None:
    """It plays into a sink of its own, and both go when it is not wanted any more, the signal first; also by another
    engine's plan, unless it is that one's."""
    tone = Feed("sound.test", "tone", "", "station", "239.255.12.255", 5004)
    first = plan(Wanted("station", (tone,)), Found())
    made = ["module-null-sink", "module-sine", "module-rtp-send"]
    assert [str(act).split()[1] for act in first.acts] == made
    there = done(Found(), first.acts)
    assert plan(Wanted("station", (tone,)), there).acts == ()
    assert [str(act).split()[1] for act in plan(Wanted("station"), there).acts] == made[::-1]
    others = dataclasses.replace(there, needs=[Need(SNAPCAST, tone)])
    assert [str(act).split()[1] for act in plan(Wanted("station"), others).acts] == ["module-rtp-send"]


def test_others_stay() -> None:
    """Of modules that are not ours none is unloaded, also one of a kind that we use; of ours, the last one first."""
    others = [
        Loaded("module-null-sink", "sink_name=theirs", 1),
        Loaded("module-rtp-recv", "", 2),
        Loaded("module-loopback", 'source="theirs"', 3),
    ]
    ours = done(Found(others, [CARD]), plan(Wanted("station", (RADIO,)), Found(others, [CARD])).acts)
    assert [str(act) for act in plan(Wanted("station"), ours).acts] == [
        f"unload {each.name} {each.argument}" for each in reversed(ours.modules) if each not in others
    ]


def test_a_room_is_patched_anew() -> None:
    """Its receiver for one stream is unloaded before that for another is loaded."""
    news = Feed("news", "sink", "", "station", "239.255.12.2", 5004)
    found = Found(sinks=[CARD])
    found = done(found, plan(Wanted("kitchen", (), (Room("kitchen", feed=RADIO),)), found).acts)
    acts = plan(Wanted("kitchen", (), (Room("kitchen", feed=news),)), found).acts
    assert [type(act) for act in acts] == [Unload, Load]


def test_the_card_of_a_room() -> None:
    """It is the default one where none is named, and never a sink into which a stream is played."""
    ours = Sink(1, "house.radio", "house.radio.monitor", 100, mute=False)
    wanted = Wanted("station", (), (Room("hall", feed=RADIO, volume=30),))
    turned = plan(wanted, Found(sinks=[ours, CARD], default_sink="house.radio")).acts[0]
    assert isinstance(turned, Turn)
    assert turned.sink == CARD
    heard = plan(wanted, Found(sinks=[ours], default_sink="house.radio")).rooms["hall"]
    assert heard.state is Playing.UNPLUGGED


def test_two_rooms_with_one_card() -> None:
    """The second one is told whose the card is, and the first one plays."""
    wanted = Wanted("hall", (), (Room("hall", "dac", feed=RADIO), Room("stairs", "dac", feed=RADIO)))
    planned = plan(wanted, Found(sinks=[CARD]))
    assert list(planned.receivers) == ["hall"]
    assert planned.rooms["stairs"].why == "the sound card dac is hall's already"


def test_two_engines_with_one_card() -> None:
    """Of rooms of two engines, too, the card is the first one's: the other's engine does not touch it."""
    wiring = Wiring(
        host="hall",
        players=[
            RoomObject(name="hall", host="hall", sink="dac", engine=Engine.SNAPCAST, volume=30),
            RoomObject(name="stairs", host="hall", engine=Engine.PULSE_RTP, volume=70),
        ],
    )
    found = Found(sinks=[CARD], default_sink="dac")
    second = plan(orders.wanted(wiring, Engine.PULSE_RTP), found)
    assert second.acts == ()
    assert second.rooms["stairs"].why == "the sound card dac is hall's already"
    first = plan(orders.wanted(wiring, Engine.SNAPCAST), found)
    assert first.acts == (Turn("room hall", CARD, 30, mute=False),)
    assert first.rooms == {}


def test_a_capture_device_that_is_gone() -> None:
    """Its stream is broken, in words that name it, and a room of its own host waits for it; others are sent."""
    tv = Feed("tv", "capture", "hdmi-in", "station", "239.255.12.3", 5004)
    planned = plan(Wanted("station", (tv, RADIO), (Room("hall", feed=tv),)), Found(sinks=[CARD], default_sink="dac"))
    assert planned.feeds["tv"].state is Sent.BROKEN
    assert planned.feeds["tv"].why == "there is no source 'hdmi-in' on station"
    assert planned.rooms["hall"] == RoomHeard(Playing.WAITING, "there is no source 'hdmi-in' on station")
    assert planned.receivers == {}
    assert list(planned.sources) == ["radio"]


def test_names_are_quoted() -> None:
    """Whatever is in the name of a device, it adds no argument."""
    tv = Feed("tv", "capture", 'tv" ttl=255 x="\\', "station", "239.255.12.3", 5004)
    (act,) = plan(Wanted("station", (tv,)), Found(sources=[tv.source])).acts
    assert isinstance(act, Load)
    assert r'source="tv\" ttl=255 x=\"\\" destination_ip="239.255.12.3"' in act.module.argument


def test_its_own_host() -> None:
    """A stream of the room's own host comes by a loopback, which is quicker than the network; an offset is added to
    either, and neither is ever less than an engine can do."""
    tv = Feed("tv", "capture", "hdmi-in", "hall", "239.255.12.3", 5004)

    def receiver(feed: Feed, offset_ms: int) -> Module:
        wanted = Wanted("hall", (), (Room("hall", offset_ms=offset_ms, feed=feed),))
        line = plan(wanted, Found(sinks=[CARD])).receivers["hall"]
        assert isinstance(line, Module)
        return line

    assert receiver(tv, 0).name == "module-loopback"
    assert "latency_msec=60 " in receiver(tv, 0).argument
    assert "latency_msec=20 " in receiver(tv, -1000).argument
    assert receiver(RADIO, 0).argument.endswith("latency_msec=500")
    assert receiver(RADIO, 250).argument.endswith("latency_msec=750")


def test_a_disabled_stream_keeps_its_place() -> None:
    """Programs that play into a stream go on to do so when it is disabled, and nothing is sent."""
    found = Found(sources=["house.radio.monitor"])
    found = done(found, plan(Wanted("station", (RADIO,)), found).acts)
    off = msgspec.structs.replace(RADIO, enabled=False)
    (act,) = plan(Wanted("station", (off,)), found).acts
    assert isinstance(act, Unload)
    assert act.loaded.name == "module-rtp-send"


def test_files_and_radios_are_played() -> None:
    """One is begun once, ended when it is disabled, and begun anew when it comes from elsewhere; players of others
    stay."""
    jazz = Feed("jazz", "radio", "http://a/jazz", "station", "239.255.12.4", 5004)
    theirs = Player("mpd", 7)
    begun = plan(Wanted("station", (jazz,)), Found(players=[theirs])).acts[-1]
    assert begun == Begin(jazz)
    mine = Player(feeding.label(jazz), 8)
    for there in (Found(players=[theirs, mine]), Found(players=[theirs], beginning=[mine.label])):
        assert Begin(jazz) not in plan(Wanted("station", (jazz,)), there).acts
    off = msgspec.structs.replace(jazz, enabled=False)
    acts = plan(Wanted("station", (off,)), Found(players=[theirs, mine])).acts
    assert [act for act in acts if isinstance(act, Begin | End)] == [End(mine)]
    moved = msgspec.structs.replace(jazz, source="http://b/jazz")
    acts = plan(Wanted("station", (moved,)), Found(players=[theirs, mine])).acts
    assert [act for act in acts if isinstance(act, Begin | End)] == [End(mine), Begin(moved)]


def test_what_another_engine_needs_stays() -> None:
    """An engine that sends no stream any more takes its own lines away, and leaves the sinks that programs play into,
    and the players, as long as another engine of the host has them; of the other engine's lines it touches none."""
    tape = Feed("tape", "file", "/tape.wav", "station", "239.255.12.4", 5004)
    found = done(Found(), plan(Wanted("station", (RADIO, tape)), Found()).acts)
    loopback = Loaded("module-loopback", 'sink_input_properties="house.snapcast=hall"', 9)
    player = Player(feeding.label(tape), 8)
    found = dataclasses.replace(found, modules=[*found.modules, loopback], players=[player])
    needs = [Need(SNAPCAST, feed) for feed in (RADIO, tape)]
    left = plan(Wanted("station"), dataclasses.replace(found, needs=needs))
    assert [act.loaded.name for act in left.acts if isinstance(act, Unload)] == ["module-rtp-send"] * 2
    assert len(left.acts) == 2
    alone = plan(Wanted("station"), found).acts
    assert End(player) in alone
    assert len(alone) == 5
    assert Unload(loopback) not in alone


def test_the_sink_of_a_captured_stream() -> None:
    """It goes with the engine that steadies the stream by it, for the others send what is captured itself."""
    tv = Feed("tv", "capture", "hdmi-in", "station", "239.255.12.3", 5004)
    found = Found(sources=[tv.source])
    found = done(found, modules.plan(Wanted("station", (tv,)), found, NETCLOCK).acts)
    assert [each.name for each in found.modules] == ["module-null-sink", "module-loopback"]

    def undone(by: modules.Carrier) -> list[str]:
        """What goes when gst-netclock sends it no more, and this engine still does."""
        left = dataclasses.replace(found, needs=[Need(by, tv)], sources=[tv.source])
        return [str(act).split()[1] for act in modules.plan(Wanted("station"), left, NETCLOCK).acts]

    assert undone(by=RtpLines()) == ["module-loopback", "module-null-sink"]
    assert undone(by=NETCLOCK) == ["module-loopback"]
