"""What is kept for the house until it was told."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address

import pytest

from house.states import Cause
from house.watcher.guarded import Requester, Wake
from house.watcher.reports import MOST, Reports
from tests.jumping import JumpingClock
from tests.lan.frames import ASKER


def _wake(machine: str = "theobromine") -> Wake:
    return Wake(machine, Cause.DEMAND, Requester(ASKER, IPv4Address("192.0.2.1"), 22), asked=0.0)


async def test_who_asks_has_a_name_where_one_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the report, and in what the log says when the machine lives."""
    monkeypatch.setattr(socket, "getnameinfo", lambda *_: ("desktop.example", "0"))
    reports, wake = Reports(JumpingClock()), _wake()
    reports.note(wake)
    reports.name(wake)
    await asyncio.gather(*reports._naming)
    assert wake.who == "desktop.example, 02:00:00:00:00:01 (192.0.2.1, who asks for port 22)"
    assert [told.name for told in reports.wakes.values()] == ["desktop.example"]


async def test_a_name_server_that_knows_nobody_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything said of it."""

    def unknown(*_: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getnameinfo", unknown)
    reports, wake = Reports(JumpingClock()), _wake()
    reports.name(wake)
    await asyncio.gather(*reports._naming)
    assert wake.who == "02:00:00:00:00:01 (192.0.2.1, who asks for port 22)"


async def test_a_house_that_is_away_for_ever_fills_no_memory() -> None:
    """The oldest wakes are forgotten."""
    reports = Reports(JumpingClock())
    for number in range(MOST + 2):
        reports.note(_wake(f"m{number}"))
    assert len(reports.wakes) == MOST
    assert next(iter(reports.wakes.values())).machine == "m2"
