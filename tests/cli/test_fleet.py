from collections.abc import Callable

import pytest

from midflight.upgrade import draining
from midflight.versions import Manifest, Version
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import fleet, lost, member

Command = Callable[..., Outcome]
STREET = fleet(member("api", "web", "kilo", epoch=3), lost("compute", "n1", overrides={"compute": "juno"}))


def test_list_shows_each_member_and_one_line_that_sums_it_up(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Release, state, epoch, age, own pins."""
    employ(monkeypatch, FakeOperator(STREET))
    lines = midflight("fleet", "list").out.splitlines()
    assert lines == [
        "SERVICE  HOST  RELEASE  STATE   EPOCH  HEARD      OWN PINS      MEMBER",
        "api      web   kilo     active  3      0 s ago    -             api-web-1",
        "compute  n1    juno     lost    4      3 min ago  compute=juno  compute-n1-1",
        "2 members: 1 juno, 1 kilo · 1 active, 1 lost · epoch 4, 1 behind · pinned: all to juno",
    ]


def test_list_as_json_is_the_fleet_itself(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """All facts of it."""
    employ(monkeypatch, FakeOperator(STREET))
    document = midflight("fleet", "list", "--json").document
    assert (document["epoch"], document["pins"], document["members"][1]["state"]) == (4, {"*": "juno"}, "lost")


def test_an_empty_fleet_is_a_line(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no table."""
    employ(monkeypatch, FakeOperator(fleet(pins={})))
    assert (
        midflight("fleet", "list").out == "0 members: none · none · epoch 4, acknowledged by all · nothing is pinned\n"
    )


def test_retire_takes_a_lost_member_by_id_or_by_name(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says whom."""
    operator = employ(monkeypatch, FakeOperator(STREET))
    outcome = midflight("fleet", "retire", "compute@n1")
    assert (outcome.code, outcome.out) == (0, "retired: compute@n1 (juno), last heard 3 min ago\n")
    assert midflight("fleet", "retire", "compute-n1-1").code == 0
    assert operator.acts == ["retire compute-n1-1"] * 2


def test_retire_refuses_strangers_the_living_and_the_ambiguous(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with the way out; nobody is retired."""
    twins = lost("compute", "n1"), lost("compute", "n1", id="compute-n1-2")
    drained = member("api", "old", state="draining")
    operator = employ(monkeypatch, FakeOperator(fleet(member("api", "web"), drained, *twins)))
    asked = "db@x", "api@web", "api@old", "compute@n1"
    stranger, living, leaving, two = (midflight("fleet", "retire", name) for name in asked)
    assert (stranger.code, living.code, leaving.code, two.code) == (64, 2, 2, 64)
    assert "see midflight fleet list" in stranger.err
    assert "it is alive, heard 0 s ago. Stop it first" in living.err
    assert "give the id: compute-n1-1, compute-n1-2" in two.err
    assert operator.acts == []


def test_show_tells_all_of_one_member(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of itself, what it understands, and how it stands."""
    found = member("compute", "n1", epoch=3, topics=["shop"], manifest="abc", code="/srv/shop")
    operator = employ(monkeypatch, FakeOperator(fleet(found)))
    operator.understood = {"abc": Manifest({"shop": Version(1, 1)})}
    lines = dict(line.split("  ", 1) for line in midflight("fleet", "show", "compute@n1").out.splitlines()[1:])
    said = {name: value.strip() for name, value in lines.items()}
    assert (said["state"], said["takes work on"], said["obeys epoch"]) == ("active", "shop 1.1", "3, not 4")
    document = midflight("fleet", "show", "compute-n1-1", "--json").document
    assert (document["member"]["code"], document["understands"]) == ("/srv/shop", {"shop": ["1.1"]})
    assert midflight("fleet", "show", "compute@n2").code == 64


def test_drain_asks_until_nothing_is_left(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member of the host that is awake; 0 when nothing is left, nor a look later: something may have been on its
    way there."""
    monkeypatch.setattr(draining, "LOOK_SECONDS", 0.0)
    operator = employ(monkeypatch, FakeOperator(fleet(member("compute", "n1"), member("compute", "n2"))))
    operator.left = [None, ["a", "b"], [], ["c"], [], []]
    outcome = midflight("fleet", "drain", "n1")
    assert (outcome.code, outcome.out) == (0, "done: compute@n1 takes no new work, and nothing is left there\n")
    assert operator.acts == ["drain compute-n1-1"] * 6


def test_drain_names_what_is_left_and_who_was_not_asked(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 when the time is over, or when somebody there is lost; it can be undone; a host without members is refused."""
    operator = employ(monkeypatch, FakeOperator(fleet(member("compute", "n1"), lost("api", "n1", age=9))))
    operator.left = [[f"vm-{number}" for number in range(7)]]
    outcome = midflight("fleet", "drain", "n1", "--wait", "0s")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "warn: api@n1 is lost, last heard 9 s ago: it was not asked",
        "warn: compute@n1: 7 left: vm-0, vm-1, vm-2, vm-3, vm-4 and 2 more",
    ]
    assert "done: compute@n1 takes work again" in midflight("fleet", "drain", "n1", "--undo").out
    assert operator.acts[-1] == "undrain compute-n1-1"
    assert "no member on host 'n9'" in midflight("fleet", "drain", "n9").err
