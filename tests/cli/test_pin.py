from collections.abc import Callable

import pytest

from midflight.versions import Manifest, Version
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import cloud, fleet, member

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def releases(shop: Shop, midflight: Command) -> None:
    """juno, and kilo, which is the code."""
    folder = shop.folder / "releases"
    folder.mkdir()
    (folder / "juno.toml").write_text(
        'release = "juno"\nsequence = 1\n'
        '[objects.Item]\nversion = "1.0"\n[objects.Item.fields]\nid = "int"\nprice = "str"\n'
        '[interfaces.shop]\nversion = "1.0"\n[interfaces.shop.endpoints]\nsell = "(item: Item) -> str, since 1.0"\n'
    )
    assert midflight("release", "freeze", "kilo").code == 0


def test_set_waits_until_all_have_acknowledged(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 when they have."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    outcome = midflight("pin", "set", "juno")
    assert (outcome.code, outcome.out) == (0, "done: epoch 5 is acknowledged by all active members\n")
    assert operator.acts == ["pin * juno", "wait 5"]


def test_who_has_not_acknowledged_is_named(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """2, with the epoch that each obeys."""
    employ(monkeypatch, FakeOperator(cloud(), late=[member("compute", "n1", age=7)]))
    outcome = midflight("pin", "set", "juno", "--wait", "3s")
    assert outcome.code == 2
    assert outcome.out.splitlines() == [
        "fail: epoch 5 is set, but these have not acknowledged it within 3 s:",
        "  compute@n1 (juno) obeys epoch 4, last heard 7 s ago",
    ]
    document = midflight("pin", "set", "juno", "--json").document
    assert (document["epoch"], [late["host"] for late in document["unacknowledged"]]) == (5, ["n1"])


def test_a_pin_that_is_too_new_for_somebody_is_warned_of(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """1; only members of the pinned topic count."""
    members = member("compute", "n1", topics=["compute"]), member("shop", "s1", topics=["shop"])
    employ(monkeypatch, FakeOperator(fleet(*members)))
    outcome = midflight("pin", "set", "1.1", "--topic", "shop")
    assert outcome.code == 1
    assert outcome.out.splitlines()[0] == (
        "warn: shop@s1 runs juno, older than the pin: it will reject what it is sent"
    )
    assert "n1" not in outcome.out


def test_auto_takes_the_pin_away(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one topic, or of all."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    assert midflight("pin", "set", "auto", "--topic", "shop").code == 0
    assert operator.acts == ["clear shop", "wait 5"]


def test_clear_takes_every_pin_away(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of single topics too; without any it says so."""
    operator = employ(monkeypatch, FakeOperator(cloud(pins={"*": "juno", "shop": "juno"})))
    assert midflight("pin", "clear").code == 0
    assert operator.acts == ["clear *", "clear shop", "wait 5"]
    employ(monkeypatch, FakeOperator(cloud(pins={})))
    assert midflight("pin", "clear").out == "nothing is pinned\n"


@pytest.mark.parametrize("command", [["clear"], ["set", "auto"]])
@pytest.mark.parametrize("topic", ["shpo", ""])
def test_a_topic_that_nobody_knows_is_not_cleared(
    midflight: Command, monkeypatch: pytest.MonkeyPatch, command: list[str], topic: str
) -> None:
    """64, with the topics that there are; an empty one, as of an unset variable, is not all of them."""
    operator = employ(monkeypatch, FakeOperator(cloud(pins={"*": "juno", "gone": "juno"})))
    outcome = midflight("pin", *command, "--topic", topic)
    assert (outcome.code, operator.acts) == (64, [])
    known = "*, conductor, gone, member, shop"
    assert outcome.err.startswith(f"error: received topic {topic!r}, expected one of {known}.")
    assert midflight("pin", *command, "--topic", "gone").code == 0


def test_show_lists_the_fleets_pins_and_those_of_members(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """And who has not acknowledged."""
    members = member("api", "web", overrides={"compute": "kilo"}), member("compute", "n1", epoch=3)
    employ(monkeypatch, FakeOperator(fleet(*members)))
    outcome = midflight("pin", "show")
    assert outcome.out.splitlines()[1:3] == ["all      juno  fleet", "compute  kilo  api@web's configuration"]
    assert outcome.out.splitlines()[-1] == "epoch 4: not acknowledged by compute@n1"
    employ(monkeypatch, FakeOperator(cloud(pins={})))
    assert midflight("pin", "show").out.startswith("nothing is pinned: ")
    assert midflight("pin", "show", "--json").document["pins"] == {}


def test_two_operators_at_once(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was overtaken is told which pin holds now, and that it is not theirs; 2."""
    operator = employ(monkeypatch, FakeOperator(cloud()))
    operator.overtaken_by = "kilo"
    outcome = midflight("pin", "set", "juno")
    assert outcome.code == 2
    assert outcome.out.startswith("fail: another operator has set all to kilo since then, in epoch ")
    assert midflight("pin", "set", "juno", "--json").document["changed"] == {"*": "kilo"}


def test_show_names_who_holds_what_is_spoken(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds it in silence: a lost member by name and age, with the ways out; who sleeps holds nothing."""
    old, new = Manifest({"shop": Version(1, 0)}), Manifest({"shop": Version(1, 1)})
    kinds = [("lost", old, 3 * 86_400), ("active", new, 1), ("asleep", old, 9)]
    there = [
        member("compute", f"host-{number}", state=state, age=age, manifest=manifest.digest, topics=["shop"])
        for number, (state, manifest, age) in enumerate(kinds, start=17)
    ]
    operator = employ(monkeypatch, FakeOperator(fleet(*there, pins={})))
    operator.understood = {each.digest: each for each in (old, new)}
    said = midflight("pin", "show").out
    assert "auto because compute@host-17 (juno), last seen 3 d ago: retire it, or wait" in said
    assert midflight("pin", "show", "--json").document["auto"] == {
        "shop": {"version": "1.0", "held_by": ["compute@host-17"]}
    }
    there[0].state = "active"
    assert "auto because compute@host-17 (juno): deploy a later release there" in midflight("pin", "show").out
    there[0].manifest = new.digest
    assert midflight("pin", "show", "--json").document["auto"]["shop"] == {"version": "1.1", "held_by": []}
