from collections.abc import Callable
from pathlib import Path

import pytest

from midflight.db.clock import now
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import fleet, member

Command = Callable[..., Outcome]


def test_it_says_what_is_wrong_and_how_to_mend_it(midflight: Command, shop: Shop) -> None:
    """Each thing is a line, its way out is below; the worst decides the exit code."""
    examined = midflight("doctor")
    lines = examined.out.splitlines()
    assert examined.code == 2
    at = next(number for number, line in enumerate(lines) if line.startswith("fail: schema: the schema lacks"))
    assert lines[at + 1] == "  way out: midflight db expand"
    assert lines[-2].startswith("unknown: conductor: No conductor of project shop answers at memory:nobody")
    assert lines[-1] == "  way out: midflight run conductor"


def test_a_healthy_place_exits_0(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its schema is expanded, its release is frozen, and somebody answers."""
    assert midflight("release", "freeze", "kilo").code == midflight("db", "expand").code == 0
    everybody = fleet(member("conductor", "c1", "kilo"), pins={})
    everybody.taken_at = now()
    employ(monkeypatch, FakeOperator(everybody))
    examined = midflight("doctor", "--json").document
    assert [each for each in examined["found"] if each["status"] != "pass"] == []


def test_a_configuration_that_is_wrong_ends_the_examination(midflight: Command, tmp_path: Path) -> None:
    """It is a finding and no crash: a doctor has an answer for everybody."""
    examined = midflight("doctor", "--config", str(tmp_path / "nowhere.toml"))
    assert (examined.code, examined.err) == (2, "")
    assert "fail: configuration: " in examined.out
