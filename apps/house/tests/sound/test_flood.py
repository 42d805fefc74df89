"""An agent notices packets that nobody on its host has asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from house.sound import flood as floods
from house.sound.flood import Flood

NAMES = (
    "Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers "
    "OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates"
)


def counters(file: Path, received: int, delivered: int, pieces: int = 0, whole: int = 0) -> None:
    """As /proc/net/snmp has them."""
    values = f"1 64 {received} 1 2 3 4 5 {delivered} 9 9 9 9 {pieces} {whole} 9 9 9 9"
    file.write_text(f"Ip: {NAMES}\nIp: {values}\nIcmp: InMsgs\nIcmp: 0\n")


def test_a_flood_is_told_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a hundred packets a second on that came and were delivered to nobody; pieces of one that was delivered are
    none of these, and nothing is said of less than four seconds."""
    now, file = 1000.0, tmp_path / "snmp"
    monkeypatch.setattr(floods, "time", SimpleNamespace(monotonic=lambda: now))
    flood = Flood("kitchen", file)
    told, worst = list[str](), ""
    for seconds, (received, delivered, pieces, whole) in [
        (5, (1000, 900, 0, 0)), (5, (2600, 1900, 0, 0)), (5, (3600, 1900, 0, 0)), (1, (9000, 1900, 0, 0)),
        (4, (9100, 7200, 0, 0)), (5, (19_100, 7300, 9999, 99)),
    ]:  # fmt: skip
        now += seconds
        counters(file, received, delivered, pieces, whole)
        flood.look()
        told.append(flood.trouble)
        worst = worst or flood.trouble
    assert [words.partition(" packets")[0] for words in told] == ["", "120", "200", "200", "", ""]
    assert "reach kitchen that nobody there has asked for" in worst
    assert "or kitchen's own firewall drops them" in worst


@pytest.mark.parametrize("text", [None, "", "Ip: InReceives\nIp: x\n", "Ip: InReceives\nIp: 1\n"])
def test_a_kernel_that_does_not_count(tmp_path: Path, text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said, and nothing breaks, also where it has counted before; once it counts, a flood is told."""
    now, file = 1000.0, tmp_path / "snmp"
    monkeypatch.setattr(floods, "time", SimpleNamespace(monotonic=lambda: now))
    flood = Flood("kitchen", file)
    told = list[str]()
    for written in (text, text, "counts", text, "counts"):
        now += 5
        file.unlink(missing_ok=True)
        if written == "counts":
            counters(file, received=int(now * 1000), delivered=0)
        elif written is not None:
            file.write_text(written)
        flood.look()
        told.append(flood.trouble)
    assert [words.partition(" packets")[0] for words in told] == ["", "", "", "", "1000"]
