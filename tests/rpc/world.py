"""A small fleet in one process: members of juno and kilo that meet on one bus."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Self

from midflight import telemetry
from midflight.context import Caller, Context
from midflight.objects.wire import clone
from midflight.rpc.client import Messenger
from midflight.rpc.dispatch import Dispatcher
from midflight.rpc.manifests import ManifestStore
from midflight.rpc.server import Server
from midflight.transports import connect
from midflight.transports.base import Address, Identity, Transport
from midflight.versions import Manifest
from tests.rpc import juno, kilo

RELEASES = {juno: "juno", kilo: "kilo"}


class Floors:
    """Pins by hand: by topic and host, by topic, else our own manifest."""

    def __init__(self, own: Manifest) -> None:
        self.own, self.epoch = own, 7
        self.pins: dict[Any, Manifest] = {}
        self.listening: list[Manifest] = []

    def manifest_for(self, topic: str, host: str | None) -> Manifest:
        return self.pins.get((topic, host)) or self.pins.get(topic) or self.own

    def manifests_of(self, topic: str) -> Sequence[Manifest]:
        return list(dict.fromkeys(map(self._lower, self.listening))) or [self.manifest_for(topic, None)]

    def audience(self, topic: str, manifest: Manifest) -> Collection[str]:
        return {member.digest for member in self.listening if self._lower(member) == manifest}

    def _lower(self, peer: Manifest) -> Manifest:
        return Manifest.lowest([self.own, peer])


class Watched:
    """A transport that counts, and that can be told to fail."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.calls: list[bytes] = []
        self.told: list[bytes] = []
        self.failing: list[Exception] = []
        self.max_body, self.max_whole = transport.max_body, transport.max_whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        self.calls.append(body)
        if self.failing:
            raise self.failing.pop(0)
        return await self._transport.call(address, body, timeout)

    async def cast(self, address: Address, body: bytes, message_id: str) -> None:
        self.told.append(body)
        if self.failing:
            raise self.failing.pop(0)
        await self._transport.cast(address, body, message_id)

    async def park(self, message: Any) -> None:
        if self.failing:
            raise self.failing.pop(0)
        await self._transport.park(message)


@dataclass
class Member:
    """One process of the fleet. ``done`` is what its service was asked to do."""

    release: ModuleType
    host: str
    transport: Watched
    floors: Floors
    messenger: Messenger
    dispatcher: Dispatcher
    server: Server
    identity: Caller
    done: list[Any] = field(default_factory=list)
    told: list[tuple[dict[str, str], str]] = field(default_factory=list)
    seen: list[Context] = field(default_factory=list)

    @property
    def context(self) -> Context:
        return Context(values={"user": "ada"}, request_id="req-1", messenger=self.messenger)

    async def serve(self, implementation: object, topic: str = "compute", **options: Any) -> Self:
        self.dispatcher.add(implementation)
        await self.server.serve(Address(topic, self.host), **options)
        return self


class Fleet:
    """Makes members that meet on one bus, and drains them at the end."""

    def __init__(self, url: str, project: str = "cloud") -> None:
        self._url, self._project = url, project
        self.members: list[Member] = []

    async def member(self, release: Any, host: str, service: str = "api", **options: Any) -> Member:
        broker = connect(
            self._url, name=host, project=self._project, identity=Identity(service, host.partition(" ")[0])
        )
        transport: Any = Watched(await broker.open())
        identity = Caller(service, host, RELEASES.get(release) or release.name, f"{service}-{host}", 0)
        floors = Floors(release.contract.manifest)
        messenger = Messenger(release.contract, transport, identity, floors, errors=release.errors, call_seconds=5)
        member: Member

        def make_context(values: Mapping[str, str], request_id: str, caller: Caller, deadline: float | None) -> Context:
            return Context(values, request_id, caller, messenger=messenger, deadline=deadline)

        async def on_rejected(facts: dict[str, str], who: str) -> None:
            member.told.append((facts, who))

        dispatcher = Dispatcher(
            release.contract, identity, transport, make_context, errors=release.errors,
            manifests=ManifestStore(release.contract.manifest), on_rejected=on_rejected, **options,
        )  # fmt: skip
        server = Server(transport, dispatcher)
        member = Member(release, host, transport, floors, messenger, dispatcher, server, identity)
        self.members.append(member)
        return member

    async def juno(self, host: str) -> Member:
        """An agent of juno."""
        member = await self.member(juno, host, "compute")
        return await member.serve(JunoCompute(member.done, member.seen))

    async def kilo(self, host: str) -> Member:
        """An agent of kilo."""
        member = await self.member(kilo, host, "compute")
        return await member.serve(KiloCompute(member.done, member.seen))

    async def stop(self) -> None:
        """Drain and close everyone."""
        for member in self.members:
            await member.server.drain(1)
            await member.transport.close()


class _Common:
    def __init__(self, done: list[Any], seen: list[Context]) -> None:
        self.done, self.seen = done, seen

    async def evacuate(self, context: Context, host: str | None = None) -> list[str]:
        self.done.append(("evacuate", host))
        self.seen.append(context)
        return [host or "anywhere"]

    async def echo(self, context: Context, text: str) -> str:
        self.done.append(text)
        self.seen.append(context)
        return text * 20_000 if text == "a lot" * 20 else text

    async def work(self, context: Context, what: str, seconds: float = 0) -> str:
        self.done.append(what)
        self.seen.append(context)
        await asyncio.sleep(seconds)
        if what in FAILURES:
            raise FAILURES[what]
        return what

    async def use(self, context: Context, image: Any) -> str:
        self.done.append(image)
        return str(image.name)


FAILURES: dict[str, BaseException] = {}
"""What ``work`` raises, by what it is asked to do."""


class JunoCompute(_Common, juno.ComputeAPI):
    async def build_instance(self, context: Context, instance: juno.Instance, image_id: int) -> int:
        self.done.append((instance, image_id))
        return 35

    async def reboot(
        self, context: Context, instance: juno.Instance, note: str = "", *, twice: bool = False
    ) -> juno.Instance:
        self.done.append((clone(instance), note, twice))
        instance.power = "on"
        return instance


class KiloCompute(_Common, kilo.ComputeAPI):
    async def build_and_run(self, context: Context, instance: kilo.Instance, image: str, quiet: bool = False) -> str:
        self.done.append((instance, image, quiet))
        return "built it"

    async def reboot(
        self, context: Context, instance: kilo.Instance, note: str = "", hard: bool = False, *, twice: bool = False
    ) -> kilo.Instance:
        self.done.append((clone(instance), note, hard, twice))
        instance.power = "paused"
        instance.tags.append("rebooted")
        instance.reset_changes()  # as a save does
        return instance

    async def attach(self, context: Context, volume: kilo.Volume) -> str:
        self.done.append(volume)
        return "attached"

    async def resize(self, context: Context, instance: kilo.Instance, memory_mb: int) -> str:
        self.done.append((instance, memory_mb))
        return "resized"


async def settled() -> None:
    """Return when all that is on its way in memory has arrived: after turns of the loop, of which a machine that has
    much else to do takes as many as an idle one."""
    for _ in range(1_000):
        await asyncio.sleep(0)


def counted(name: str, **labels: str) -> int:
    """The sum of a counter over everything with these labels."""
    found = [entry for entry in telemetry.counted() if entry["name"] == name]
    return sum(entry["value"] for entry in found if labels.items() <= entry.items())
