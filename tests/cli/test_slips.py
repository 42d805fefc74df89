"""A name with a slip on the command line: the one that was meant is told, whatever it names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from midflight.conductor.interface import Fleet
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome
from tests.upgrade.fleets import fleet, member

Command = Callable[..., Outcome]


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("flet list", "fleet"),
        ("fleet lst", "list"),
        ("fleet list --jsn", "--json"),
        ("release diff kilp", "kilo"),
        ("release retire kilp", "kilo"),
        ("upgrade plan kilp", "kilo"),
        ("upgrade status --to kilp", "kilo"),
        ("upgrade check rol", "roll"),
        ("data show prices_become_cent", "prices_become_cents"),
        ("data run price_become_cents", "prices_become_cents"),
        ("pin clear --topic shp", "shop"),
        ("upgrade journal member.los", "member.lost"),
        ("upgrade journal --follow pni", "pin"),
        ("run shpo", "shop"),
        ("run conducter", "conductor"),
        ("fleet show shop@node2", "shop@node1"),
        ("fleet retire shop@node2", "shop@node1"),
        ("fleet drain node2", "node1"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_a_slip_on_the_command_line(typed: str, near: str, midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a command, an option, a release, a step, a migration, a topic, a kind, a service, a member or a host."""
    assert midflight("release", "freeze", "kilo").code == 0
    employ(monkeypatch, FakeOperator(_fleet()))
    wrong = midflight(*typed.split())
    assert (wrong.code, wrong.out) == (64, "")
    assert wrong.err.count("\n") == 1
    assert f"Did you mean {near}" in wrong.err.replace('"', "")


def _fleet() -> Fleet:
    return fleet(member("conductor", "c1", "kilo"), member("shop", "node1", "kilo"), pins={})
