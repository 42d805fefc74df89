"""A visit: a process that is in the fleet without being a member. It is not counted, and holds no floor down.

It is sent no view, so it makes one from the facts that any conductor tells, and looks again when that is old.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

from midflight import telemetry
from midflight.conductor.client import RemoteConductor
from midflight.conductor.contract import contract_of, release_of
from midflight.conductor.floors import FirstWords, PinFloors
from midflight.conductor.interface import ConductorAPI, Member
from midflight.conductor.peers import ASIDE
from midflight.conductor.pins import Pin, pinned_manifest
from midflight.conductor.views import view_of
from midflight.config import Config, public_url
from midflight.context import Caller, Context
from midflight.errors import NoConductor, NotDelivered, Unknown, UsageError
from midflight.project import Project
from midflight.rpc.client import Client, Messenger
from midflight.rpc.floors import Floors
from midflight.rpc.rights import GUEST
from midflight.transports import connect
from midflight.transports.base import Identity
from midflight.versions import Manifest

LOOK_SECONDS = 2.0
"""So long a look again may hold up the work that it comes before: what was seen last holds where nobody answers."""
_ODD = re.compile(r"[^A-Za-z0-9_-]")


def identity_here(service: str) -> Identity:
    """Who a process is that was given no host of its own: on the host by whose name this machine goes."""
    return Identity(service, _ODD.sub("_", socket.gethostname().partition(".")[0])[:63])


class Visit:
    """Sends under the same floors as a member. ``open`` comes first, and ``look`` before each piece of work."""

    def __init__(self, project: Project, config: Config) -> None:
        self._project, self._config, self._contract = project, config, contract_of(project)
        here = identity_here(GUEST)
        self._identity = Caller(GUEST, here.host, release_of(project), "", 0, self._contract.manifest)
        self._transport = connect(
            config.broker, name=f"{GUEST}-{here.host}-{os.getpid()}", project=project.name, identity=here,
            credentials=config.credentials, path=config.path,
        )  # fmt: skip
        self.floors = PinFloors(self._contract.manifest)
        self._conductor, self._messenger = RemoteConductor(self.floors), self._messenger_under(self.floors)
        self._asking = Context(service=GUEST, messenger=self._messenger_under(FirstWords(self.floors)))
        self._known: dict[str, Manifest] = {}
        self._looked = float("-inf")

    async def open(self) -> Self:
        """Raises BrokerUnreachable, NoConductor, and UsageError for a pin that is not known here."""
        await self._transport.open()
        try:
            await self._look()
        except NotDelivered as wrong:
            await self.close()
            broker = public_url(self._config.broker)
            raise NoConductor(project=self._project.name, broker=broker, reason=wrong.reason) from None
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Leave."""
        await self._transport.close()

    def context(self, values: Mapping[str, str]) -> Context:
        """A context for work that starts here. Remotables run on a conductor."""
        ports: dict[str, Any] = {"conductor": self._conductor, "messenger": self._messenger}
        return Context(values=dict(values), service=GUEST, **ports)

    async def look(self) -> None:
        """Look at the fleet again, if that is due. Where no conductor answers, what was seen last holds."""
        if time.monotonic() - self._looked < self._config.beat_seconds:
            return
        try:
            await self._look(LOOK_SECONDS)
        except (NotDelivered, Unknown) as wrong:
            telemetry.log.warning("guest.not_told", reason=str(wrong), holds="what was seen last")
            self._looked = time.monotonic()

    async def _look(self, seconds: float | None = None) -> None:
        conductors = Client(ConductorAPI, seconds=seconds)
        fleet = await conductors.call(ConductorAPI.fleet, self._asking)
        await self._learn(conductors, fleet.members)
        awake = [member for member in fleet.members if member.state not in ASIDE]
        present = [member for member in awake if member.manifest in self._known]
        pinned = [self._pin(topic, release, present) for topic, release in sorted(fleet.pins.items())]
        self.floors.take(view_of(present, self._known, pinned, fleet.forms, fleet.epoch, fleet.taken_at))
        self._looked = time.monotonic()

    async def _learn(self, conductors: Client[ConductorAPI], members: Iterable[Member]) -> None:
        for digest in sorted({member.manifest for member in members} - self._known.keys()):
            if found := await conductors.call(ConductorAPI.manifest, self._asking, digest):
                self._known[digest] = Manifest.from_wire(found)

    def _pin(self, topic: str, release: str, present: Iterable[Member]) -> Pin:
        """By our own frozen releases; where they lack it, as a member understands that is of this release."""
        try:
            manifest = pinned_manifest(topic, release, self._project.releases)
        except UsageError:
            digests = [member.manifest for member in present if member.release == release]
            if not digests:
                raise
            manifest = self._known[digests[0]]
        self._known[manifest.digest] = manifest
        return Pin(topic, release, manifest.digest)

    def _messenger_under(self, floors: Floors) -> Messenger:
        options: dict[str, Any] = {"errors": self._project.errors, "call_seconds": self._config.call_seconds}
        return Messenger(self._contract, self._transport, self._identity, floors, **options)
