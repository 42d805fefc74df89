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


async def run(where: Places, address: Address, done: list[int], number: int) -> None:
    async with where.one(address):
        done.append(number)


async def test_who_comes_back_goes_first() -> None:
    """Who comes back from aside goes before all who come first, since others may wait for its endpoint or its key; of
    these, those of the topic and of the host take turns, each in the order in which they came."""
    where, gate, done = Places(1), asyncio.Event(), list[int]()
    back = asyncio.create_task(stand(where, HERE, gate, done, 0))
    await asyncio.sleep(0)
    async with where.one(HERE):
        addresses = [HERE, HERE, HERE, TOPIC, TOPIC]
        new = [asyncio.create_task(run(where, address, done, number)) for number, address in enumerate(addresses, 1)]
        await asyncio.sleep(0)
        gate.set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert done == []
    await asyncio.gather(back, *new)
    assert done == [0, 4, 1, 5, 2, 3]


async def test_nobody_begins_who_has_no_place_when_it_is_stopped() -> None:
    """Who holds a place goes on, and lets no other begin; who waits for one, stands aside, or wants to do so later is
    cancelled."""
    where, gate, done = Places(1), asyncio.Event(), list[int]()
    aside = asyncio.create_task(stand(where, HERE, gate, done, 1))
    await asyncio.sleep(0)
    async with where.one(HERE):
        waits = asyncio.create_task(run(where, TOPIC, done, 2))
        await asyncio.sleep(0)
        where.stop()
        gate.set()
        comes = asyncio.create_task(run(where, HERE, done, 3))
        await asyncio.wait([aside, waits, comes])
    comes_last = asyncio.create_task(stand(where, HERE, gate, done, 4))
    await asyncio.wait([comes_last])
    assert [task.cancelled() for task in (aside, waits, comes, comes_last)] == [True] * 4
    assert (done, where.room) == ([], 1)


async def test_who_steps_aside_when_it_is_stopped_is_cancelled() -> None:
    """What has a place, and would have to wait for its turn, has not begun either."""
    where, gate, done = Places(1), asyncio.Event(), list[int]()

    async def step() -> None:
        async with where.one(HERE) as place:
            await gate.wait()
            async with place.aside():
                done.append(1)

    steps = asyncio.create_task(step())
    await asyncio.sleep(0)
    where.stop()
    gate.set()
    await asyncio.wait([steps])
    assert (steps.cancelled(), done, where.room) == (True, [], 1)
