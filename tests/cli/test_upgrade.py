from collections.abc import Callable
from typing import Any

import pytest

from midflight.conductor.data_objects import MigrationState
from midflight.conductor.interface import Fleet
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import fleet, member, proven

Command = Callable[..., Outcome]
JUNO = (
    'release = "juno"\nsequence = 1\n'
    '[objects.Item]\nversion = "1.0"\n[objects.Item.fields]\nid = "int"\nprice = "str"\n'
    '[interfaces.shop]\nversion = "1.0"\n[interfaces.shop.endpoints]\nsell = "(item: Item) -> str, since 1.0"\n'
)


@pytest.fixture(autouse=True)
def releases(shop: Shop, midflight: Command) -> None:
    """juno, and kilo, which is the code."""
    (shop.folder / "releases").mkdir()
    (shop.folder / "releases" / "juno.toml").write_text(JUNO)
    assert midflight("release", "freeze", "kilo").code == 0


def moved(**fields: Any) -> MigrationState:
    """The shop's data migration, proven."""
    return proven(**({"name": "prices_become_cents", "table": "items"} | fields))


def shops(conductor: str = "kilo", agent: str = "kilo", **fields: Any) -> Fleet:
    """A conductor and one agent."""
    members = member("conductor", "c1", conductor), member("shop", "n1", agent)
    return fleet(*members, **({"migrations": [moved()], "pins": {}} | fields))


def test_plan_shows_the_steps_and_asks_the_first_gate(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With commands that name the releases; the exit code is that of step 0."""
    employ(monkeypatch, FakeOperator(shops("juno", "juno", migrations=[], schema_release="juno")))
    outcome = midflight("upgrade", "plan", "kilo")
    lines = outcome.out.splitlines()
    assert (outcome.code, len(lines)) == (0, 1 + 9 + 6)
    assert lines[2].split()[:3] == ["1", "schema", "here"]
    assert "midflight pin set juno" in lines[3]
    assert lines[10:12] == ["pass: prepare", "  pass: juno → kilo is one release (2 juno)"]


def test_plan_in_json_has_steps_and_verdict(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As data."""
    employ(monkeypatch, FakeOperator(shops("juno", "juno", migrations=[])))
    document = midflight("upgrade", "plan", "kilo", "--json").document
    assert (document["target"], document["previous"], document["verdict"]["status"]) == ("kilo", "juno", "pass")
    assert [step["number"] for step in document["steps"]] == list(range(9))


def test_a_plan_to_an_unknown_release_says_where_to_work(midflight: Command) -> None:
    """The operator's copy may be too old, or its release not frozen."""
    outcome = midflight("upgrade", "plan", "liberty")
    assert outcome.code == 64
    assert "frozen in this copy of project shop are: juno, kilo" in outcome.err
    assert "a copy of the code that is to be deployed, and freeze it there: midflight release freeze" in outcome.err


def test_status_says_where_the_fleet_is(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is that of the next step's gate, but 0 is kept for the end."""
    employ(monkeypatch, FakeOperator(shops("kilo", "kilo", pins={"*": "juno"})))
    outcome = midflight("upgrade", "status")
    assert outcome.code == 1
    assert "pass: unpin" in outcome.out
    employ(monkeypatch, FakeOperator(shops(migrations=[moved(form="new")], store_floor="kilo")))
    outcome = midflight("upgrade", "status")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "done: the fleet is upgraded to kilo")
    assert midflight("upgrade", "status", "--json").document["verdict"] is None


def test_a_soak_that_nobody_watched_does_not_pass(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look is no soak: the status is unknown."""
    employ(monkeypatch, FakeOperator(shops("kilo", "juno", pins={"*": "juno"})))
    outcome = midflight("upgrade", "status")
    assert outcome.code == 4
    assert "unknown: clean in every look for 0 s of 60 s" in outcome.out


def test_the_first_release_has_nothing_to_upgrade_from(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so."""
    (shop.folder / "releases" / "juno.toml").unlink()
    employ(monkeypatch, FakeOperator(shops()))
    outcome = midflight("upgrade", "status")
    assert (outcome.code, outcome.out) == (
        0,
        "done: kilo is the first release of project shop: nothing to upgrade from\n",
    )


def test_where_there_is_one_release_a_stranger_is_told_of_and_no_road(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no release before, and so no step that could be typed."""
    (shop.folder / "releases" / "juno.toml").unlink()
    employ(monkeypatch, FakeOperator(shops(agent="unreleased")))
    outcome = midflight("upgrade", "status")
    assert (outcome.code, "STEP" in outcome.out, "the release before" in outcome.out) == (4, False, False)
    assert "running now: 1 kilo, 1 unreleased" in outcome.out


def test_check_says_facts_and_ways_out(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is the verdict's."""
    employ(monkeypatch, FakeOperator(shops("juno", "juno")))
    outcome = midflight("upgrade", "check", "control")
    assert outcome.code == 2
    assert outcome.out.splitlines() == [
        "fail: control",
        "  fail: 1 of 1 control services left: conductor@c1 (juno)",
        "  pass: the schema is expanded to kilo, 12 min ago",
        "  way out: deploy kilo to conductor@c1",
    ]
    document = midflight("upgrade", "check", "3", "--json").document
    assert (document["step"], document["status"]) == ("control", "fail")
    assert document["way_out"] == ["deploy kilo to conductor@c1"]


def test_check_goes_to_another_release_when_told(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else to the newest that is frozen here."""
    employ(monkeypatch, FakeOperator(shops("juno", "juno")))
    assert midflight("upgrade", "check", "control", "--to", "juno").code == 0


def test_an_unknown_step_is_refused(midflight: Command) -> None:
    """With those that there are."""
    outcome = midflight("upgrade", "check", "soka")
    assert outcome.code == 64
    assert "expected one of prepare, schema, pin, control, soak, roll, unpin, data, finalize" in outcome.err


def test_a_window_is_for_the_soak(midflight: Command, shop: Shop) -> None:
    """With another step it is refused, not passed over."""
    outcome = midflight("upgrade", "check", "roll", "--window", "10s")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert "received --window for step roll, which has none" in outcome.err


def test_finalize_is_blocked_by_name(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """2, even with --yes; nothing is asked of anybody."""
    operator = employ(monkeypatch, FakeOperator(shops("kilo", "juno")))
    outcome = midflight("upgrade", "finalize", "--yes")
    assert outcome.code == 2
    assert "fail: 1 of 2 members left: shop@n1 (juno)" in outcome.out
    assert operator.acts == []


def test_finalize_without_a_terminal_needs_yes(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """3: it needs a person. What cannot be undone is said before."""
    operator = employ(monkeypatch, FakeOperator(shops()))
    outcome = midflight("upgrade", "finalize")
    assert outcome.code == 3
    assert outcome.out.splitlines()[-4:] == [
        "This cannot be undone:",
        "  prices_become_cents: items is written in its new form only; the old one goes stale",
        "  the store floor rises to kilo: no release before it can open the database again",
        "fail: there is no terminal to ask on: add --yes",
    ]
    assert midflight("upgrade", "finalize", "--json").document["finalized"] is False
    assert operator.acts == []


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("no", 3), ("", 3), ("y", 3)])
def test_finalize_asks_on_a_terminal(
    midflight: Command, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    """Only a whole yes is one."""
    operator = employ(monkeypatch, FakeOperator(shops()))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert midflight("upgrade", "finalize").code == code
    assert ("floor kilo" in operator.acts) is (code == 0)


def test_finalize_goes_through_and_says_each_step(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the document says that it is done."""
    operator = employ(monkeypatch, FakeOperator(shops()))
    outcome = midflight("upgrade", "finalize", "--yes")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "done: kilo is finalized")
    assert operator.acts[-1] == "floor kilo"
    assert midflight("upgrade", "finalize", "--yes", "--json").document["finalized"] is True


def test_finalize_again_is_nothing(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """0, and nobody is asked."""
    operator = employ(monkeypatch, FakeOperator(shops(migrations=[moved(form="new")], store_floor="kilo")))
    outcome = midflight("upgrade", "finalize")
    assert (outcome.code, outcome.out) == (0, "done: nothing to do: kilo is finalized\n")
    assert operator.acts == []


def test_who_does_not_acknowledge_blocks_it_by_name(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """2, and the floor stays."""
    operator = employ(monkeypatch, FakeOperator(shops(), late=[member("conductor", "c1", "kilo")]))
    outcome = midflight("upgrade", "finalize", "--yes")
    assert outcome.code == 2
    assert "not acknowledged by conductor@c1 (active, epoch 4)" in outcome.err
    assert "floor kilo" not in operator.acts
