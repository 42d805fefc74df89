"""Many members on one connection to the broker: they say hello, beat, and acknowledge pins, and do nothing else.

What they say and hear are real messages of midflight's, each under the identity of its member.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import lru_cache
from typing import Any

import nats
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg

from midflight import Client, Context, Project
from midflight.conductor.contract import FRAMEWORK, contract_of
from midflight.conductor.floors import FirstWords
from midflight.conductor.interface import ConductorAPI, FleetView, Member, MemberAPI
from midflight.context import Caller
from midflight.errors import DatabaseContended
from midflight.objects import wire
from midflight.objects.kinds import kind_of
from midflight.objects.nested import object_kind
from midflight.rpc import messages
from midflight.rpc.client import Messenger, Unpinned
from midflight.transports.base import Address, Identity
from midflight.transports.nats_subjects import Subjects
from midflight.versions import Manifest

AT_ONCE = 8
PATIENCE = 120.0

_VIEW = {"view": kind_of(FleetView, object_kind, "FleetView")}
_CONDUCTOR = Client(ConductorAPI)


class Line:
    """The one connection."""

    def __init__(self, connection: Nats, project: Project) -> None:
        self.connection, self.project, self.contract = connection, project, contract_of(project)
        self.subjects = Subjects(project.name)
        self._awaited: dict[str, asyncio.Future[bytes]] = {}
        self._names = itertools.count()

    @classmethod
    async def open(cls, broker: str, project: Project) -> Line:
        """Connect, and listen for all answers."""
        line = cls(await nats.connect(broker), project)
        await line.connection.subscribe(f"_INBOX.{project.name}.>", cb=line._heard)
        return line

    async def _heard(self, message: Msg) -> None:
        if not message.headers and (waiting := self._awaited.pop(message.subject, None)) is not None:
            waiting.set_result(message.data)

    async def call(self, identity: Identity, address: Address, body: bytes, timeout: float) -> bytes:
        """Ask as one of the members."""
        reply = f"{self.subjects.inbox(identity)}.{next(self._names)}"
        answer = self._awaited[reply] = asyncio.get_running_loop().create_future()
        await self.connection.publish(self.subjects.call(address, identity), body, reply=reply)
        async with asyncio.timeout(timeout):
            return await answer


class Simulated:
    """One member: an agent of one release."""

    max_body = max_whole = 2**20

    def __init__(self, line: Line, number: int, release: str, manifest: Manifest) -> None:
        self._line, self._identity = line, Identity("compute", f"h{number}")
        self.member = Member(
            id=f"compute.h{number}.0", service="compute", host=f"h{number}", release=release,
            manifest=manifest.digest, topics=["compute"],
        )  # fmt: skip
        self._manifest, self._view = manifest, ""
        caller = Caller("compute", f"h{number}", release, self.member.id, 0, line.contract.manifest)
        floors = FirstWords(Unpinned(line.contract.manifest))
        transport: Any = self
        messenger = Messenger(line.contract, transport, caller, floors, call_seconds=PATIENCE)
        self._context = Context(service="compute", messenger=messenger)
        self.acknowledged = 0

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        """As a transport."""
        return await self._line.call(self._identity, address, body, timeout)

    async def hello(self) -> None:
        """Join."""
        said, view = self._manifest.to_wire(), None
        while view is None:
            with suppress(DatabaseContended):  # a member tries again
                view = await _CONDUCTOR.call(ConductorAPI.hello, self._context, self.member, said)
        self.member.epoch, self._view = view.epoch, view.id

    async def listen(self, heard: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Obey each view that is sent to all, and acknowledge it by a beat."""

        async def on_fanout(message: Msg) -> None:
            heard(self._obey(*_view_in(message.data)))

        await self._line.connection.subscribe(self._line.subjects.fanout(MemberAPI.topic, None), cb=on_fanout)

    async def _obey(self, epoch: int, view: str) -> None:
        self.member.epoch, self._view = epoch, view
        await self.beat()
        self.acknowledged = epoch

    async def beat(self) -> None:
        """Once."""
        said = self.member.id, self.member.state, self.member.epoch, self._view, list[dict[str, str]]()
        view = await _CONDUCTOR.call(ConductorAPI.beat, self._context, *said)
        if view is not None:
            self.member.epoch, self._view = view.epoch, view.id


@lru_cache(maxsize=8)
def _view_in(body: bytes) -> tuple[int, str]:
    """Each member of a fleet reads this on a processor of its own; here it is read once."""
    view: FleetView = wire.decode_fields(messages.decode_request(body).arguments, _VIEW)["view"]
    return view.epoch, view.id


class Crowd:
    """All of them, half of either release."""

    def __init__(self, line: Line, number: int) -> None:
        kinds = [(each.name, Manifest({**each.manifest, **FRAMEWORK})) for each in line.project.releases[-2:]]
        self.members = [Simulated(line, n, *kinds[n % len(kinds)]) for n in range(number)]
        self._beating: set[asyncio.Task[None]] = set()

    async def join(self) -> None:
        """Some at once."""
        waiting = iter(self.members)

        async def one_by_one() -> None:
            for member in waiting:
                await member.hello()
                await member.listen(self._take)

        await asyncio.gather(*(one_by_one() for _ in range(AT_ONCE)))

    async def beat(self, seconds: float, beat_seconds: float) -> int:
        """Evenly, each every ``beat_seconds``; how many beats that were."""
        began, beats, turns = time.monotonic(), 0, itertools.cycle(self.members)
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * len(self.members) / beat_seconds)
            for member in itertools.islice(turns, due - beats):
                self._take(member.beat())
            beats = due
            await asyncio.sleep(0.01)
        await self.settled(lambda: not self._beating)
        return beats

    def _take(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._beating.add(task)
        task.add_done_callback(self._beating.discard)

    async def pinned(self, pin: Awaitable[int]) -> float:
        """The seconds from the beginning of this act until every member has acknowledged its epoch."""
        began = time.monotonic()
        epoch = await pin
        await self.settled(lambda: all(member.acknowledged >= epoch for member in self.members))
        return time.monotonic() - began

    async def settled(self, done: Callable[[], bool]) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(PATIENCE):
            while not done():  # noqa: ASYNC110  # an event for each would be measured too
                await asyncio.sleep(0.005)
