"""The watch as a whole, in this process."""

from __future__ import annotations

import gc
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from house.lan import interfaces, ip
from house.lan.errors import NoWay
from house.lan.interfaces import Interface
from house.lan.mac import Mac
from house.states import Cause, Mode, State
from house.watcher.file import GuardFile, Kept, KeptMachine, KeptWake
from house.watcher.guarded import Guarded
from house.watcher.watch import Watch
from tests.jumping import NOON, JumpingClock


async def test_no_collector_stands_between_a_request_and_its_packet(tmp_path: Path) -> None:
    """What a watcher has loaded when it starts is looked through no more: that took 26 ms, with the framework in it."""
    gc.unfreeze()
    watch = Watch(JumpingClock(), GuardFile(tmp_path / "guards.json"))
    watch.start()
    try:
        assert gc.get_freeze_count() > len(gc.get_objects())
    finally:
        gc.unfreeze()
        await watch.written()
        watch.stop()


async def test_nothing_is_written_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher alone looks after its interfaces every few seconds, for ever: its disk is left alone meanwhile."""
    file, written = GuardFile(tmp_path / "guards.json"), list[Kept]()
    monkeypatch.setattr(file, "write", written.append)
    watch = Watch(JumpingClock(), file)
    watch.start()
    await watch.written()
    before = len(written)
    for _ in range(3):
        watch.look_again()
        await watch.written()
    assert (before, len(written)) == (1, 1)
    watch.stop()


async def test_a_kept_wake_that_cannot_be_read_keeps_no_watcher_from_starting(tmp_path: Path) -> None:
    """Its machine is told of in the log, and guarded when the house says so again."""
    machine = Guarded(
        "theobromine", Mac.parse("00:16:3e:1a:2b:3c"), (IPv4Address("192.0.2.7"),), "eth77", None, Mode.PROXY,
        frozenset({22}), False, 5,
    )  # fmt: skip
    wake = KeptWake(uuid4(), "theobromine", Cause.DEMAND, "no MAC", None, None, 22, NOON, None, 1)
    file = GuardFile(tmp_path / "guards.json")
    file.write(Kept((KeptMachine.of(machine, State.WAKING, NOON, wake),)))
    watch = Watch(JumpingClock(), file)
    with capture_logs() as said:
        watch.start()
    (told,) = [each for each in said if each["event"] == "watcher.not_guarded"]
    assert (told["machine"], "received 'no MAC'" in told["reason"], watch.guards) == ("theobromine", True, {})
    await watch.written()
    watch.stop()


@pytest.mark.parametrize(
    ("addresses", "told"),
    [
        (("192.168.0.10",), 1),
        (("192.168.0.10", "192.168.1.10"), 0),
        (("fd00::7",), 0),
    ],
    ids=["in another network", "one of two is in ours", "IPv6 alone"],
)
async def test_a_slip_in_an_address_is_told(
    addresses: tuple[str, ...], told: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would ever ask there for a machine whose address is in another network; but it may be so, and it is
    guarded all the same."""
    card = Interface("eth0", 2, Mac(b"\2\0\0\0\0\2"), IPv4Address("192.168.1.2"), IPv4Network("192.168.1.0/24"))
    monkeypatch.setattr(interfaces, "towards", lambda addresses: card)
    watch = Watch(JumpingClock(), GuardFile(tmp_path / "guards.json"))
    listens = list[Interface]()
    monkeypatch.setattr(watch, "_lookout", listens.append)
    machine = Guarded("desk", Mac.parse("00:16:3e:1a:2b:3c"), tuple(map(ip.parse, addresses)))
    with capture_logs() as said:
        watch._lookout_of(machine)
    assert [each["network"] for each in said if each["event"] == "watcher.elsewhere"] == ["192.168.1.0/24"] * told
    assert listens == [card]


async def test_a_machine_of_which_nobody_can_tell_where_it_is_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several interfaces are, none of which has a network with its address: they are named."""
    nowhere = {name: Interface(name, 2, Mac(6), IPv4Address(0), None) for name in ("eth0", "eth1")}
    monkeypatch.setattr(interfaces, "_names", lambda: [*nowhere])
    monkeypatch.setattr(interfaces, "get", nowhere.__getitem__)
    with pytest.raises(
        NoWay, match=r"leads to 192.168.1.30; there are: eth0, eth1. Name the one where the machine is$"
    ):
        interfaces.towards((IPv4Address("192.168.1.30"),))
