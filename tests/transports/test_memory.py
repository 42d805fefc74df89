from __future__ import annotations

import pytest

from midflight.transports.base import Address
from midflight.transports.memory import MemoryBus, MemoryTransport
from tests.transports.recorder import MEMBER, Recorder, eventually

HOST1 = Address("compute", "host1")


async def test_message_ids_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that was seen longer ago than the window is new again, as it is to a broker."""
    member, agent = await MemoryTransport(MemoryBus(), identity=MEMBER).open(), Recorder()
    await agent.listen(member, "compute", "host1")
    for _ in range(2):
        await member.cast(HOST1, b"within", "cast-1")
    monkeypatch.setattr("midflight.transports.memory.DUPLICATE_SECONDS", -1)
    for _ in range(2):
        await member.cast(HOST1, b"beyond", "cast-1")
    await eventually(lambda: len(agent.casts) == 3)
    assert agent.bodies == [b"within", b"beyond", b"beyond"]


async def test_bodies_go_through_bytes() -> None:
    """What is no buffer cannot be sent, although in one process it could be handed over."""
    member, agent = await MemoryTransport(MemoryBus(), identity=MEMBER).open(), Recorder()
    await agent.listen(member, "compute", "host1")
    with pytest.raises(TypeError, match="bytes-like object is required"):
        await member.cast(HOST1, ["an object"], "cast-1")  # type: ignore[arg-type]  # what if somebody tries
    assert agent.casts == []
