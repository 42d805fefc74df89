from collections.abc import Callable

import pytest

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
    operator = employ(monkeypatch, FakeOperator(fleet(member("api", "web"), *twins)))
    stranger, living, two = (midflight("fleet", "retire", name) for name in ("db@x", "api@web", "compute@n1"))
    assert (stranger.code, living.code, two.code) == (64, 2, 64)
    assert "see midflight fleet list" in stranger.err
    assert "it is alive, heard 0 s ago. Stop it first" in living.err
    assert "give the id: compute-n1-1, compute-n1-2" in two.err
    assert operator.acts == []
