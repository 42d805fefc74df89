"""``midflight upgrade why``, ``ack`` and ``journal``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from midflight.conductor.interface import JournalEntry
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.cli.test_upgrade import JUNO, shops
from tests.upgrade.fleets import NOW, acknowledged, fleet, lost, member

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def releases(shop: Shop, midflight: Command) -> None:
    """juno, and kilo, which is the code."""
    (shop.folder / "releases").mkdir()
    (shop.folder / "releases" / "juno.toml").write_text(JUNO)
    assert midflight("release", "freeze", "kilo").code == 0


def entry(number: int, kind: str, **facts: Any) -> JournalEntry:
    """One entry, a minute after the one before."""
    return JournalEntry(id=number, at=NOW + timedelta(minutes=number), kind=kind, facts=facts, age=100.0 - number)


LOST = fleet(member("conductor", "c1", "kilo"), lost("shop", "n1", "kilo", epoch=3), migrations=[], pins={})
STORY = [
    entry(1, "member.lost", member="shop.n1.aa", release="kilo"),
    entry(2, "member.lost", member="shop.n2.bb", release="kilo"),
    entry(3, "pin.cleared", topic="*", epoch=4, by="operator@desk (kilo)"),
]


def test_why_says_the_fewest_things_to_do_and_how_it_came(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """One remedy for what one thing mends; of the journal, what is about these facts."""
    operator = employ(monkeypatch, FakeOperator(LOST))
    operator.entries = STORY
    outcome = midflight("upgrade", "why", "unpin")
    assert outcome.code == 2
    assert outcome.out.splitlines() == [
        "fail: unpin",
        "1. start it again, or: midflight fleet retire shop-n1-1",
        "     fail: shop@n1 is lost: last heard 3 min ago, with kilo [lost:shop@n1]",
        "how it came to be:",
        "  2030-01-01 12:01:00  member.lost  member=shop.n1.aa release=kilo",
    ]
    assert operator.acts == ["journal None member 500"]
    document = midflight("upgrade", "why", "unpin", "--json").document
    assert document["remedies"] == [
        {"do": "start it again, or: midflight fleet retire shop-n1-1", "mends": ["lost:shop@n1"]}
    ]
    assert [told["id"] for told in document["story"]] == [1]


def test_why_of_a_gate_that_passes_says_so(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a step it is that of the next one."""
    operator = employ(monkeypatch, FakeOperator(shops("kilo", "kilo", pins={"*": "juno"})))
    outcome = midflight("upgrade", "why")
    assert (outcome.code, outcome.out) == (0, "pass: unpin\nnothing is in the way\n")
    assert operator.acts == []


def test_a_risk_is_taken_for_a_reason_and_a_time(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fact that is in the way now."""
    operator = employ(monkeypatch, FakeOperator(LOST))
    outcome = midflight("upgrade", "ack", "lost:shop@n1", "--reason", "a dead disk", "--expires", "2h")
    assert outcome.out == "done: lost:shop@n1: acknowledged until 2030-01-01 14:00 UTC\n"
    assert (outcome.code, operator.acts) == (0, ["acknowledge lost:shop@n1 for 7200 s: a dead disk"])
    assert midflight("upgrade", "ack", "lost:shop@n1", "--withdraw").code == 0
    assert operator.acts[-1] == "withdraw lost:shop@n1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lost:shop@n1",), "to acknowledge lost:shop@n1 takes both --reason and --expires"),
        (("lost:shop@n9", "--reason", "x", "--expires", "2h"), "is unknown now: lint:0001,0002, lost:shop@n1"),
        (("proven:flavors", "--reason", "x", "--expires", "2h"), "is no risk that a person can take"),
        (("--withdraw",), "--withdraw takes the name of a fact"),
    ],
)
def test_what_cannot_be_acknowledged_is_refused(
    midflight: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    """64 and one line; nobody is asked."""
    operator = employ(monkeypatch, FakeOperator(LOST))
    outcome = midflight("upgrade", "ack", *words)
    assert (outcome.code, outcome.err.count("\n"), operator.acts) == (64, 1, [])
    assert said in outcome.err


def test_the_risks_that_are_taken_are_listed(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that may be; and a gate warns of them with who, until when and why."""
    taken = fleet(*LOST.members, migrations=[], pins={}, acknowledged=[acknowledged("lost:shop@n1", "a dead disk")])
    employ(monkeypatch, FakeOperator(taken))
    lines = midflight("upgrade", "ack").out.splitlines()
    assert lines[1] == "lost:shop@n1  2030-01-02T12:00  operator@desk (kilo)  a dead disk"
    assert lines[2] == "may be acknowledged: lint:0001,0002"
    check = midflight("upgrade", "check", "unpin")
    assert check.code == 1
    assert "warn: shop@n1 is lost: last heard 3 min ago, with kilo (acknowledged by operator@desk (kilo)" in check.out


def test_at_the_one_way_door_nobodys_word_counts(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The risk was taken for the roll, not for what cannot be undone."""
    taken = fleet(*LOST.members, migrations=[], pins={}, acknowledged=[acknowledged("lost:shop@n1")])
    employ(monkeypatch, FakeOperator(taken))
    assert midflight("upgrade", "check", "finalize").code == 2


def test_the_journal_says_who_did_what(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oldest first; of some kinds, of the last so long, or about one thing."""
    operator = employ(monkeypatch, FakeOperator(LOST))
    operator.entries = STORY
    outcome = midflight("upgrade", "journal", "member", "pin")
    assert outcome.out.splitlines()[-1] == ("2030-01-01 12:03:00  pin.cleared  topic=* epoch=4 by operator@desk (kilo)")
    assert operator.acts == ["journal None member pin 50"]
    assert len(midflight("upgrade", "journal", "--since", "98s").out.splitlines()) == 2
    assert len(midflight("upgrade", "journal", "--about", "n2").out.splitlines()) == 1
    document = midflight("upgrade", "journal", "--json").document
    assert document[2] == {
        "id": 3, "at": "2030-01-01T12:03:00+00:00", "kind": "pin.cleared", "by": "operator@desk (kilo)",
        "facts": {"topic": "*", "epoch": 4},
    }  # fmt: skip


def test_nothing_is_told_from_no_such_thing(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal without such an entry says so, and exits 0, also by a kind that only a newer conductor writes."""
    operator = employ(monkeypatch, FakeOperator(LOST))
    quiet = midflight("upgrade", "journal", "member.lost")
    assert (quiet.code, quiet.out) == (0, "no such entry\n")
    assert midflight("upgrade", "journal", "member.lost", "--json").document == []
    operator.entries = [entry(1, "orchard.planted")]
    assert "orchard.planted" in midflight("upgrade", "journal", "orchard").out


def test_a_long_journal_is_read_page_by_page(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is left out, and none is told twice: of the latest so many, and of the last so long."""
    operator = employ(monkeypatch, FakeOperator(LOST))
    operator.entries = [entry(number, "pin.set") for number in range(1, 1201)]
    for told in operator.entries:
        told.age = 1201.0 - told.id

    def ids(*words: str) -> list[int]:
        return [each["id"] for each in midflight("upgrade", "journal", *words, "--json").document]

    assert ids("-n", "700") == list(range(501, 1201))
    assert ids("--since", "900s") == list(range(301, 1201))
    assert ids("--since", "2h") == list(range(1, 1201))
    assert ids() == list(range(1151, 1201))


def test_the_journal_is_followed_entry_by_entry(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last one that was seen; with --json one object a line."""
    monkeypatch.setattr("midflight.cli.journal.LOOK_SECONDS", 0.0)
    operator = employ(monkeypatch, FakeOperator(LOST))
    operator.entries = STORY
    outcome = midflight("upgrade", "journal", "--follow", "--json")
    assert (outcome.code, [msgspec.json.decode(line)["id"] for line in outcome.out.splitlines()]) == (130, [1, 2, 3])
    assert operator.acts == ["journal None 50", "journal 3 500"]
