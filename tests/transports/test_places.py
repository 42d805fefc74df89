"""Claims about the places of casts that run at once."""

from __future__ import annotations

import asyncio

import pytest

from midflight.transports import places
from midflight.transports.base import Address
from midflight.transports.places import Places

HERE, TOPIC = Address("compute", "host1"), Address("compute")


async def stand(where: Places, address: Address, gate: asyncio.Event, done: list[int], number: int = 0) -> None:
    async with where.one(address) as place:
        async with place.aside():
            await gate.wait()
        done.append(number)


@pytest.mark.parametrize(("address", "room"), [(HERE, 1 + 3), (TOPIC, 1)], ids=["host", "topic"])
async def test_room_grows_for_those_of_the_host(address: Address, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cast to the host that stands aside makes room for one more, up to a bound, and is told; one to the topic
    makes none. Afterwards all is as before."""
    monkeypatch.setattr(places, "ASIDE", 3)
    grown = list[None]()
    where, gate, done = Places(1, lambda: grown.append(None)), asyncio.Event(), list[int]()
    standing = [asyncio.create_task(stand(where, address, gate, done, number)) for number in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert (where.room, len(grown)) == (room, 5 if address is HERE else 0)
    gate.set()
    await asyncio.gather(*standing)
    assert (where.room, sorted(done)) == (1, [0, 1, 2, 3, 4])


async def test_a_place_is_not_lost_nor_made_by_who_is_cancelled() -> None:
    """Whoever is cancelled while it stands aside, or waits for its place again, leaves as many places as there were."""
    where, gate, done = Places(1), asyncio.Event(), list[int]()
    aside = asyncio.create_task(stand(where, HERE, gate, done))
    await asyncio.sleep(0)
    async with where.one(TOPIC):
        gate.set()
        waits_again = asyncio.create_task(stand(where, HERE, gate, done))
        await asyncio.sleep(0)
        for task in (aside, waits_again):
            task.cancel()
        await asyncio.wait([aside, waits_again])
        late = asyncio.create_task(stand(where, HERE, gate, done, 1))
        await asyncio.sleep(0)
        assert done == []
    await late
    assert (done, where.room) == ([1], 1)
