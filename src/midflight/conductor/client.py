"""The way to a conductor from a service without a database."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec

from midflight.conductor.interface import NOTHING, ConductorAPI, FleetView, Member
from midflight.context import Context
from midflight.objects import wire
from midflight.objects.kinds import kind_of
from midflight.objects.nested import object_kind
from midflight.objects.remote import remotable_of
from midflight.rpc.client import Client, Floors
from midflight.versions import Manifest

_remotable = functools.cache(remotable_of)
"""A class is looked through once, not at each call."""


class RemoteConductor:
    """Implements context.Conductor: remotables run on a conductor, and come back in our own versions."""

    def __init__(self, floors: Floors) -> None:
        self._floors, self._conductor = floors, Client(ConductorAPI)

    async def run(self, target: Any, method: str, context: Context, arguments: Mapping[str, Any]) -> Any:
        """Run ``target.method`` on a conductor. The target has the state then that it was left in there.

        Raises what the method raised, and what a call raises; NotDelivered is safe to repeat, Unknown is not.
        """
        shape = target.__shape__
        remotable = _remotable(shape.cls, method)
        floor = self._floors.manifest_for(ConductorAPI.topic, None)
        subject = NOTHING if remotable.is_class_method else _said(target, floor)
        answer = await self._conductor.call(
            ConductorAPI.run, context, shape.name, str(floor.get(shape.name, shape.version)), method, subject,
            _said(dict(arguments), floor),
        )  # fmt: skip
        if not remotable.is_class_method:
            kind = kind_of(shape.cls, object_kind, shape.name)
            wire.apply(target, wire.decode(answer.target, kind, context=context))
        return wire.decode(answer.result, remotable.result_kind(shape.cls), context=context)


def _said(value: Any, floor: Manifest) -> msgspec.Raw:
    return msgspec.Raw(wire.encode(value, floor, peer=ConductorAPI.topic))


class RemoteRegistrar:
    """Hello, beats and farewells over rpc, for a member without a database."""

    def __init__(self) -> None:
        self._conductor = Client(ConductorAPI)

    async def hello(self, context: Context, member: Member, manifest: dict[str, list[str]]) -> FleetView:
        return await self._conductor.call(ConductorAPI.hello, context, member, manifest)

    async def beat(
        self, context: Context, member: str, state: str, epoch: int, view: str, rejected: list[dict[str, str]]
    ) -> FleetView | None:
        return await self._conductor.call(ConductorAPI.beat, context, member, state, epoch, view, rejected)

    async def leave(self, context: Context, member: str) -> None:
        await self._conductor.call(ConductorAPI.leave, context, member)
