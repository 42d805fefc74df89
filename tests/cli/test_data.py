from collections.abc import Callable
from typing import Any

import pytest

from midflight.conductor.data_objects import Comparison, MigrationDetail, SweepResult
from midflight.migrations.pace import Pace
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
    """The line is that of all chunks together, with what the last one found to be left; so is the exit code."""
    last = chunk(2, matched=13, completed=10, deferred={"on request": 3})
    operator = employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(1, deferred={"early": 1}), chunk(1), last]))
    outcome = midflight("data", "run")
    assert outcome.code == 2
    assert outcome.out == "33 items matched query, 30 completed (3 deferred: on request 3)\n"
    assert operator.acts == ["chunk of prices_become_cents"] * 3


def test_a_number_is_one_chunk(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """1: there is more to do."""
    operator = employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(1)]))
    assert midflight("data", "run", "prices_become_cents", "-n", "10").code == 1
    assert operator.acts == ["sweep prices_become_cents 10"]


def test_failed_rows_are_named(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """3: they need a person."""
    line = "1 items matched query, 0 completed (1 failed)"
    failed = chunk(3, line, matched=1, completed=0, failed={"7": "ValueError: abc"})
    employ(monkeypatch, FakeOperator(cloud(), chunks=[failed]))
    outcome = midflight("data", "run")
    assert (outcome.code, outcome.out) == (3, f"{line}\n  failed: 7: ValueError: abc\n")


def test_each_migration_is_in_the_document(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all its chunks as one."""
    employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(1), chunk(0)]))
    outcome = midflight("data", "run", "--json")
    assert outcome.code == 0
    assert [(result["exit_code"], result["completed"]) for result in outcome.document] == [(0, 20)]


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
        "NAME     RELEASE  TABLE      FORM            STATE    BACKGROUND  COMPLETED  DEFERRED  FAILED  PROVEN",
        "flavors  kilo     instances  both, read old  waiting  -           0          0         0       no",
        "prices   kilo     instances  new             waiting  -           200        0         0       5 s ago",
    ]
    assert [state["proven"] for state in midflight("data", "list", "--json").document] == [False, True]


def test_it_goes_on_after_it_was_held(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is written once, however often it is heard."""
    held = chunk(1, held="replica lag 12 s, at most 10 s", matched=0, completed=0)
    employ(monkeypatch, FakeOperator(cloud(), chunks=[held, held, chunk(0)]))
    outcome = midflight("data", "run")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "prices_become_cents: held: replica lag 12 s, at most 10 s",
        "10 items matched query, 10 completed",
    ]


def test_the_brake_is_no_success(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """2: blocked, with the way out."""
    held = chunk(1, held="the brake is on: release it", braked=True, matched=0, completed=0)
    employ(monkeypatch, FakeOperator(cloud(), chunks=[held]))
    outcome = midflight("data", "run")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Running prices_become_cents is refused: the brake is on: release it." in outcome.err


def test_too_many_failures_end_it(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """3, though there is more to do."""
    stopped = chunk(3, more=True, stopped="100 of 120 rows failed", matched=1, completed=0, failed={"7": "no"})
    employ(monkeypatch, FakeOperator(cloud(), chunks=[stopped]))
    outcome = midflight("data", "run")
    assert outcome.code == 3
    assert outcome.out.splitlines() == [
        "1 items matched query, 0 completed (1 failed)", "  failed: 7: no", "stopped: 100 of 120 rows failed",
    ]  # fmt: skip


def test_show_has_reasons_and_errors(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rows there are of each, the most first, and some of them by key; who migrates, and how fast."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    operator.detail = MigrationDetail(
        migration=flavors(
            deferred=5, deferred_by={"error": 2, "resizing": 3}, failed=2, wanted="running", state="sweeping", looked=5,
            of=9,
        ),
        errors={"ValueError: abc": 2}, failed={"12": "ValueError: abc", "8": "ValueError: abc"},
        deferred={"10": "resizing", "9": "error"},
        needs={"other": False}, holder="conductor-c1", held="replica lag", pace={"target": 0.05, "sql": []},
    )  # fmt: skip
    assert midflight("data", "show", "prices_become_cents").out.splitlines() == [
        "name:        flavors, of kilo, on instances",
        "form:        both, read old",
        "state:       sweeping, 5 of about 9 rows looked at",
        "completed:   0",
        "proven:      no",
        "needs:       other (not proven)",
        "background:  running, by conductor-c1",
        "held:        replica lag",
        "pace:        target=0.05",
        "DEFERRED  ROWS",
        "resizing  3",
        "error     2",
        "  deferred: 9: error",
        "  deferred: 10: resizing",
        "  … and 3 more",
        "FAILED           ROWS",
        "ValueError: abc  2",
        "  failed: 8: ValueError: abc",
        "  failed: 12: ValueError: abc",
    ]


@pytest.mark.parametrize("act", ["start", "pause", "resume", "cancel"])
def test_steering(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """The conductors are told."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    outcome = midflight("data", act, "prices_become_cents")
    assert (outcome.code, operator.acts) == (0, [f"{act} prices_become_cents"])
    assert outcome.out.startswith("prices_become_cents ")


def test_the_brake(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """On, and off."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    assert (midflight("data", "brake").code, midflight("data", "brake", "--release").code) == (0, 0)
    assert operator.acts == ["brake True", "brake False"]


def test_the_pace(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given is changed, and all is shown."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    outcome = midflight("data", "pace", "--target", "100ms", "--sql", "SELECT 1", "--http", "")
    assert operator.acts == ["pace {'target': 0.1, 'sql': ['SELECT 1'], 'http': []}"]
    assert outcome.out.splitlines() == [
        "SETTING  VALUE", "target   0.1", "duty     0.5", "sql      SELECT 1", "http     -",
    ]  # fmt: skip


SETTINGS: dict[str, tuple[str, Any]] = {
    "target": ("100ms", 0.1), "duty": ("0.1", 0.1), "most_rows": ("200", 200), "failure_ratio": ("0.2", 0.2),
    "failures": ("7", 7), "replica_lag": ("5s", 5.0), "oldest_transaction": ("2m", 120.0), "lock_waiters": ("0", 0),
    "rpc_p99": ("2", 2.0), "sql": ("SELECT 1", ["SELECT 1"]), "http": ("http://h/", ["http://h/"]),
}  # fmt: skip


def test_each_setting_has_an_option_of_its_name(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none takes the place of another one."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    assert {*SETTINGS, "vacuum"} == set(Pace.__struct_fields__)
    for name, (given, value) in SETTINGS.items():
        assert midflight("data", "pace", f"--{name.replace('_', '-')}", given).code == 0
        changed = {name: value}
        assert operator.acts.pop() == f"pace {changed}"
    assert midflight("data", "pace", "--no-vacuum").code == 0
    assert operator.acts == ["pace {'vacuum': False}"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--duty", "2"), "--duty: received 2.0, expected"),
        (("--replica-lag", "0s"), "--replica-lag: received 0.0, expected"),
    ],
)
def test_a_pace_that_is_none(midflight: Command, shop: Shop, given: tuple[str, ...], said: str) -> None:
    """It is refused before anybody is asked: a mistake of whoever typed it."""
    outcome = midflight("data", "pace", *given)
    assert (outcome.code, outcome.out) == (64, "")
    assert said in outcome.err


def test_compare(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample, or all rows page by page; each that does not agree is named, and it is no success."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    operator.compared = [
        Comparison(checked=2, differing={"1": "cents differs"}, after=[2]),
        Comparison(checked=1, differing={"3": "deferred: on request"}),
        Comparison(checked=3),
    ]
    everything = midflight("data", "compare", "prices_become_cents", "--all")
    assert everything.code == 2
    assert everything.out.splitlines() == [
        "  fail: 1: cents differs",
        "  fail: 3: deferred: on request",
        "3 rows compared (all): 2 do not agree",
    ]
    some = midflight("data", "compare", "prices_become_cents", "-n", "3")
    assert (some.code, some.out) == (0, "3 rows compared (some): 0 do not agree\n")
    assert operator.acts == [
        "compare prices_become_cents [] 1000 False",
        "compare prices_become_cents [2] 1000 False",
        "compare prices_become_cents [] 3 True",
    ]


def test_prove(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked of the database, how much, how long, and who has it open meanwhile."""
    employ(monkeypatch, FakeOperator(cloud()))
    outcome = midflight("data", "prove", "prices_become_cents")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "SELECT count(*) FROM items WHERE NOT (cents IS NOT NULL): 0",
        "14 rows derived again and compared in 0.5 s: 0 differ",
        "the database is open to kilo (2)",
        "pass: prices_become_cents is proven",
    ]


def test_retry(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as a run does."""
    line = "2 items matched query, 1 completed (1 failed)"
    employ(monkeypatch, FakeOperator(cloud(), chunks=[chunk(3, line, failed={"7": "no"})]))
    outcome = midflight("data", "retry", "prices_become_cents")
    assert (outcome.code, outcome.out) == (3, f"{line}\n  failed: 7: no\n")
