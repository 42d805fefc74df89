"""What gates read out of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, update

from midflight.conductor import record
from midflight.context import Caller, Context
from midflight.db import journal, tables
from midflight.db.clock import now
from midflight.db.engine import create, parse, transaction
from midflight.errors import UsageError

HOUR = 3600.0


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A database with the framework's tables."""
    engine = create(parse(database_url))
    with transaction(engine, writes=True) as connection:
        tables.metadata.create_all(connection)
        yield connection
    engine.dispose()


def at(connection: Connection, entry: int, when: datetime) -> None:
    """As if an entry had been written then."""
    connection.execute(update(tables.journal).where(tables.journal.c.id == entry).values(at=when))


def test_an_acknowledgement_holds_until_it_expires(connection: Connection) -> None:
    """It says who, why and until when; an hour later it counts no more, and the journal still has it."""
    begun = now()
    with journal.signing("operator@desk (kilo)"):
        expires = record.acknowledge(connection, "lost:agent@h1", "a dead disk", HOUR, begun)
    (held,) = record.acknowledgements(connection, begun)
    assert held.facts == {
        "by": "operator@desk (kilo)", "fact": "lost:agent@h1", "reason": "a dead disk", "expires": expires.isoformat(),
    }  # fmt: skip
    assert expires - begun == timedelta(hours=1)
    assert record.acknowledgements(connection, begun + timedelta(seconds=HOUR + 1)) == []
    assert [entry.kind for entry in journal.read(connection)] == ["gate.acknowledged"]


def test_the_last_word_about_a_fact_holds(connection: Connection) -> None:
    """Acknowledged anew it has the new reason, and withdrawn it has none; both are in the journal."""
    for reason in ("first", "second"):
        record.acknowledge(connection, "database", reason, HOUR, now())
    assert [entry.facts["reason"] for entry in record.acknowledgements(connection, now())] == ["second"]
    record.withdraw(connection, "database", now())
    assert record.acknowledgements(connection, now()) == []
    assert len(journal.read(connection)) == 3


@pytest.mark.parametrize(
    ("reason", "seconds", "said"),
    [("", HOUR, "a reason of 0 letters"), (" ", HOUR, "a reason of 1 letters"), ("x", 0.0, "in 0 s"),
     ("x", 31 * 86400.0, "at most 2.592e+06 s"), ("x", float("nan"), "in nan s")],
)  # fmt: skip
def test_a_risk_is_taken_for_a_reason_and_not_for_ever(
    connection: Connection, reason: str, seconds: float, said: str
) -> None:
    """Anything else is refused, and nothing is written."""
    with pytest.raises(UsageError, match=said.replace("+", r"\+")):
        record.acknowledge(connection, "database", reason, seconds, now())
    assert journal.read(connection) == []


def test_a_fact_may_have_a_long_name(connection: Connection) -> None:
    """It names a member's service and host, or several revisions; it is bounded all the same."""
    record.acknowledge(connection, "x" * 300, "known", HOUR, now())
    with pytest.raises(UsageError, match="received a fact's name of 301 letters, expected 1 to 300"):
        record.acknowledge(connection, "x" * 301, "known", HOUR, now())


def test_what_nobody_has_acknowledged_cannot_be_withdrawn(connection: Connection) -> None:
    """It is told where to look, and which one may have been meant."""
    with pytest.raises(UsageError, match="nobody has acknowledged 'lint'"):
        record.withdraw(connection, "lint", now())
    record.acknowledge(connection, "lost:shop@n1", "a dead disk", HOUR, now())
    with pytest.raises(UsageError, match=r'Did you mean "lost:shop@n1"\?'):
        record.withdraw(connection, "lost:shop@n2", now())


def look(connection: Connection, when: datetime, status: str = "pass", target: str = "kilo") -> None:
    """One look of a soak, at some time."""
    record.note_verdict(connection, "soak", target, status, {}, soaks=True)
    at(connection, journal.read(connection)[-1].id, when)


def clean_for(connection: Connection, when: datetime) -> list[float | None]:
    return [soak.facts["clean_for"] for soak in record.soaks(connection, when)]


def test_a_soak_is_as_long_as_its_looks_follow_each_other(connection: Connection) -> None:
    """Clean ones, whoever looked: from the first to the last."""
    begun = now() - timedelta(hours=1)
    for seconds in (0, 60, 120, 180):
        look(connection, begun + timedelta(seconds=seconds))
    (soak,) = record.soaks(connection, begun + timedelta(seconds=200))
    assert (soak.facts["clean_for"], soak.age) == (180.0, 20.0)


def test_a_look_that_was_not_clean_ends_a_soak(connection: Connection) -> None:
    """What follows begins anew; warnings are clean, what is unknown is not."""
    begun = now() - timedelta(hours=1)
    looks = ((0, "pass"), (60, "unknown"))
    for seconds, status in looks:
        look(connection, begun + timedelta(seconds=seconds), status)
    assert clean_for(connection, begun + timedelta(seconds=61)) == [None]
    for seconds in (90, 100):
        look(connection, begun + timedelta(seconds=seconds), "warn")
    assert clean_for(connection, begun + timedelta(seconds=101)) == [10.0]


def test_nobody_vouches_for_a_gap(connection: Connection) -> None:
    """Looks that are further apart than two minutes are two soaks."""
    begun = now() - timedelta(hours=1)
    for seconds in (0, 60, 60 + record.SOAK_GAP + 1):
        look(connection, begun + timedelta(seconds=seconds))
    assert clean_for(connection, begun + timedelta(seconds=300)) == [0.0]


def test_each_release_has_a_soak_of_its_own(connection: Connection) -> None:
    """A look on the way to one says nothing of the way to another."""
    begun = now() - timedelta(hours=1)
    look(connection, begun, target="juno")
    for seconds in (10, 20):
        look(connection, begun + timedelta(seconds=seconds))
    assert clean_for(connection, begun + timedelta(seconds=20)) == [0.0, 10.0]


def test_a_verdict_keeps_the_facts_that_were_in_its_way(connection: Connection) -> None:
    """By name, and no more of them than a person reads."""
    record.note_verdict(
        connection, "roll", "kilo", "fail", {f"lost:agent@h{n}": "lost" for n in range(99)}, soaks=False
    )
    (entry,) = journal.read(connection, kind="gate.checked")
    assert (entry.facts["step"], entry.facts["status"], len(entry.facts["because"])) == ("roll", "fail", 50)
    assert "clean" not in entry.facts


def test_the_journal_is_read_page_by_page(connection: Connection) -> None:
    """The latest, or those behind an entry; of all kinds, of one family, or of one kind."""
    for kind in ("pin.set", "pin.cleared", "pins.strange", "migration.proved"):  # a newer conductor may write others
        connection.execute(insert(tables.journal).values(at=now(), kind=kind, facts={}))

    def kinds(after: int | None, *wanted: str, limit: int = 10) -> list[str]:
        return [entry.kind for entry in record.page(connection, now(), after, wanted, limit)]

    first = record.page(connection, now(), None, (), 10)[0].id
    assert kinds(None) == ["pin.set", "pin.cleared", "pins.strange", "migration.proved"]
    assert kinds(None, limit=2) == ["pins.strange", "migration.proved"]
    assert kinds(first, limit=2) == ["pin.cleared", "pins.strange"]
    assert kinds(None, "pin") == ["pin.set", "pin.cleared"]
    assert kinds(None, "pin.set", "migration") == ["pin.set", "migration.proved"]
    with pytest.raises(UsageError, match="received limit 501, expected 1 to 500"):
        record.page(connection, now(), None, (), 501)


def test_the_journal_says_in_whose_name_an_operator_asked() -> None:
    """By that operator's word, and by no other member's; who asks nobody is the member itself."""
    said = {record.USER: "ann"}
    console, agent = (Caller(service, "desk", "kilo", "id", 3) for service in ("operator", "compute"))
    assert record.who(Context(said, caller=console), "here") == "ann, through operator@desk (kilo)"
    assert record.who(Context(caller=console), "here") == "operator@desk (kilo)"
    assert record.who(Context(said, caller=agent), "here") == "compute@desk (kilo)"
    assert record.who(Context(said), "conductor@c1") == "conductor@c1"
    long = Context({record.USER: "x" * 5000}, caller=console)
    assert len(record.who(long, "here")) < 200
