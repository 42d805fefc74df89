"""``house sound`` in front of a fleet: one room whose agent speaks, and one whose host is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from house import clock
from house.cli import main
from house.cli.app import SOUND
from house.kept import moves
from house.objects.machine import Machine
from house.objects.player import Player
from midflight import Context
from tests.cli.conftest import BUSY_SECONDS, ENDING_SECONDS, Fleet, quiet


@pytest.fixture(scope="module")
def streams(running_fleet: Fleet) -> Iterator[None]:
    """A radio and a record, for all tests here."""
    with quiet():
        for name in ("radio", "record"):
            running_fleet.run("sound", "stream", name, "--kind", "file", "--source", f"/{name}.ogg", "--host", "desk")
    yield
    with quiet():
        for name in ("radio", "record"):
            running_fleet.run("sound", "stream", name, "--remove")


@pytest.fixture
def sound(fleet: Fleet, streams: None, capsys: pytest.CaptureFixture[str]) -> Fleet:
    """The fleet with its streams."""
    capsys.readouterr()
    return fleet


def document(fleet: Fleet, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What was answered in JSON."""
    capsys.readouterr()
    assert fleet.run("sound", *words, "--json") == code
    return json.loads(capsys.readouterr().out)


def test_a_stream_is_patched_and_the_rooms_say_how_they_stand(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wanted of each, and what its agent says; one that says nothing is not known to play."""
    told = sound.told.count("sound")
    assert sound.run("sound", "patch", "all", "radio") == 0
    assert capsys.readouterr().out == "kitchen and bath hear radio\n"
    sound.hears("sound", told, 1)
    assert sound.run("sound", "rooms") == 0
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert said[0] == ["ROOM", "HEARS", "STATE", "VOLUME", "NOTES"]
    assert said[1] == ["kitchen", "radio", "playing", "70", "%", "-18", "dB"]
    assert " ".join(said[2]) == "bath radio unknown 70 % the agent of dead has said nothing yet"
    assert sound.run("sound", "off", "kitchen") == 0
    assert capsys.readouterr().out == "kitchen falls silent\n"
    rooms = document(sound, capsys, "rooms")["rooms"]
    assert [(each["room"]["name"], each["room"]["stream"], each["state"]) for each in rooms] == [
        ("kitchen", None, "silent"), ("bath", "radio", "unknown"),
    ]  # fmt: skip


def test_streams_say_how_they_stand(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Where they come from, what they play, and who hears them; a disabled one stays patched."""
    sound.run("sound", "off", "all")
    sound.run("sound", "patch", "kitchen", "radio")
    capsys.readouterr()
    assert sound.run("sound", "streams") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["radio", "sending", "file", "desk", "239.255.12.1", "kitchen", "the", "news"]
    assert said[2].split()[:5] == ["record", "off", "file", "desk", "239.255.12.2"]
    assert sound.run("sound", "disable", "radio") == 0
    radio = document(sound, capsys, "streams")["streams"][0]
    assert (radio["state"], radio["why"], radio["heard"]) == ("off", "disabled", True)
    assert sound.run("sound", "patch", "bath", "radio") == 75
    assert "radio: it is disabled, so nothing would be heard: enable it first" in capsys.readouterr().err
    assert sound.run("sound", "enable", "radio") == 0


def test_a_stream_says_what_it_plays(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Its title and what comes next; why not, where it is not sent; and that there is no such stream."""
    capsys.readouterr()
    assert sound.run("sound", "queue", "radio") == 0
    assert capsys.readouterr().out == "the news\n1. the weather\n2. a song\n"
    told = document(sound, capsys, "queue", "radio")
    assert told == {"stream": "radio", "title": "the news", "queue": ["the weather", "a song"], "why": ""}
    assert sound.run("sound", "queue", "record") == 0
    assert capsys.readouterr().out == "no room needs it\n"
    assert sound.run("sound", "queue", "nothing") == 64
    assert capsys.readouterr().err == "error: the house has no stream 'nothing'\n"


def test_rooms_are_set_one_by_one_and_together(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Volume, mute, offset, and a time at which they fall silent."""
    assert sound.run("sound", "group", "upstairs", "bath") == 0
    assert sound.run("sound", "volume", "upstairs", "35") == 0
    assert sound.run("sound", "mute", "all") == 0
    assert sound.run("sound", "mute", "kitchen", "--undo") == 0
    assert sound.run("sound", "room", "bath", "--offset", "-12.5", "--engine", "snapcast") == 0
    assert sound.run("sound", "timer", "bath", "45m") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:5] == [
        "upstairs is bath", "bath plays at 35 %", "kitchen and bath are muted", "kitchen is heard again",
        "bath is played by snapcast on dead, -12.5 ms",
    ]  # fmt: skip
    assert said[5].startswith("bath falls silent at ")
    kitchen, bath = (each["room"] for each in document(sound, capsys, "rooms")["rooms"])
    assert (kitchen["muted"], bath["muted"], bath["volume"], bath["offset_ms"]) == (False, True, 35, -12.5)
    assert bath["off_at"] is not None
    for words in (["timer", "bath", "--undo"], ["mute", "all", "--undo"], ["group", "upstairs", "--remove"]):
        assert sound.run("sound", *words) == 0
    assert sound.run("sound", "room", "bath", "--offset", "0", "--engine", "pulse-rtp") == 0
    assert sound.run("sound", "volume", "bath", "70") == 0


def test_a_room_says_what_was_measured(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """What its engine does not tell is a dash, and no nought; of a room whose agent is gone nothing is known."""
    sound.run("sound", "patch", "kitchen", "radio")
    capsys.readouterr()
    assert sound.run("sound", "room", "kitchen") == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "kitchen is played by pulse-rtp on desk, +0 ms", "hears radio: playing",
        "in hand 498 ms", "lost 1 packet", "jitter 2.1 ms", "drift —", "underruns —", "restarts 0",
    ]  # fmt: skip
    heard = document(sound, capsys, "room", "kitchen")["heard"]
    assert [heard[name] for name in ("lost", "jitter_ms", "underruns")] == [1, 2.1, None]
    assert sound.run("sound", "room", "bath") == 0
    assert capsys.readouterr().out.count("—") == 6


def test_scenes_are_kept_played_and_dropped(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """By a name with spaces, and at a time."""
    sound.run("sound", "patch", "all", "record")
    assert sound.run("sound", "save", "a quiet evening", "kitchen", "--at", "20:15", "--days", "Sat,Sun") == 0
    sound.run("sound", "patch", "all", "radio")
    capsys.readouterr()
    assert sound.run("sound", "scenes") == 0
    assert "a quiet evening  kitchen: record  Sat, Sun 20:15 UTC" in capsys.readouterr().out
    assert document(sound, capsys, "scene", "a quiet evening")["rooms"] == ["kitchen"]
    rooms = document(sound, capsys, "rooms")["rooms"]
    assert [each["room"]["stream"] for each in rooms] == ["record", "radio"]
    assert sound.run("sound", "drop", "a quiet evening") == 0
    assert sound.run("sound", "group", "upstairs", "bath") == 0
    assert sound.run("sound", "save", "bed time", "upstairs") == 0
    assert "bed time: bath: radio\n" in capsys.readouterr().out
    assert [sound.run("sound", *words) for words in (["drop", "bed time"], ["group", "upstairs", "--remove"])] == [0, 0]
    assert sound.run("sound", "scene", "a quiet evening") == 64
    assert "the house has no scene 'a quiet evening'" in capsys.readouterr().err


def test_a_machine_that_sleeps_is_woken_for_what_is_heard_there(
    sound: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its watcher. If it does not wake that is told, and the room stays patched: it plays when its machine does. So
    it is when it falls just then, when a stream is enabled, and for a scene with a time, for which it has to plan."""

    async def falls_asleep(context: Context) -> None:
        await Machine(context=context, name="dead-pi", mac="52:54:00:00:00:0f").create()
        await Machine.note_seen(context, "dead-pi", False, clock.now())
        await Player(context=context, name="attic", host="dead-pi").create()

    async def falls(context: Context) -> None:
        await Machine.note_seen(context, "dead-pi", True, clock.now())
        await context.db.write(moves.ask_leave, "dead-pi", ["idle"], None, True, clock.now())

    sound.do(falls_asleep)
    assert document(sound, capsys, "rooms")["rooms"][-1]["why"] == "dead-pi sleeps"
    assert sound.run("sound", "patch", "attic", "radio") == 75
    said = capsys.readouterr()
    assert said.out == "attic hears radio\n"
    assert "warning: dead-pi sleeps, and has not woken after 4 tries" in said.err
    assert sound.asked == ["asked dead-pi"]
    assert document(sound, capsys, "rooms")["rooms"][-1]["room"]["stream"] == "radio"
    sound.do(falls)
    sound.asked.clear()
    assert document(sound, capsys, "save", "wake up", "attic")["woken"] == []
    for words in (["patch", "attic", "radio"], ["enable", "radio"], ["save", "wake up", "attic", "--at", "07:00"]):
        assert document(sound, capsys, *words, code=75)["woken"][0]["machine"] == "dead-pi"
    assert sound.asked == ["asked dead-pi"] * 3
    assert document(sound, capsys, "disable", "radio")["woken"] == []
    assert sound.run("sound", "enable", "radio") == 75
    assert sound.run("sound", "drop", "wake up") == 0
    assert [sound.run("sound", "forget", "attic"), sound.run("forget", "dead-pi")] == [0, 0]


MISTAKES = [
    (["patch", "attic", "radio"], "the house has no room or group 'attic'"),
    (["patch", "bath", "redio"], "the house has no stream 'redio'"),
    (["volume", "bath", "101"], "volume: received 101, expected percent, from 0 to 100"),
    (["volume", "bath", "loud"], "loud"),
    (["group", "wet", "bath", "bath"], "received 'bath' twice, expected each room once"),
    (["group", "wet", "pool"], "the house has no room 'pool'"),
    (["group", "wet"], "received no rooms, expected one at least, or --remove"),
    (
        ["stream", "tv", "--kind", "vinyl", "--host", "desk"],
        "expected one of sink, capture, monitor, file, radio",
    ),
    (["stream", "tv", "--host", "attic"], "the house has no host with sound 'attic'"),
    (["stream", "tv"], "expected the host whose agent sends it"),
    (["stream", "tv", "--host", "desk", "--address", "239.255.12.2"], "it is record's"),
    (["stream", "tv", "--host", "desk", "--address", "10.0.0.1"], "expected a multicast group of 239.0.0.0/8"),
    (["stream", "tv", "--host", "desk", "--address", "239.255.12.255"], "the test signal has the same ports on desk"),
    (["stream", "tv", "--host", "desk", "--address", "x"], "expected an address like 239.255.12.1"),
    (["stream", "radio", "--host", "desk"], "the house has a stream 'radio' already"),
    (["timer", "bath"], "received neither, expected a time, or --undo"),
    (["timer", "bath", "soon"], "received 'soon', expected a time to come"),
    (["room", "pool"], "the house has no room 'pool'"),
    (["room", "bahth"], "the house has no room 'bahth'. Did you mean \"bath\"?"),
    (["queue", "raido"], "the house has no stream 'raido'. Did you mean \"radio\"?"),
    (["room", "bath", "--offset", "5000"], "offset: received 5000, expected milliseconds, from -1000 to 1000"),
    (["room", "bath", "--offset", "nan"], "offset: received nan, expected milliseconds"),
    (["room", "bath", "--offset", "late"], "late"),
    (["volume", "bath", "-5"], "volume: received -5, expected percent, from 0 to 100"),
    (["timer", "bath", "25:00"], "until: received '25:00', expected a time to come like 45m"),
    (["save", "x", "--at", "25:00"], "at: received '25:00', expected a time like 08:00"),
    (["room", "bath", "--engine", "hornpipe"], "received 'hornpipe', expected one of pulse-rtp, snapcast"),
    (["room", "bath", "--engine", "gst-netclock"], "expected one of pulse-rtp, snapcast"),
    (["room", "bath", "--host", "attic"], "the house has no host with sound 'attic'"),
    (["save", "x", "--days", "Mon"], "received days without a time, expected both, or neither"),
    (["save", "x", "--at", "7 o'clock"], "expected a time like 08:00"),
    (["save", "x", "pool"], "the house has no room or group 'pool'"),
    (["test", "bath"], "rooms: received bath, expected one on another host than desk, with an engine that desk has"),
    (["pach", "bath", "radio"], 'Unknown command "pach". Did you mean "patch"? Available commands: rooms, streams'),
    (["forget", "pool"], "the house has no room 'pool'"),
]


def test_a_mistake_is_told_in_one_line(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """With what was received and what was expected; nothing changes."""

    def known() -> list[Any]:
        rooms, streams = document(sound, capsys, "rooms"), document(sound, capsys, "streams")
        return [
            [each["room"] for each in rooms["rooms"]],
            rooms["groups"],
            [each["stream"] for each in streams["streams"]],
        ]

    before, told = known(), {}
    for words, _ in MISTAKES:
        assert sound.run("sound", *words) == 64
        told[" ".join(words)] = capsys.readouterr().err
    assert {" ".join(words): reason for words, reason in MISTAKES if reason not in told[" ".join(words)]} == {}
    assert [line for line in told.values() if line.count("\n") != 1] == []
    assert known() == before


@pytest.mark.parametrize("name", SOUND)
def test_each_command_explains_itself(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """As all commands of the house do."""
    assert main(["sound", name, "--help"]) == 0
    assert f"Usage: house sound {name}" in capsys.readouterr().out


def test_which_engine_the_network_bears(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Each engine is tried in the rooms of other hosts that have it; where another one is better than a room's own, the
    command says which and ends with 1, and with 0 when the room has it. The sender ends with each of them."""
    told = len(sound.told)
    assert sound.run("sound", "test", "kitchen", "--from", "nas", "--yes") == 1
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "snapcast from nas: listening for 5 s …",
        "pulse-rtp from nas: listening for 5 s …",
        "ROOM     ENGINE     HEARD  PEAK   LOST  JITTER  BUFFER  NOTES",
        "kitchen  snapcast   100 %  -6 dB  -     -       980 ms",
        "kitchen  pulse-rtp  0 %    -      0     -       -       nothing of it arrives",
        "kitchen: snapcast, for it plays well there; pulse-rtp: nothing of it arrives",
        "  now it is pulse-rtp: house sound room kitchen --engine snapcast",
    ]
    error = document(sound, capsys, "test", "kitchen", "--from", "nas", code=3)["error"]
    assert (error["kind"], error["exit_code"]) == ("Unconfirmed", 3)
    sound.hears("nas sends no more", 0, 2)
    sent = [each for each in sound.told[told:] if each.startswith("nas sends by")]
    assert sent == ["nas sends by snapcast", "nas sends by pulse-rtp"]
    assert sound.run("sound", "room", "kitchen", "--engine", "snapcast") == 0
    found = document(sound, capsys, "test", "all", "--from", "nas", "--yes", "--seconds", "2")
    assert (found["sender"], found["untested"]) == ("nas", {"bath": "dead has no engine that nas has"})
    assert [(each["player"], each["engine"], each["lost"]) for each in found["trials"]] == [
        ("kitchen", "snapcast", None), ("kitchen", "pulse-rtp", 0),
    ]  # fmt: skip
    assert [(each["room"], each["engine"]) for each in found["advice"]] == [("kitchen", "snapcast")]
    assert sound.run("sound", "room", "kitchen", "--engine", "pulse-rtp") == 0


def test_the_test_before_may_still_be_ending(sound: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """A sender that refuses because of it is asked once more."""
    words = ("test", "kitchen", "--from", "nas", "--yes", "--seconds", f"{ENDING_SECONDS}")
    found = document(sound, capsys, *words, code=1)
    assert [each["engine"] for each in found["trials"]] == ["snapcast", "pulse-rtp"]


@pytest.mark.parametrize("typed", ["no\n", ""])
def test_without_a_yes_nothing_is_tested(
    typed: str, sound: Fleet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another word, and the end of what is typed, are a no."""
    before = len(sound.told)
    terminal = StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert sound.run("sound", "test", "kitchen", "--from", "nas") == 3
    said = capsys.readouterr()
    assert (said.out.endswith("nothing was tested\n"), said.err) == (True, "")
    assert [each for each in sound.told[before:] if each.startswith("nas sends by")] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("kitchen", "--from", "nas"), 3, "kitchen stops for about 14 s. Nobody is there to ask: add --yes"),
        (("kitchen", "--yes"), 64, "rooms: received kitchen, expected one on another host than desk, with an engine"),
        (("cellar", "--yes"), 64, "the house has no room or group 'cellar'"),
        (("kitchn", "--yes"), 64, "the house has no room or group 'kitchn'. Did you mean \"kitchen\"?"),
        (("--from", "naas", "--yes"), 64, "the house has no host with sound 'naas'. Did you mean \"nas\"?"),
        (("--from", "moon", "--yes"), 64, "the house has no host with sound 'moon'"),
        (("--seconds", "0.5", "--yes"), 64, "--seconds: received 0.5, expected from 1 to 60"),
        (("--from", "nas", "--seconds", f"{BUSY_SECONDS}", "--yes"), 75, "another test of sound is under way there"),
    ],
)  # fmt: skip
def test_a_test_that_cannot_be(
    words: tuple[str, ...], code: int, said: str, sound: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is interrupted without a person's word, and for what cannot be tested; one line says why."""
    before = sound.told.count("nas sends no more")
    assert sound.run("sound", "test", *words) == code
    assert said in capsys.readouterr().err
    assert sound.told.count("nas sends no more") == before
