"""What came of a stream's packets."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from itertools import count

import pytest
from structlog.testing import capture_logs

from house.sound.pulse_rtp import arrivals as arriving
from house.sound.pulse_rtp import ear as ears
from house.sound.pulse_rtp import sap
from house.sound.pulse_rtp.arrivals import HEADER, SOURCES, Arrivals
from house.sound.pulse_rtp.driver import PulseRtp
from house.sound.pulse_rtp.ear import Ear
from house.sound.wanted import Feed, Room, Wanted
from tests.sound.lab.studio import until

PER_PACKET = 320
"""Frames: a packet of 6.7 ms."""
GROUP = "239.255.12.200"


def header(number: int, source: int = 7, stamp: int | None = None) -> bytes:
    """Of a packet."""
    return HEADER.pack(
        0x80, 127, number & 0xFFFF, (number * PER_PACKET if stamp is None else stamp) & 0xFFFFFFFF, source
    )


def of(numbers: Iterable[int], arrivals: Arrivals | None = None, source: int = 7, sender: str = "10.0.0.2") -> Arrivals:
    """These packets came, each just in time."""
    arrivals = arrivals or Arrivals(0.0)
    for number in numbers:
        arrivals.take(header(number, source), sender, number * PER_PACKET / 48_000)
    return arrivals


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ([], 0), ([5], 0), (range(5, 500), 0), ([1, 2, 5, 6], 2), ([1, 3, 2, 4], 0), ([1, 2, 2, 4], 0),
        ([*range(65_000, 65_530), *range(65_540, 66_000)], 10),
    ],
)  # fmt: skip
def test_lost_packets(numbers: Iterable[int], lost: int) -> None:
    """Those of which a later one has come, also where the number on the wire begins anew; one that was overtaken is not
    lost."""
    assert of(numbers).lost == lost


def test_jitter() -> None:
    """None before there is a packet, none where all come evenly; the mean of how much later and earlier they come, by
    RFC 3550. A pause of the sender is none, nor are packets that were lost."""
    assert Arrivals(0.0).jitter_ms is None
    even = of([*range(100), *range(150, 200)])
    assert even.jitter_ms == pytest.approx(0.0, abs=1e-6)
    uneven = Arrivals(0.0)
    for number in range(1000):
        uneven.take(header(number), "10.0.0.2", number * PER_PACKET / 48_000 + (0.004 if number % 2 else 0.0))
    assert uneven.jitter_ms == pytest.approx(4.0, abs=0.01)
    even.take(header(200), "10.0.0.2", 3600.0)
    assert even.jitter_ms == pytest.approx(0.0, abs=1e-6)


def test_the_share_of_lost_packets_is_that_of_late() -> None:
    """What was lost a while ago counts no more, and nothing is lost while nothing is sent."""
    arrivals = of(range(0, 1000, 2))
    assert arrivals.share_lost(0.0) == 0.0
    of(range(1000, 1100, 2), arrivals)
    assert arrivals.share_lost(1.0) == pytest.approx(0.5, abs=0.01)
    of(range(1100, 1500), arrivals)
    assert 0.09 < arrivals.share_lost(5.0) < 0.11
    assert arrivals.share_lost(11.5) == 0.0
    assert arrivals.share_lost(50.0) == 0.0


def test_who_sends() -> None:
    """One sender that begins anew is noticed, as is another one; each once, and that for the first there was nobody to
    be deaf to."""
    arrivals = of(range(100))
    assert arrivals.began is None
    assert arrivals.senders(1.0) == ["10.0.0.2"]
    of(range(300, 310), arrivals, source=8)
    assert arrivals.began == pytest.approx(2.0)
    assert arrivals.senders(2.1) == ["10.0.0.2"]
    of(range(300, 310), arrivals, source=9, sender="10.0.0.3")
    of(range(310, 330), arrivals, source=8)
    assert arrivals.began == pytest.approx(2.0)
    assert arrivals.senders(2.2) == ["10.0.0.2", "10.0.0.3"]
    assert arrivals.senders(60.0) == []
    assert of(range(2), of(range(2), source=8)).senders(0.1) == ["10.0.0.2", "10.0.0.2"]
    assert arrivals.silent_for(60.0) == pytest.approx(60 - 329 / 150, abs=0.01)
    assert Arrivals(5.0).silent_for(60.0) == 55.0


def test_who_is_alone() -> None:
    """Who has sent for a while, and nobody beside: neither one that has just begun, also where nothing was taken out
    for so long that nobody can tell, nor one of two, before the other has been silent for as long."""
    arrivals = of(range(400))
    assert not arrivals.is_alone(2.9)
    assert arrivals.is_alone(3.0)
    of(range(460, 500), of(range(450, 460), arrivals, source=8))
    assert not arrivals.is_alone(6.0)
    of(range(500, 1000), arrivals)
    assert arrivals.is_alone(6.6)
    arrivals.overflown()
    of(range(1000, 1010), arrivals)
    assert not arrivals.is_alone(6.8)
    assert not Arrivals(0.0).is_alone(60.0)


def test_a_thousand_senders() -> None:
    """Whoever sends under many names costs no memory, and hides no loss."""
    arrivals = of([1, 3])
    for source in range(100, 1100):
        of([1], arrivals, source=source)
    assert len(arrivals._sources) == SOURCES
    assert arrivals.lost == 1


@pytest.mark.parametrize("packet", [b"", b"\x80" * 11, b"\x40" + bytes(11), b"o=house"])
def test_what_is_no_packet(packet: bytes) -> None:
    """Anything may be sent to a group."""
    arrivals = Arrivals(0.0)
    arrivals.take(packet, "10.0.0.2", 1.0)
    assert (arrivals.lost, arrivals.senders(1.0)) == (0, [])


def test_what_was_not_taken_out_in_time() -> None:
    """It is nobody's loss: nothing is counted over it, and what was lost before it stays."""
    arrivals = of([1, 2, 4])
    arrivals.overflown()
    assert arrivals.silent_for(1.0) == pytest.approx(1 - 4 / 150)
    of([104, 105, 107], arrivals)
    assert arrivals.lost == 2
    assert arrivals.began is None


@pytest.fixture
def sending(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What sends to groups by the loopback interface, from a port that nobody else has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.bind(("127.0.0.1", 0))
        monkeypatch.setattr(ears, "PORT", sender.getsockname()[1])
        monkeypatch.setattr(ears, "_ANY", socket.inet_aton("127.0.0.1"))
        yield sender


async def test_an_ear(sending: socket.socket) -> None:
    """It hears the groups that it listens to, by their numbers and who has sent them, and no other one, beside whoever
    else listens there; a group that it left is not heard any more."""
    first, second = Ear(), Ear()
    for ear in (first, second):
        ear.start()
        ear.listen([GROUP])
    for number in (1, 2, 5):
        for group in (GROUP, "239.255.12.201"):
            sending.sendto(header(number) + b"sound", (group, ears.PORT))

    async def heard() -> list[tuple[int, list[str]]]:
        both = [ear.heard(GROUP) for ear in (first, second)]
        return [(each.lost, each.senders(0.0)) for each in both if each is not None]

    await until(heard, [(2, ["127.0.0.1"]), (2, ["127.0.0.1"])].__eq__, "two lost packets of one sender")
    first.listen([])
    assert first.heard(GROUP) is None
    for ear in (first, second):
        ear.close()


async def test_a_group_to_which_two_send(sending: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver of its stream leaves that, and takes it again when one sender has been alone for a while; who is
    patched to it anew meanwhile does not take it. The receiver of another stream keeps its own."""
    monkeypatch.setattr(arriving, "SENDER_SECONDS", 0.3)
    told = list[tuple[str, bytes]]()
    driver = PulseRtp(("true",))
    monkeypatch.setattr(driver._announcer, "_send", lambda address, packet: told.append((address, packet)))
    monkeypatch.setattr(driver._announcer, "start", lambda: None)  # what it repeats by itself is told besides
    radio = Feed("radio", "sink", "", "station", GROUP, ears.PORT)
    news = Feed("news", "sink", "", "station", "239.255.12.201", ears.PORT)
    rooms = Room("kitchen", feed=radio), Room("office", feed=news)
    kitchen, office = sap.address("kitchen", radio), sap.address("office", news)
    driver.heed(Wanted("hall", rooms=rooms))
    assert told == [(kitchen, sap.packet(radio)), (office, sap.packet(news))]
    numbers = count()

    async def said(*sources: int) -> str:
        number = next(numbers)
        for each in sources:
            sending.sendto(header(number, each) + b"sound", (GROUP, ears.PORT))
        return driver.doubt(radio)

    told.clear()
    both = f"127.0.0.1 and 127.0.0.1 all send to {GROUP}, which is radio's: nobody hears it until one is left; "
    await until(lambda: said(7, 8), lambda words: words.startswith(both), both)
    assert told == [(kitchen, sap.packet(radio, goodbye=True)), (office, sap.packet(news))]
    told.clear()
    driver.heed(Wanted("hall", rooms=rooms[1:]))
    driver.heed(Wanted("hall", rooms=rooms))
    assert told == 2 * [(office, sap.packet(news))]
    told.clear()
    await until(lambda: said(7), lambda words: not words, "nothing odd")
    assert told == [(kitchen, sap.packet(radio)), (office, sap.packet(news))]
    await driver.close()


async def test_an_ear_without_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another program has the port for itself, nothing is known of any group, which is logged once; as soon as it
    lets others in, they are heard."""
    monkeypatch.setattr(ears, "_ANY", socket.inet_aton("127.0.0.1"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 0))
        monkeypatch.setattr(ears, "PORT", other.getsockname()[1])
        ear = Ear()
        with capture_logs() as logged:
            ear.start()
            for _ in range(3):
                ear.listen([GROUP])
                assert ear.heard(GROUP) is None
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ear.listen([GROUP])
        assert ear.heard(GROUP) is not None
        assert [each["event"] for each in logged] == ["sound.packets_unheard"]
        ear.close()


def test_a_group_that_cannot_be_joined() -> None:
    """It is logged once, and again where it was not wanted meanwhile."""
    ear, none = Ear(), "10.0.0.1"
    with capture_logs() as logged:
        for groups in ([none], [none], [], [none]):
            ear.listen(groups)
            assert ear.heard(none) is None
    assert [(each["event"], each["group"]) for each in logged] == 2 * [("sound.group_unheard", none)]
    ear.close()
