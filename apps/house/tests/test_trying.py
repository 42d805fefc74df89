"""Which engine the network bears, by what rooms heard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from house import trying
from house.errors import NotFound
from house.objects.group import Group
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.stream import Stream
from house.objects.trial import Trial
from house.objects.wiring import SoundHost
from house.playing import Engine
from house.trying import Advice, Try
from midflight import InvalidValue

PULSE, SNAP, NET = Engine.PULSE_RTP, Engine.SNAPCAST, Engine.GST_NETCLOCK


def trial(room: str, engine: Engine, **more: Any) -> Trial:
    """One that was heard well, but for that."""
    network = {} if engine is SNAP else {"lost": 0}
    return Trial(player=room, engine=engine, **{"seconds": 5.0, "level_db": -6.0, **network, **more})


WELL, EVERYWHERE = "it plays well there", "it plays well in all of these rooms"
CLOSEST = "of the engines that do, its rooms are the closest together"
APART = "no engine plays well everywhere, and rooms of two engines do not play together"
UNHEARD = "nothing of it arrives here"
DEAF = {"level_db": None, "silent": 5.0, "why": UNHEARD}


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (trial("hall", PULSE), ""),
        (trial("hall", SNAP), ""),
        (trial("hall", PULSE, **DEAF), UNHEARD),
        (trial("hall", SNAP, level_db=None, silent=5.0, why="snapclient ends"), "snapclient ends"),
        (trial("hall", SNAP, level_db=None, silent=5.0), "nothing was heard"),
        (trial("hall", PULSE, lost=1), ""),
        (trial("hall", PULSE, lost=2), "2 packets are lost in 5 s"),
        (trial("hall", PULSE, lost=75, why="10% of it is lost"), "10% of it is lost"),
        (trial("hall", SNAP, silent=0.3), "silent for 0.3 of 5 s"),
        (trial("hall", SNAP, restarts=1), "it ended, and was started again"),
    ],
)
def test_what_was_wrong(heard: Trial, said: str) -> None:
    """The first thing that explains the others is said, and nothing of a signal that was heard well."""
    assert trying.fault(heard) == said


@pytest.mark.parametrize(
    ("trials", "advised"),
    [
        (
            [trial("hall", PULSE), trial("hall", SNAP), trial("hall", NET)],
            [("hall", NET, f"{WELL}; {CLOSEST}")],
        ),
        (
            [trial("hall", PULSE, **DEAF), trial("hall", SNAP)],
            [("hall", SNAP, f"{WELL}; pulse-rtp: {UNHEARD}")],
        ),
        (
            [trial("hall", NET), trial("hall", SNAP), trial("bath", NET, **DEAF), trial("bath", SNAP)],
            [
                ("hall", SNAP, f"{EVERYWHERE}; {CLOSEST}"),
                ("bath", SNAP, f"{EVERYWHERE}; gst-netclock: {UNHEARD}"),
            ],
        ),
        (
            [trial("hall", PULSE), trial("hall", SNAP, silent=1), trial("bath", PULSE, **DEAF), trial("bath", SNAP)],
            [
                ("hall", PULSE, f"{WELL}; {APART}; snapcast: silent for 1.0 of 5 s"),
                ("bath", SNAP, f"{WELL}; {APART}; pulse-rtp: {UNHEARD}"),
            ],
        ),
        (
            [trial("hall", PULSE), trial("bath", PULSE, **DEAF)],
            [
                ("hall", PULSE, WELL),
                ("bath", None, f"no engine plays well there; pulse-rtp: {UNHEARD}"),
            ],
        ),
        (
            [trial("hall", SNAP), Trial(player="bath", engine=SNAP, why="nobody listens")],
            [("hall", SNAP, WELL)],
        ),
        ([], []),
    ],
)
def test_what_is_advised(trials: list[Trial], advised: list[tuple[str, Engine | None, str]]) -> None:
    """The engine whose rooms are the closest together of those that play well, one for all rooms where there is one;
    none for a room in which nothing plays well, and that room is nobody else's concern."""
    assert trying.advise(trials) == [Advice(*each) for each in advised]


HOSTS = {"hall": "pi1", "bath": "pi1", "attic": "pi2", "study": "nas"}
ENGINES = {"nas": [PULSE, SNAP], "pi1": [PULSE, SNAP], "pi2": [SNAP, NET], "den": []}


def bay(**more: Any) -> PatchBay:
    """Of a station, which sends, and three other hosts."""
    values: dict[str, Any] = {
        "at": datetime(2026, 11, 26, tzinfo=UTC),
        "streams": [Stream(name="tv", host="den"), *(Stream(name=name, host="nas") for name in ("radio", "news"))],
        "players": [Player(name=name, host=host) for name, host in HOSTS.items()],
        "groups": [Group(name="downstairs", players=["hall", "bath"])],
        "hosts": [SoundHost(name=name, engines=[*map(str, engines)]) for name, engines in ENGINES.items()],
    }
    return PatchBay(**{**values, **more})


def test_what_is_tried() -> None:
    """Each engine that the sender has, the one with the closest rooms first, in those of the rooms that have it, too,
    and are on other hosts."""
    house = bay()
    assert trying.tries(house, house.players, "nas") == [
        Try(SNAP, {"pi1": ["hall", "bath"], "pi2": ["attic"]}), Try(PULSE, {"pi1": ["hall", "bath"]}),
    ]  # fmt: skip
    with pytest.raises(
        InvalidValue, match="rooms: received study, expected one on another host than nas, with an engine"
    ):
        trying.tries(house, trying.targets(house, ["study"]), "nas")
    with pytest.raises(InvalidValue, match="received hall, bath, attic, study, expected one on another host than den"):
        trying.tries(house, house.players, "den")
    said = trying.interruption([Try(SNAP, {"pi1": ["hall"]}), Try(PULSE, {"pi1": ["bath", "hall"]})], 5.0)
    assert said == "What is heard in bath, hall stops for about 14 s."


def test_who_can_send() -> None:
    """Hosts with an engine that a room of another host has, too; those of most streams first."""
    house = bay()
    assert trying.senders(house, house.players) == ["nas", "pi1", "pi2"]
    assert trying.senders(house, trying.targets(house, ["study"])) == ["pi1", "pi2"]
    assert trying.senders(bay(players=[]), []) == []


def test_whom_is_meant() -> None:
    """Rooms by their names, by their groups', all or none of them; the sender is the host of most streams, or the one
    that is named."""
    house = bay()

    def names(*given: str) -> list[str]:
        return [room.name for room in trying.targets(house, given)]

    assert names() == names("all") == ["hall", "bath", "attic", "study"]
    assert names("attic", "downstairs", "hall") == ["hall", "bath", "attic"]
    with pytest.raises(NotFound, match="the house has no room or group 'moon'"):
        names("hall", "moon")
    assert (trying.sender(house, ""), trying.sender(house, "den")) == ("nas", "den")
    with pytest.raises(NotFound, match="the house has no host with sound 'moon'"):
        trying.sender(house, "moon")
    with pytest.raises(InvalidValue, match="--from: received nothing, expected a host: the house has no stream yet"):
        trying.sender(bay(streams=[]), "")
