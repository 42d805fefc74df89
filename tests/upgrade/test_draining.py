"""A host is drained until nothing is left there."""

from __future__ import annotations

from typing import Any

import pytest

from midflight.upgrade import draining
from midflight.upgrade.draining import Left, drain, is_empty


class Hosts:
    """An operator whose members say, look by look, what is left."""

    def __init__(self, **looks: list[list[str] | None]) -> None:
        self._looks = looks

    async def drain(self, member: str) -> list[str] | None:
        return self._looks[member].pop(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "LOOK_SECONDS", 0.0)


async def test_nothing_is_left_twice_in_a_row() -> None:
    """Of all members: what was on its way there comes after the first look at which there was nothing."""
    hosts: Any = Hosts(a=[None, [], ["x"], [], []], b=[[], [], [], [], []])
    told: list[Left] = []
    left = await drain(hosts, ["a", "b"], 600.0, told.append)
    assert left == {"a": [], "b": []}
    assert [each["a"] for each in told] == [None, [], ["x"], [], []]


@pytest.mark.parametrize("last", [["x"], None])
async def test_when_the_time_is_over_it_says_what_is_left(last: list[str] | None) -> None:
    """After one look at the least; what is not known is not nothing."""
    hosts: Any = Hosts(a=[last])
    left = await drain(hosts, ["a"], 0.0)
    assert left == {"a": last}
    assert not is_empty(left)
