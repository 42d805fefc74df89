from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from midflight.transports.base import Address, ParkedMessage
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import fleet

Command = Callable[..., Outcome]
HOST = Address("compute", "h1")


def kept(name: str, **facts: str) -> ParkedMessage:
    known = {
        "sender": "api@a1", "method": "compute.stop", "error": "VersionRejected", "requested": "4.1",
        "understood": "3.35",
    }  # fmt: skip
    return ParkedMessage(HOST, b"secret", name, known | facts)


STOP, START = kept("5a5a-stop", order="vm-1"), kept("5a5b-start", order="vm-1", behind="5a5a-stop")
ALONE, GONE = kept("gone-1"), kept("late-1", order="vm-2", expires="1000.0")


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> FakeOperator:
    """Four messages are parked."""
    employed = employ(monkeypatch, FakeOperator(fleet()))
    since = datetime.fromtimestamp(time.time() - 190, UTC).isoformat(timespec="seconds")
    employed.kept = [replace(each, facts=each.facts | {"parked_at": since}) for each in (STOP, START, ALONE, GONE)]
    return employed


def test_list_shows_each_message_and_why_it_is_parked(midflight: Command, shop: Shop, operator: FakeOperator) -> None:
    """Oldest first."""
    lines = [line.split("  ") for line in midflight("parked", "list").out.splitlines()]
    found = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    why = "4.1 was not understood, only 3.35"
    assert found == [
        ["ID", "METHOD", "TO", "FROM", "PARKED", "EXPIRES", "KEY", "REASON"],
        ["5a5a-stop", "compute.stop", "compute@h1", "api@a1", "3 min ago", "never", "vm-1", why],
        ["5a5b-start", "compute.stop", "compute@h1", "api@a1", "3 min ago", "never", "vm-1", "held back by 5a5a-stop"],
        ["gone-1", "compute.stop", "compute@h1", "api@a1", "3 min ago", "never", "-", why],
        ["late-1", "compute.stop", "compute@h1", "api@a1", "3 min ago", "expired", "vm-2", why],
    ]
    operator.kept = []
    assert midflight("parked", "list").out == "nothing is parked\n"


def test_list_as_json_has_all_facts_and_no_body(midflight: Command, shop: Shop, operator: FakeOperator) -> None:
    """For machines; arguments may be secret."""
    outcome = midflight("parked", "list", "--json")
    first, second, _, last = outcome.document
    assert (first["id"], first["key"], first["ahead"], first["bytes"]) == ("5a5a-stop", "vm-1", None, 6)
    assert (second["ahead"], last["expired"], last["expires"]) == ("5a5a-stop", True, 1000.0)
    assert first["facts"] == operator.kept[0].facts
    assert "secret" not in outcome.out


def test_show_tells_all_facts_of_one(midflight: Command, shop: Shop, operator: FakeOperator) -> None:
    """By the beginning of its id."""
    lines = midflight("parked", "show", "5a5b").out.splitlines()
    assert {"sender            api@a1", "bytes             6", "decide first      5a5a-stop"} <= set(lines)
    assert midflight("parked", "show", "5a5b", "--json").document["id"] == "5a5b-start"


def test_replay_sends_the_earlier_one_first(midflight: Command, shop: Shop, operator: FakeOperator) -> None:
    """Whatever the order of the ids."""
    outcome = midflight("parked", "replay", "5a5b-start", "5a5a-stop")
    assert (outcome.code, operator.acts) == (0, ["replay 5a5a-stop", "replay 5a5b-start"])
    assert outcome.out.splitlines()[0] == "replayed: 5a5a-stop compute.stop to compute@h1"


def test_replay_refuses_what_would_not_run(midflight: Command, shop: Shop, operator: FakeOperator) -> None:
    """The later one of a key, the expired, the unknown, the ambiguous, and nothing; nothing is sent then."""
    later, expired = midflight("parked", "replay", "gone-1", "5a5b"), midflight("parked", "replay", "late")
    unknown, two, none = (midflight("parked", "replay", *ids) for ids in (["nobody"], ["5a5"], []))
    assert [each.code for each in (later, expired, unknown, two, none)] == [2, 2, 64, 64, 64]
    assert "5a5a-stop came before it, with the same key. Replay or discard that one first" in later.err
    assert "it has expired, and nobody would run it. Discard it" in expired.err
    assert "there is no parked message 'nobody': see midflight parked list.\n" in unknown.err
    assert 'Did you mean "5a5a-stop"?' in midflight("parked", "show", "5a5a-sotp").err
    assert operator.acts == []


def test_an_ambiguous_beginning_names_them(midflight: Command, shop: Shop, operator: FakeOperator) -> None:
    """So that the operator can say which."""
    operator.kept = [kept("abcd-1"), kept("abcd-2")]
    outcome = midflight("parked", "discard", "abcd")
    assert (outcome.code, operator.acts) == (64, [])
    assert "'abcd' are 2 parked messages: abcd-1, abcd-2" in outcome.err


def test_discard_lets_go_on_what_was_held_back(midflight: Command, shop: Shop, operator: FakeOperator) -> None:
    """Only that, and says so; what somebody else has decided meanwhile is gone."""
    outcome = midflight("parked", "discard", "5a5a", "gone-1")
    assert (outcome.code, operator.acts) == (0, ["discard 5a5a-stop", "discard gone-1", "replay 5a5b-start"])
    assert outcome.out.splitlines() == [
        "discarded: 5a5a-stop compute.stop to compute@h1",
        "gone: gone-1 compute.stop to compute@h1",
        "replayed: 5a5b-start compute.stop to compute@h1, which was held back",
    ]


def test_discard_of_one_behind_another_sets_nothing_free(
    midflight: Command, shop: Shop, operator: FakeOperator
) -> None:
    """The first of the key waits for its own decision."""
    document = midflight("parked", "discard", "5a5b", "--json").document
    assert document == {"discarded": ["5a5b-start"], "replayed": []}
