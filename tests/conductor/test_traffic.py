"""What conductors answer, counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from midflight.conductor import traffic, traffic_rows
from midflight.conductor.rounds import Rounds
from midflight.conductor.traffic import MINUTE, Minutes, Tally
from midflight.context import Caller
from midflight.db import tables
from midflight.db.engine import create, parse, transaction
from midflight.errors import Conflict, DatabaseBusy
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.lists import ObjectList
from midflight.versions import Manifest, Version

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OLD = Manifest({"Disk": Version(1, 0)})
JUNO, KILO = (Caller("agent", "h1", release, "a", 0) for release in ("juno", "kilo"))


class Disk(VersionedObject, version="1.0"):
    gigabytes: int = 1


class Machine(VersionedObject, version="1.0"):
    disks: list[Disk] = field(default_factory=list)
    by_name: dict[str, Disk] = field(default_factory=dict)
    first: Disk | None = None


class Box(VersionedObject, version="1.2"):
    label: str = ""


class Crate(Box, version="1.0"):
    """A box."""


class MachineList(ObjectList[Machine], version="1.0"):
    objects: list[Machine]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create(parse(database_url))
    with transaction(engine, writes=True) as connection:
        tables.metadata.create_all(connection)
        yield connection
    engine.dispose()


def counted(calls: int, took: float = 0.010, failed: int = 0) -> Tally:
    """So many calls of the same length."""
    tally = Tally("kilo")
    for number in range(calls):
        tally.call(JUNO, took, failed=number < failed)
    return tally


def asking(manifest: Manifest | None) -> Caller:
    """An agent that understands this."""
    return Caller("agent", "h1", "juno", "a", 0, manifest)


def test_every_object_of_a_reply_is_counted() -> None:
    """Also those in lists, in dicts and in other objects; who asks is told by service and manifest."""
    machine = Machine(disks=[Disk(), Disk()], by_name={"a": Disk()}, first=Disk())
    tally = Tally()
    asker, old = asking(OLD), f"agent {OLD.digest}"
    tally.reply([MachineList(objects=[machine, Machine()]), None], asker)
    tally.reply(Disk(), None)
    reads = tally.take()["reads"]
    assert reads == {"MachineList": {old: 1}, "Machine": {old: 2}, "Disk": {old: 4, " ": 1}}
    assert tally.take()["reads"] == {}


def test_what_becomes_older_is_counted_by_its_versions() -> None:
    """For who has an older version, or knows the base class only; for who has ours, or says nothing, nothing does."""
    tally = Tally()
    for manifest in (Manifest({"Box": Version(1, 1)}), Manifest({"Box": Version(1, 2)}), Manifest({}), None):
        tally.reply([Box(), [Crate(), Crate()]], asking(manifest))
    assert tally.take()["pairs"] == {"Box 1.2 1.1": 1, "Crate 1.0 Box": 4}
    assert tally.take()["pairs"] == {}


@pytest.mark.parametrize(
    ("wrong", "failed"),
    [
        (None, 0),
        (Conflict(object="Machine", field="host", actual="a", expected="b"), 0),
        (KeyError("declared"), 0),
        (ValueError("x"), 1),
        (DatabaseBusy(url="db", seconds=1.0), 1),
    ],
)
def test_what_somebody_declared_is_an_answer(wrong: Exception | None, failed: int) -> None:
    """Other errors are failures, and so is a database that is busy."""
    tally = Tally()
    ends = pytest.raises(type(wrong)) if wrong else nullcontext()
    with ends, tally.measured(KILO, [KeyError]):
        if wrong is not None:
            raise wrong
    assert (tally.calls, tally.failed) == (1, failed)


def test_who_asks_with_another_release_is_named() -> None:
    """Our own are too many to be; beyond a hundred, others are one."""
    tally = Tally("kilo")
    for caller in (JUNO, KILO, None, JUNO):
        tally.call(caller, 0.1, failed=False)
    assert tally.take()["senders"] == {"agent@h1 (juno)": 2}
    for number in range(traffic.MOST_SENDERS + 5):
        tally.call(Caller("agent", f"h{number}", "juno", "a", 0), 0.1, failed=False)
    assert tally.take()["senders"]["others"] == 5


def test_the_last_minutes_are_compared_with_the_hour_before(connection: Connection) -> None:
    """All conductors together; p95 is right to within 10 %."""
    minute = traffic.minute_of(NOON.timestamp())
    traffic_rows.keep(connection, "c1", minute - 1, counted(95, 0.010).take())
    traffic_rows.keep(connection, "c2", minute - 1, counted(5, 2.0, failed=2).take())
    traffic_rows.keep(connection, "c1", minute - 30, counted(40, 0.5).take())
    recent, before = traffic_rows.compared(connection, NOON)
    assert (recent.calls, recent.failed, recent.senders) == (100, 2, {"agent@h1 (juno)": 100})
    assert recent.p95 == pytest.approx(0.010, rel=0.1)
    assert (before.calls, before.failed) == (40, 0)
    assert before.p95 == pytest.approx(0.5, rel=0.1)
    assert recent.until == NOON
    assert before.until == NOON - timedelta(minutes=5)


def test_the_traffic_is_told_minute_by_minute(connection: Connection) -> None:
    """All conductors together, with what half and nearly all of the calls took; minutes without a count are left
    out."""
    minute = traffic.minute_of(NOON.timestamp())
    tally = counted(98, 0.010)
    for _ in range(2):
        tally.call(JUNO, 2.0, failed=False)
    tally.reply(Box(), asking(Manifest({"Box": Version(1, 1)})))
    traffic_rows.keep(connection, "c1", minute - 3, tally.take())
    traffic_rows.keep(connection, "c2", minute - 3, counted(20).take())
    traffic_rows.keep(connection, "c1", minute - 1, counted(7).take())
    first, last = traffic_rows.by_minute(connection, NOON + timedelta(minutes=20))
    assert (first.calls, first.seconds, first.pairs, first.backports) == (120, 60.0, {"Box 1.2 1.1": 1}, 1)
    assert first.p50 == pytest.approx(0.010, rel=0.1)
    assert first.p99 == pytest.approx(2.0, rel=0.1)
    assert (last.calls, last.until, last.senders, last.reads) == (7, NOON, {}, {})


def test_the_last_minutes_are_told_in_pieces(connection: Connection) -> None:
    """Of all conductors together, also of the minute that is not over, once everybody has written down a piece; what is
    compared is of whole minutes."""
    minute = traffic.minute_of(NOON.timestamp())
    for member, calls in (("c1", 3), ("c2", 4)):
        tally = counted(calls, 0.010)
        tally.turn(1)
        tally.call(KILO, 2.0, failed=False)
        traffic_rows.keep(connection, member, minute, tally.turn(4))
        assert tally.take()["calls"] == calls + 1

    def told(seconds: int) -> list[tuple[int, int, float]]:
        found = traffic_rows.by_minute(connection, NOON + timedelta(seconds=seconds))
        return [(int((each.since - NOON).total_seconds()), each.calls, each.seconds) for each in found]

    assert told(11) == []
    assert told(12) == [(0, 7, 10.0)]
    assert told(32) == [(0, 7, 10.0), (10, 2, 10.0)]
    assert told(60 * (traffic.FINE_MINUTES + 1)) == [(0, 9, 60.0)]
    assert traffic_rows.by_minute(connection, NOON + timedelta(seconds=32))[1].p50 == pytest.approx(2.0, rel=0.1)
    assert traffic_rows.compared(connection, NOON + timedelta(seconds=50))[0].calls == 0
    assert traffic_rows.compared(connection, NOON + timedelta(seconds=61))[0].calls == 9


def test_a_minute_of_a_conductor_that_keeps_no_pieces_is_told_as_a_whole(connection: Connection) -> None:
    """That of an earlier midflight, also where others beside it keep some; once it is over."""
    minute = traffic.minute_of(NOON.timestamp())
    whole = counted(4).take()
    traffic_rows.keep(connection, "c1", minute, {name: value for name, value in whole.items() if name != "pieces"})
    traffic_rows.keep(connection, "c2", minute, counted(3).take())
    traffic_rows.keep(connection, "c2", minute + 1, counted(2).take())
    assert traffic_rows.by_minute(connection, NOON + timedelta(seconds=30)) == []
    found = traffic_rows.by_minute(connection, NOON + timedelta(seconds=90))
    assert [(each.calls, each.seconds) for each in found] == [(7, 60.0), (2, 10.0)]


def test_who_starts_in_the_middle_of_a_minute_has_counted_nothing_before() -> None:
    """Its first piece is the one in which it started."""
    tally = Tally()
    Rounds(None, tally, "c1", Minutes(lambda: 625.0))  # type: ignore[arg-type]
    assert list(tally.turn(3)["pieces"]) == ["2"]
    assert list(tally.take(0)["pieces"]) == ["2", "3"]


def test_a_fleet_that_was_counted_for_a_minute_has_rates_of_a_minute(connection: Connection) -> None:
    """And one that was never counted has none."""
    assert [each.seconds for each in traffic_rows.compared(connection, NOON)] == [0.0, 0.0]
    traffic_rows.keep(connection, "c1", traffic.minute_of(NOON.timestamp()) - 1, counted(60).take())
    recent, before = traffic_rows.compared(connection, NOON)
    assert (recent.calls, recent.seconds, before.seconds, before.p95) == (60, 60.0, 0.0, None)


def test_old_minutes_are_let_go(connection: Connection) -> None:
    """They are compared with nothing any more."""
    for minute in (100, 101, 101 + traffic.KEPT_MINUTES):
        traffic_rows.keep(connection, "c1", minute, counted(1).take())
    left = connection.execute(select(tables.traffic.c.minute).order_by(tables.traffic.c.minute)).scalars().all()
    assert left == [101, 101 + traffic.KEPT_MINUTES]


def test_a_minute_that_is_kept_twice_is_there_once(connection: Connection) -> None:
    """The later count holds."""
    for calls in (1, 2):
        traffic_rows.keep(connection, "c1", 100, counted(calls).take())
    ((content,),) = connection.execute(select(tables.traffic.c.content)).all()
    assert content["calls"] == 2


def test_a_minute_is_over_once() -> None:
    """However late one looks; and so are its pieces."""
    seconds = [60.0 * 10 + 47]
    minutes = Minutes(lambda: seconds[0])
    assert (minutes.left, minutes.piece) == (pytest.approx(3), 4)
    assert minutes.over() is None
    seconds[0] += 3 * MINUTE
    assert (minutes.over(), minutes.over()) == (10, None)
