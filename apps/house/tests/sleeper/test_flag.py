from pathlib import Path

import pytest

from house.sleeper import alarm
from house.sleeper.alarm import NoAlarm
from house.sleeper.flag import GET, MAGIC, SET, WOL, NotArmed, arm, armed
from tests.jumping import NOON


class Card:
    """A network card that can wake for some things, and keeps its word or not."""

    def __init__(self, can: int, does: int = 0, keeps: bool = True) -> None:
        self.can, self.does, self.keeps = can, does, keeps
        self.asked: list[int] = []

    def __call__(self, interface: str, request: bytes) -> bytes:
        command, _, wanted, password = WOL.unpack(request)
        self.asked.append(command)
        if command == SET and self.keeps:
            self.does = wanted
        return WOL.pack(command, self.can, self.does, password)


def test_a_card_is_armed_and_read_back() -> None:
    """What it wakes for already stays; one that is armed is not written to again."""
    card = Card(can=MAGIC | 1, does=1)
    assert armed("eth0", card) is False
    arm("eth0", card)
    assert (card.does, armed("eth0", card)) == (MAGIC | 1, True)
    card.asked.clear()
    arm("eth0", card)
    assert card.asked == [GET]


@pytest.mark.parametrize(
    ("card", "reason"),
    [(Card(can=1), "its card knows no magic packet"), (Card(can=MAGIC, keeps=False), "armed, and read back it is not")],
)
def test_a_card_that_would_not_wake_it_is_named(card: Card, reason: str) -> None:
    """Whether it cannot, or only says that it will."""
    with pytest.raises(NotArmed, match=f"eth0 would not wake it: .*{reason}"):
        arm("eth0", card)


def test_the_kernel_is_really_asked() -> None:
    """The loopback is no card that could wake anything, and there is none of that other name."""
    with pytest.raises(NotArmed, match="lo would not wake it: its card cannot be asked: Operation not supported"):
        arm("lo")
    with pytest.raises(NotArmed, match="No such device"):
        arm("none9")
    assert armed("lo") is None


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    place = tmp_path / alarm.PLACE
    place.parent.mkdir(parents=True)
    place.write_text("")
    return place


def test_an_alarm_is_set_a_little_early(clock: Path, tmp_path: Path) -> None:
    """In seconds from now, so that the time of day does not matter; but not so near that it rings before the machine
    sleeps, and wakes nobody."""
    alarm.arm(tmp_path, NOON.replace(hour=13), NOON)
    assert clock.read_text() == "+3480"
    alarm.arm(tmp_path, NOON, NOON)
    assert clock.read_text() == "+30"
    alarm.disarm(tmp_path)
    assert clock.read_text() == "0"


def test_a_machine_without_an_alarm_would_oversleep(tmp_path: Path) -> None:
    """It says so, and has nothing to take back."""
    with pytest.raises(NoAlarm, match="/sys/class/rtc/rtc0/wakealarm: No such file or directory"):
        alarm.arm(tmp_path, NOON, NOON)
    alarm.disarm(tmp_path)
