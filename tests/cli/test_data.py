from collections.abc import Callable
from typing import Any

import pytest

from midflight.conductor.interface import SweepResult
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import cloud, flavors, proven

Command = Callable[..., Outcome]


def chunk(code: int, line: str = "10 items matched query, 10 completed", **facts: Any) -> SweepResult:
    """What one sweep said."""
    known = {"name": "prices_become_cents", "matched": 10, "completed": 10, "more": code == 1}
    return SweepResult(**(known | facts), line=line, exit_code=code)


def test_without_a_number_it_goes_on_until_nothing_more_can_be_done_now(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each chunk; the exit code is that of the last."""
    operator = employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(1), chunk(1), chunk(2, "3 items …")]))
    outcome = midflight("data", "run")
    assert outcome.code == 2
    assert outcome.out.splitlines() == ["10 items matched query, 10 completed"] * 2 + ["3 items …"]
    assert len(operator.acts) == 3


def test_a_number_is_one_chunk(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """1: there is more to do."""
    operator = employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(1)]))
    assert midflight("data", "run", "prices_become_cents", "-n", "10").code == 1
    assert operator.acts == ["sweep prices_become_cents 10"]


def test_failed_rows_are_named(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """3: they need a person."""
    line = "1 items matched query, 0 completed (1 failed)"
    employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(3, line, failed={"7": "ValueError: abc"})]))
    outcome = midflight("data", "run")
    assert (outcome.code, outcome.out) == (3, f"{line}\n  failed: 7: ValueError: abc\n")


def test_every_chunk_is_in_the_document(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order."""
    employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(1), chunk(0)]))
    outcome = midflight("data", "run", "--json")
    assert outcome.code == 0
    assert [result["exit_code"] for result in outcome.document] == [1, 0]


def test_a_wrong_name_and_a_wrong_number_are_refused(midflight: Command, shop: Shop) -> None:
    """Before anything is asked."""
    wrong_name, wrong_number = midflight("data", "run", "flavors"), midflight("data", "run", "-n", "0")
    assert (wrong_name.code, wrong_number.code) == (64, 64)
    assert "it has prices_become_cents" in wrong_name.err
    assert "received '0', expected a whole number of rows from 1" in wrong_number.err


def test_list_says_how_far_each_has_come(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Form, counts, and the age of the proof."""
    employ(monkeypatch, FakeOperator(cloud(migrations=[flavors(), proven(name="prices", form="new")])))
    outcome = midflight("data", "list")
    assert outcome.out.splitlines() == [
        "NAME     RELEASE  TABLE      FORM            COMPLETED  DEFERRED  FAILED  PROVEN",
        "flavors  kilo     instances  both, read old  0          0         0       no",
        "prices   kilo     instances  new             200        0         0       5 s ago",
    ]
    assert [state["proven"] for state in midflight("data", "list", "--json").document] == [False, True]
