"""What a watcher tells the house: all that it can take in, whatever is wrong with the rest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from house.objects.machine import Machine
from house.objects.requester import Requester
from house.objects.wake import WakeList
from house.states import Cause, State
from house.watcher.file import GuardFile, KeptWake
from house.watcher.service import Watcher
from house.watcher.watch import Watch
from midflight import Context, MidflightError, NotDelivered, RemoteError, types
from tests.jumping import NOON, JumpingClock

LATER = NOON + timedelta(hours=2)
NOBODY = types.MacAddress("ff:ff:ff:ff:ff:ff")
BROKEN = RemoteError(what="Machine.note_seen", callee="conductor", kind="KeyError", message="of its own")


@pytest.fixture
def watcher(tmp_path: Path, context: Context) -> Watcher:
    return Watcher(Watch(JumpingClock(), GuardFile(tmp_path / "guards.json")), "box", lambda: context)


def _wake(address: str) -> KeptWake:
    return KeptWake(uuid4(), "desk", Cause.DEMAND, "02:00:00:00:00:01", address, None, 22, NOON, None, 1)


async def test_whoever_asked_is_told_of(watcher: Watcher, desk: Machine, context: Context) -> None:
    """A sender may have any address, also one that no machine has for itself."""
    odd = ["127.0.0.1", "0.0.0.0", "224.0.0.1", "ff02::1"]
    watcher.watch.reports.wakes = {wake.uuid: wake for wake in map(_wake, odd)}
    await watcher.tell()
    assert watcher.watch.reports.wakes == {}
    assert {str(wake.requester_address) for wake in await WakeList.latest(context)} == {*odd}
    await watcher.watch.written()


async def test_what_the_house_refuses_is_told_once(watcher: Watcher, desk: Machine, context: Context) -> None:
    """A machine that was destroyed meanwhile holds up no word of another."""
    watcher.watch.reports.sights = {"gone": (True, LATER), "desk": (False, LATER)}
    await watcher.tell()
    assert watcher.watch.reports.sights == {}
    assert (await Machine.get(context, "desk")).state is State.ASLEEP


@pytest.mark.parametrize(
    ("error", "left"),
    [(BROKEN, ["odd"]), (NotDelivered(what="Machine.note_seen", reason="nobody"), ["odd", "desk"])],
    ids=["it fails there", "nobody hears"],
)
async def test_what_could_not_be_taken_in_is_kept(
    error: MidflightError, left: list[str], watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only that failed, the rest is told; where nobody hears, all is kept."""
    watcher.watch.reports.sights = {"odd": (True, LATER), "desk": (True, LATER)}
    monkeypatch.setattr(Machine, "note_seen", _failing("odd", error))
    with pytest.raises(type(error)):
        await watcher.tell()
    assert [*watcher.watch.reports.sights] == left


async def test_a_mistake_ends_no_task(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Telling goes on after an error that nobody has thought of."""
    watcher.watch.reports.sights = {"odd": (True, LATER)}
    monkeypatch.setattr(Machine, "note_seen", _failing("odd", ZeroDivisionError()))
    assert await watcher._tried(watcher.tell()) is False
    monkeypatch.setattr(Machine, "note_seen", _failing("nobody", ZeroDivisionError()))
    assert await watcher._tried(watcher.tell()) is True
    assert watcher.watch.reports.sights == {}


async def test_a_machine_with_a_mac_that_no_card_has_keeps_no_other_from_being_guarded(
    watcher: Watcher, desk: Machine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a requester of that kind. Who is ignored is kept for the next start."""
    await Machine(context=context, name="odd", mac=NOBODY, addresses=[IPv4Address("10.0.0.8")]).create()
    await Requester(context=context, mac=NOBODY).create()
    guarded = list[str]()
    monkeypatch.setattr(watcher.watch, "_put", lambda machine, state: guarded.append(machine.name))
    await watcher.read()
    assert guarded == ["desk"]
    await watcher.watch.written()
    assert watcher.watch.file.read().ignored == ((NOBODY, None),)


def _failing(name: str, error: Exception) -> Callable[..., Coroutine[Any, Any, None]]:
    """``Machine.note_seen`` of a house that cannot do it for one machine."""

    async def note_seen(context: Context, machine: str, alive: bool, at: datetime) -> None:
        if machine == name:
            raise error

    return note_seen
