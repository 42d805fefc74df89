"""What the house is told of a machine."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.cli.conftest import Fleet


def test_a_machine_is_set_up_and_forgotten(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """It is added, for it has no agent; then how it is guarded and what it uses, a value at a time or several. Watchers
    are told of each change."""
    before = fleet.told.count("watchers")
    assert fleet.run("add", "tv=52:54:00:00:00:77,10.0.0.77") == 0
    assert "tv is in the house" in capsys.readouterr().out
    assert fleet.run("add", "tv=52:54:00:00:00:78,10.0.0.78") == 64
    assert capsys.readouterr().err == "error: the house has a machine 'tv' already\n"
    words = "mode=sniff", "ports=22,445", "ping=yes", "vlan=7", "interface=eth1", "watcher=attic", "watts=90.5"
    assert fleet.run("set", "tv", *words) == 0
    assert "tv: mode=sniff, ports=22,445" in capsys.readouterr().out
    moved = "addresses=10.0.0.79,fd00::79", "mac=52-54-0-0-0-79"
    assert fleet.run("set", "tv", "vlan=", "watcher=", "wakes-per-hour=3", *moved, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["mode"], told["wake_ports"], told["ping_wakes"], told["interface"]) == (
        "sniff", [22, 445], True, "eth1",
    )  # fmt: skip
    assert (told["vlan"], told["watcher"], told["watts"], told["wakes_per_hour"]) == (None, None, 90.5, 3)
    assert (told["addresses"], told["mac"]) == (["10.0.0.79", "fd00::79"], "52:54:00:00:00:79")
    assert fleet.run("forget", "tv") == 0
    fleet.hears("watchers", before, 4)
    assert fleet.run("forget", "tv") == 64
    assert "the house has no machine 'tv'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "house set: received nothing, expected mode, ports"),
        (["mode"], "house set: received 'mode', expected mode, ports"),
        (["colour=red"], "house set: received 'colour=red', expected mode, ports"),
        (["mode=unknown"], "house set mode: received 'unknown', expected proxy, answer or sniff"),
        (["ping=maybe"], "house set ping: received 'maybe', expected yes or no"),
        (["ports=ssh"], "house set ports: received 'ssh', expected ports like 22,445"),
        (["ports=0"], "Machine.wake_ports"),
        (["addresses=10.0.0"], "house set addresses: received '10.0.0', expected addresses like 192.168.1.10,fd00::7"),
        (["addresses="], "house set addresses: received '', expected addresses like"),
        (["mac=ff:ff:ff:ff:ff:ff"], "house set mac: received 'ff:ff:ff:ff:ff:ff', expected a MAC address like"),
        (["vlan=4095"], "Machine.vlan"),
    ],
)
def test_a_wrong_value_is_told(
    fleet: Fleet, capsys: pytest.CaptureFixture[str], words: Sequence[str], reason: str
) -> None:
    """In one line that says what was expected; nothing has changed."""
    assert fleet.run("set", "desk", *words) == 64
    said = capsys.readouterr().err
    assert (reason in said, said.count("\n")) == (True, 1), said
