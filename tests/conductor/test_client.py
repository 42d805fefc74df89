"""Remotables without a database, through the conductor."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from midflight import telemetry
from midflight.conductor.interface import NOTHING, ConductorAPI
from midflight.context import Context
from midflight.errors import NoDatabaseHere, NotAllowed, RemoteError, UnknownObject, UnknownRemotable
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.remote import remotable_of
from tests.conductor import kilo
from tests.conductor.juno import Machine, MachineList, OutOfOrder
from tests.conductor.world import CONDUCTOR, World, count_calls


async def story(context: Context, name: str) -> list[Any]:
    """What application code does; it does not know where the database is."""
    await Machine(context=context, name=name, host="h9").create()
    machine = await Machine.get(context, name)
    seen: list[Any] = [machine.boots, machine.changes(), machine.context is context]
    machine.host = "h8"
    seen += [machine.changes(), await machine.save(), machine.changes()]
    seen += [await machine.boot(times=2), machine.boots, machine.changes()]
    found = await MachineList.get_by_host(context, "h8")
    seen += [[(each.boots, each.changes()) for each in found if each.name == name]]
    machine.host = None
    with pytest.raises(OutOfOrder, match=name):
        await machine.boot()
    return [*seen, machine.changes()]


async def test_same_code_both_ways(world: World) -> None:
    """The same coroutine gives the same results in a service with a database and in one without."""
    async with world.running("conductor"), world.running("api") as api, world.running("agent") as agent:
        in_place, trips = await story(api.context(), "a"), count_calls(agent)
        remote = await story(agent.context(), "b")
        assert in_place == remote
        assert in_place[0] == 0
        assert in_place[3:6] == [{"host": "h8"}, ["host"], {}]
        assert trips.count("conductor.run") == 6
        assert agent.database is None
        with pytest.raises(NoDatabaseHere, match="agent"):
            _ = agent.context().db


async def test_one_call_in_place_is_no_trip(world: World) -> None:
    """A remotable of a service with a database sends nothing."""
    async with world.running("conductor"), world.running("api") as api:
        trips = count_calls(api)
        await story(api.context(), "a")
        assert trips == []


async def test_reply_under_the_callers_manifest(world: World) -> None:
    """A kilo conductor answers a juno agent in juno's versions, and each remotable takes one call."""
    world.add("a", "b")
    async with world.running("conductor", release=kilo), world.running("agent") as agent:
        before = _backports("reply")
        await Machine.get(agent.context(), "a")  # the conductor has learnt the caller's manifest
        trips = count_calls(agent)
        machine = await Machine.get(agent.context(), "a")
        await machine.save()
        machines = await MachineList.get_by_host(agent.context(), "h1")
        assert trips.count("conductor.run") == 3
        assert (type(machine), len(machines)) == (Machine, 2)
        assert _backports("reply") - before == 1 + 1 + 1 + 2


def _backports(where: str) -> int:
    counted = telemetry.counted()
    return sum(each["value"] for each in counted if each["name"] == "objects.backport" and each["where"] == where)


async def test_only_declared_remotables(world: World) -> None:
    """Neither an unknown object nor a method that is no remotable can be reached, and the refusal names the release."""
    async with world.running("conductor") as conductor, world.running("agent") as agent:
        nothing = msgspec.Raw(msgspec.msgpack.encode({}))
        undeclared = (
            "here_only",
            "changes",
            "context",
            "_context",
            "__init__",
            "__class__",
            "__shape__",
            "nonsense",
            "",
        )
        for method in (*undeclared, "get.__func__", "boot.__wrapped__"):
            with pytest.raises(UnknownRemotable, match=rf"Machine.{re.escape(method)} .* release juno"):
                await CONDUCTOR.call(ConductorAPI.run, agent.context(), "Machine", "1.0", method, NOTHING, nothing)
        for name in ("Nonsense", "Member"):
            with pytest.raises(UnknownObject, match=name):
                await CONDUCTOR.call(ConductorAPI.run, agent.context(), name, "1.0", "get", NOTHING, nothing)
        assert conductor.release == "juno"


async def test_a_remotable_for_some_is_refused_to_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the sender that the broker proves; where the database is, nobody is asked."""
    monkeypatch.setattr(remotable_of(Machine, "boot"), "allow", frozenset({"conductor"}))
    world.add("a")
    async with world.running("conductor"), world.running("api") as api, world.running("agent") as agent:
        expected = r"^Machine.boot was refused, .* agent@h1 may not ask for it, since that is for conductor alone\.$"
        machine = await Machine.get(agent.context(), "a")
        with pytest.raises(NotAllowed, match=expected):
            await machine.boot()
        assert await (await Machine.get(api.context(), "a")).boot() == 1


async def test_what_is_nobodys_business_does_not_cross(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an error of a remotable the caller learns its text; no traceback, no local value, and no sensitive field."""

    async def failing(self: Machine, times: int = 1) -> int:
        secret_of_the_conductor = "hunter2"
        account = Account(name="root", password=secret_of_the_conductor)
        raise RuntimeError(f"cannot open {account!r}")

    monkeypatch.setattr(remotable_of(Machine, "boot"), "function", failing)
    world.add("a")
    bodies: list[bytes] = []
    async with world.running("conductor"), world.running("agent") as agent:
        machine, call = await Machine.get(agent.context(), "a"), agent.transport.call

        async def overheard(*arguments: Any) -> bytes:
            bodies.append(await call(*arguments))
            return bodies[-1]

        agent.transport.call = overheard  # type: ignore[method-assign]
        with pytest.raises(RemoteError, match=r"RuntimeError.*cannot open Account\(name='root'") as caught:
            await machine.boot()
        with pytest.raises(RemoteError):
            await machine.boot()
    assert "hunter2" not in str(caught.value)
    answers = b"".join(bodies)
    assert [word for word in (b"hunter2", b"Traceback", b"secret_of", b".py") if word in answers] == []


class Account(VersionedObject, version="1.0"):
    """What a conductor must keep to itself."""

    name: str
    password: str = field(sensitive=True)
