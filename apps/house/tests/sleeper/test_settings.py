from typing import Any

import pytest

from house.sleeper.checks import KINDS
from house.sleeper.checks.command import Command
from house.sleeper.checks.connections import Connections
from house.sleeper.checks.logins import Logins
from house.sleeper.settings import checks, settings
from house.sleeper.system import Unclear
from midflight import ConfigError
from tests.sleeper.machine import FakeMachine


def test_without_a_table_logins_and_connections_are_checked() -> None:
    """And logind suspends."""
    given = settings({})
    assert (given.method, given.logind, given.wake_on_lan) == ("logind", True, True)
    assert checks(given) == {"logins": Logins(), "connections": Connections()}


def test_a_kind_may_be_checked_twice() -> None:
    """Each by a name of its own; a check without one is of the kind that it is named after."""
    tables = {"logins": {"idle_minutes": 5}, "backup": {"kind": "command", "command": ["pgrep", "borg"]}}
    assert checks(settings({"sleeper": {"checks": tables}})) == {
        "logins": Logins(idle_minutes=5),
        "backup": Command(["pgrep", "borg"]),
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"method": "nap"}, r"\[app.sleeper\] method: Invalid enum value 'nap'"),
        ({"quiet_seconds": -1}, r"\[app.sleeper\] quiet_seconds: Expected `float` > 0"),
        ({"checks": {"logins": 5}}, r"\[app.sleeper\] checks"),
        ({"checks": {"load": {"cores": "many"}}}, r"\[app.sleeper.checks.load\] cores: Expected `float`, got `str`"),
        ({"checks": {"command": {}}}, r"\[app.sleeper.checks.command\]: .*required field `command`"),
    ],
)
def test_a_wrong_entry_is_named(table: dict[str, Any], message: str) -> None:
    """With its place in the file, and what was expected."""
    with pytest.raises(ConfigError, match=message):
        checks(settings({"sleeper": table}))


async def test_a_check_of_a_later_release_keeps_awake(machine: FakeMachine) -> None:
    """An older release that starts on the same file does not know what it was to look for."""
    given = settings({"sleeper": {"later": 1, "checks": {"logins": {"later": 1}, "tarot": {}}}})
    found = checks(given)
    assert found["logins"] == Logins()
    with pytest.raises(Unclear, match="there is no check of kind 'tarot'; there is calendar, command"):
        await found["tarot"].look(machine.system)


def test_every_check_says_what_it_is_about() -> None:
    """Each kind has a text for the manual."""
    assert [kind for kind, check in KINDS.items() if not check.__doc__ or "usy " not in check.__doc__] == []
