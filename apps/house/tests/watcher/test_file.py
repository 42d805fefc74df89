"""What is guarded is kept, and read again."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from uuid import uuid4

import msgspec

from house.lan.mac import Mac
from house.states import Cause, Mode, State
from house.watcher.file import GuardFile, Kept, KeptMachine, KeptWake
from house.watcher.guarded import Guarded
from house.watcher.service import _told
from midflight import Context

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MACHINE = Guarded(
    "theobromine", Mac.parse("00:16:3e:1a:2b:3c"), (IPv4Address("192.0.2.7"), IPv6Address("2001:db8::7")),
    "eth0", 7, Mode.PROXY, frozenset({22, 445}), True, 5,
)  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A machine with all that is known of it, a requester, and a wake of which nobody was told yet."""
    file = GuardFile(tmp_path / "state" / "guards.json")
    wake = KeptWake(uuid4(), "theobromine", Cause.DEMAND, "02:00:00:00:00:01", "192.0.2.1", "desk", 22, NOON, None, 3)
    kept = Kept((KeptMachine.of(MACHINE, State.ASLEEP, NOON, None),), (("02:00:00:00:00:66", None),), (wake,))
    file.write(kept)
    assert file.read() == kept
    assert file.read().machines[0].machine() == MACHINE


def test_no_file_is_nothing_kept(tmp_path: Path) -> None:
    """A first start has nothing to go on with."""
    assert GuardFile(tmp_path / "guards.json").read() == Kept()


def test_words_of_a_later_release_lose_nothing(tmp_path: Path) -> None:
    """After a rollback, a machine in a mode that is not known wakes for any question, and one in a state that is not
    known is asked how it stands; what is guarded beside it, and a wake of which nobody was told, are there."""
    later = {"mode": "relay", "state": "dozing"}
    wake = KeptWake(uuid4(), "theobromine", "omen", None, None, None, None, NOON, None, 1)
    known = KeptMachine.of(MACHINE, State.ASLEEP, NOON, None)
    (tmp_path / "guards.json").write_bytes(
        msgspec.json.encode(Kept((msgspec.structs.replace(known, **later), known), (), (wake,)))
    )
    file = GuardFile(tmp_path / "guards.json")
    kept = file.read()
    assert file.lost is None
    assert kept.machines[0].machine() == dataclasses.replace(MACHINE, mode=Mode.SNIFF)
    assert (kept.machines[1].machine(), kept.wakes) == (MACHINE, (wake,))
    assert _told(wake, Context()).cause is Cause.UNKNOWN


def test_one_machine_that_cannot_be_read_takes_nothing_else_with_it(tmp_path: Path) -> None:
    """The others are guarded, and there is a copy of the file as it was."""
    path = tmp_path / "guards.json"
    known = msgspec.json.encode(KeptMachine.of(MACHINE, State.ASLEEP, NOON, None))
    path.write_bytes(b'{"machines": [{"name": "odd"}, ' + known + b"]}")
    file = GuardFile(path)
    assert [each.name for each in file.read().machines] == ["theobromine"]
    assert file.lost == f"Object missing required field `mac`; it is kept as {tmp_path / 'guards.damaged'}"
    assert (tmp_path / "guards.damaged").read_bytes() == path.read_bytes()


def test_a_file_that_may_not_be_read_is_said_to_be(tmp_path: Path) -> None:
    """The watcher starts all the same."""
    (tmp_path / "guards.json").mkdir()
    file = GuardFile(tmp_path / "guards.json")
    assert file.read() == Kept()
    assert "Is a directory" in str(file.lost)


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    """The watcher starts all the same, and says where the file is now and what is wrong with it."""
    (tmp_path / "guards.json").write_text('{"machines": [{"name"')
    file = GuardFile(tmp_path / "guards.json")
    assert file.read() == Kept()
    assert file.lost is not None
    assert file.lost.endswith(f"it is kept as {tmp_path / 'guards.damaged'}")
    assert (tmp_path / "guards.damaged").exists()
