"""How rooms and streams stand: wanted and heard, together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from house.objects.hearing import Hearing, Sending
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.stream import Stream
from house.objects.wiring import SoundHost
from house.playing import Engine, Playing, Sent
from house.standing import rooms, sources

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def bay(
    stream: str | None = "radio", hearing: Hearing | None = None, spoke: float | None = 2, **radio: Any
) -> PatchBay:
    """A kitchen, whose agent has spoken so many seconds ago."""
    seen_at = None if spoke is None else NOW - timedelta(seconds=spoke)
    if hearing is not None:
        hearing.at = seen_at
    return PatchBay(
        at=NOW,
        streams=[Stream(name="radio", host="nas", **radio), Stream(name="tv", host="nas")],
        players=[Player(name="kitchen", host="pi", stream=stream)],
        hosts=[SoundHost(name="pi", seen_at=seen_at), SoundHost(name="nas", seen_at=NOW, engines=["pulse-rtp"])],
        hearings=[] if hearing is None else [hearing],
    )


def heard(state: Playing, stream: str | None = None, **more: Any) -> Hearing:
    return Hearing(player="kitchen", state=state, stream=stream, **more)


PLAYS = heard(Playing.PLAYING, "radio", level_db=-20.0)


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [
        (bay(hearing=PLAYS), Playing.PLAYING, ""),
        (bay(hearing=heard(Playing.PLAYING, "tv")), Playing.WAITING, "on its way"),
        (bay(hearing=heard(Playing.SILENT)), Playing.WAITING, "on its way"),
        (bay(hearing=heard(Playing.WAITING, why="nothing comes")), Playing.WAITING, "nothing comes"),
        (bay(hearing=heard(Playing.WAITING), enabled=False), Playing.WAITING, "radio is disabled"),
        (bay(hearing=heard(Playing.BROKEN, why="no engine")), Playing.BROKEN, "no engine"),
        (bay(None, heard(Playing.UNPLUGGED)), Playing.UNPLUGGED, "its agent does not say why"),
        (bay(None, heard(Playing.PLAYING, "tv")), Playing.SILENT, ""),
        (bay(hearing=heard(Playing.PLAYING, "radio"), spoke=16), Playing.UNKNOWN, "has said nothing for 16 s"),
        (bay(spoke=None), Playing.UNKNOWN, "the agent of pi has said nothing yet"),
    ],
)
def test_a_room_plays_only_by_a_fresh_word_of_its_agent(seen: PatchBay, state: Playing, words: str) -> None:
    """And only what it shall; else it is said what it waits for."""
    (room,) = rooms(seen)
    assert (room.state, words in room.words) == (state, True)


@pytest.mark.parametrize(
    ("sending", "spoke", "words"),
    [
        (Sending(stream="radio", state=Sent.IDLE, at=NOW), 2, "nothing is played into radio"),
        (Sending(stream="radio", state=Sent.BROKEN, why="no ffmpeg", at=NOW), 2, "no ffmpeg"),
        (Sending(stream="radio", state=Sent.SENDING, at=NOW), 2, "nothing of radio arrives here"),
        (Sending(stream="tv", state=Sent.IDLE, at=NOW), 2, "nothing of radio arrives here"),
        (
            Sending(stream="radio", state=Sent.IDLE, at=NOW - timedelta(hours=1)),
            60,
            "the agent of nas has said nothing for 60 s",
        ),
    ],
)
def test_a_room_waits_for_a_stream_that_is_not_sent(sending: Sending, spoke: float, words: str) -> None:
    """Then it says what is wrong at the source, whatever its own agent suspects."""
    seen = bay(hearing=heard(Playing.WAITING, why="nothing of radio arrives here"))
    seen.sendings = [sending]
    seen.hosts[1].seen_at = NOW - timedelta(seconds=spoke)
    assert [room.words for room in rooms(seen)] == [words]


def test_a_room_says_that_its_streams_host_lacks_its_engine() -> None:
    """Until that host has it, or the stream is the room's own host's; of a host that has not spoken nothing is said,
    and a room that plays does so whatever is in a report."""
    seen = bay(hearing=heard(Playing.WAITING, why="nothing comes"))

    def says() -> tuple[Playing, str]:
        (room,) = rooms(seen)
        return room.state, room.words

    assert says() == (Playing.WAITING, "nothing comes")
    nas = seen.hosts[1]
    nas.engines = ["snapcast"]
    assert says() == (Playing.WAITING, "nas has no engine pulse-rtp: see [app.sound] engines there")
    seen.players[0].engine, nas.engines = Engine.SNAPCAST, ["pulse-rtp"]
    assert says() == (Playing.WAITING, "nas has no engine snapcast: see [app.sound] engines there")
    seen.streams[0].host = "pi"
    assert says() == (Playing.WAITING, "nothing comes")
    seen.streams[0].host, nas.engines = "nas", ["pulse-rtp", "snapcast"]
    assert says() == (Playing.WAITING, "nothing comes")
    nas.engines, seen.hearings = [], [PLAYS]
    assert says() == (Playing.PLAYING, "")


def test_what_is_said_at_this_moment_counts_more_than_a_report() -> None:
    """A room whose agent has just answered plays, however old its last report is; a host that sleeps says nothing."""
    old = bay(hearing=heard(Playing.SILENT), spoke=300)
    (room,) = rooms(old, live=[PLAYS])
    assert (room.state, room.hearing) == (Playing.PLAYING, PLAYS)
    (room,) = rooms(old, asleep={"pi"})
    assert (room.state, room.words, room.hearing) == (Playing.WAITING, "pi sleeps", None)
    (room,) = rooms(bay(None, spoke=300), asleep={"pi"})
    assert (room.state, room.words) == (Playing.SILENT, "pi sleeps")


def test_of_a_stream_the_worst_counts() -> None:
    """One that one of its engines cannot send is broken; one of which nothing is said is off, or not known."""
    seen = bay()
    seen.hosts = [SoundHost(name="nas", seen_at=NOW)]
    rtp, snap = Sending(stream="radio", state=Sent.SENDING), Sending(stream="radio", engine=Engine.SNAPCAST)
    snap.state, snap.why = Sent.BROKEN, "snapserver ended with 1"
    radio, tv = sources(seen, live=[rtp, snap])
    assert (radio.state, radio.words, radio.sending) == (Sent.BROKEN, "snapserver ended with 1", snap)
    assert (tv.state, tv.words) == (Sent.OFF, "no room needs it")
    rtp.at = NOW
    seen.sendings = [rtp]
    assert sources(seen)[0].state is Sent.SENDING
    assert sources(seen, live=[snap])[0].state is Sent.BROKEN
    seen.streams[0].enabled, seen.hosts = False, []
    radio, tv = sources(seen, asleep={"nas"})
    assert [(each.state, each.words) for each in (radio, tv)] == [(Sent.OFF, "disabled"), (Sent.OFF, "nas sleeps")]
    tv = sources(seen)[1]
    assert (tv.state, tv.words) == (Sent.UNKNOWN, "the agent of nas has said nothing yet")
