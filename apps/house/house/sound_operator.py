"""What somebody asks and does about sound, on the command line and in a browser alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from ipaddress import IPv4Address
from typing import Any

from house.errors import HouseError, NotNow
from house.interfaces import SoundAPI
from house.objects.group import Group
from house.objects.hearing import Hearing, Sending
from house.objects.machine import Machine
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.scene import Scene, Setting
from house.objects.stream import Stream
from house.objects.trial import Trial
from house.objects.wake import Wake
from house.playing import Engine, Kind
from house.standing import FRESH
from house.states import State
from house.trying import Try, targets
from midflight import Client, Context, InvalidValue, MidflightError

LIVE_SECONDS = 1.5
"""An agent that takes longer has nothing to say that is of this moment."""
TEST_SECONDS = 30.0
"""How much longer a test may take than the signal is listened to: until it is heard, and until that is told."""
LATEST_SECONDS = 5.0
"""The sender's answer would come so much later than any other: it is only waited for where it is an error."""
ENDING_SECONDS = 1.0
"""A sender that refuses is asked once more after so long: it may hear only now that the test before, which all rooms
have refused at once, is over."""
_SLEEPS = State.FALLING, State.ASLEEP
"""A machine that falls has asked already whether it is needed."""


@dataclass(frozen=True)
class Live:
    """What agents say at this moment."""

    hearings: Sequence[Hearing] = ()
    sendings: Sequence[Sending] = ()


@dataclass(frozen=True)
class Patched:
    """Which rooms hear something else now; ``woken`` are the machines that were woken for that, and ``troubles`` say in
    words which of them were not."""

    rooms: Sequence[str]
    woken: Sequence[Wake] = ()
    troubles: Sequence[str] = ()


class SoundOperator:
    """Asks conductors and agents. Raises the house's errors, NotDelivered and Unknown. A *target* is the name of a room
    or of a group, or ``names.ALL``. ``wake`` wakes a machine, ``machines`` tells which there are."""

    def __init__(
        self,
        context: Context,
        wake: Callable[[str], Awaitable[Wake]],
        machines: Callable[[], Awaitable[Iterable[Machine]]],
    ) -> None:
        self._context, self._wake, self._machines = context, wake, machines
        self._agents = Client(SoundAPI)

    # How it stands.

    async def bay(self) -> PatchBay:
        """All of it, as agents have reported it."""
        return await PatchBay.get(self._context)

    async def live(self, bay: PatchBay) -> Live:
        """What the agents that have spoken lately say at this moment; who does not answer is left out."""
        hosts = [each.name for each in bay.hosts if each.seen_at is not None and bay.at - each.seen_at <= FRESH]
        found = await asyncio.gather(*map(self._live, hosts))
        return Live(
            [hearing for each in found for hearing in each.hearings],
            [sending for each in found for sending in each.sendings],
        )

    async def _live(self, host: str) -> Live:
        agent = self._agents.on(host).within(LIVE_SECONDS)
        try:
            heard, sent = await asyncio.gather(
                agent.call(SoundAPI.hearings, self._context), agent.call(SoundAPI.sendings, self._context)
            )
        except MidflightError:
            return Live()  # its last report says how old it is
        return Live(heard, sent)

    # What is heard where.

    async def patch(self, target: str, stream: str | None) -> Patched:
        """Have rooms hear a stream; silence, where it is None. Machines that sleep are woken for that. Raises NotFound,
        and NotNow for a stream that is disabled."""
        return await self._patched(await PatchBay.patch(self._context, target, stream))

    async def play(self, scene: str) -> Patched:
        """Set rooms as a scene says. Raises NotFound and NotNow."""
        return await self._patched(await Scene.play(self._context, scene))

    async def _patched(self, rooms: Sequence[str]) -> Patched:
        await self._tell_agents()
        asleep = {each.name for each in await self._machines() if each.state in _SLEEPS}
        needed = _hosts_of(await self.bay(), rooms) & asleep if asleep else set()
        woken = await asyncio.gather(*map(self._woken, sorted(needed)))
        return Patched(
            rooms, [each for each in woken if isinstance(each, Wake)], [each for each in woken if isinstance(each, str)]
        )

    async def _woken(self, host: str) -> Wake | str:
        """Its wake, or why there is none."""
        try:
            return await self._wake(host)
        except (HouseError, MidflightError) as wrong:
            return f"{host} sleeps, and was not woken: {wrong}"

    async def set_volume(self, target: str, volume: int) -> Sequence[str]:
        """How loud rooms are, in percent; answers which these are. Raises NotFound, InvalidValue."""
        if not 0 <= volume <= 100:
            raise InvalidValue(path="volume", received=str(volume), expected="percent, from 0 to 100")
        return await self._told(await PatchBay.set_volume(self._context, target, volume))

    async def mute(self, target: str, muted: bool = True) -> Sequence[str]:
        """Mute rooms, or let them be heard again. Raises NotFound."""
        return await self._told(await PatchBay.mute(self._context, target, muted))

    async def turn_off_at(self, target: str, at: datetime | None) -> Sequence[str]:
        """Let rooms fall silent then, or not any more. Raises NotFound, InvalidValue."""
        return await self._told(await PatchBay.turn_off_at(self._context, target, at))

    async def _told(self, rooms: Sequence[str]) -> Sequence[str]:
        await self._tell_agents()
        return rooms

    async def test(self, tried: Try, sender: str, seconds: float) -> list[Trial]:
        """What rooms hear of a test signal from that host, for so long, by one engine. What they heard before they hear
        again afterwards. Of a host that does not answer, its rooms' trials say why. Raises what the sender's agent
        does, see ``SoundAPI.test``."""
        longest = seconds + TEST_SECONDS
        sender_agent, agents = self._agents.on(sender).within(longest + LATEST_SECONDS), self._agents.within(longest)

        async def send() -> None:
            await sender_agent.call(SoundAPI.test, self._context, tried.engine, sender, [], longest)

        async def sent() -> None:
            try:
                await send()
            except NotNow:
                await asyncio.sleep(ENDING_SECONDS)
                await send()

        async def heard(host: str, rooms: Sequence[str]) -> list[Trial]:
            try:
                return await agents.on(host).call(SoundAPI.test, self._context, tried.engine, sender, [*rooms], seconds)
            except (HouseError, MidflightError) as wrong:
                return [Trial(player=room, engine=tried.engine, why=str(wrong)) for room in rooms]

        sending = asyncio.create_task(sent())
        hearing = asyncio.gather(*(heard(host, rooms) for host, rooms in tried.rooms.items()))
        try:
            await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                await sending  # it sends for longer: so it could not
            return [trial for each in await hearing for trial in each]
        finally:
            sending.cancel()  # the agent ends it then
            hearing.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)

    # What there is.

    async def change_room(self, room: str, values: Mapping[str, Any]) -> Player:
        """Give fields of a room these values: ``host``, ``sink``, ``engine``, ``offset_ms``. Raises NotFound, also for
        a host without sound, and InvalidValue."""
        offset = values.get("offset_ms", 0.0)
        if not -1000 <= offset <= 1000:
            raise InvalidValue(path="offset", received=f"{offset:g}", expected="milliseconds, from -1000 to 1000")
        found = await Player.get(self._context, room)
        for name, value in values.items():
            setattr(found, name, value)
        await found.save()
        await self._tell_agents()
        return found

    async def forget_room(self, room: str) -> None:
        """It is gone. Raises NotFound."""
        await (await Player.get(self._context, room)).destroy()
        await self._tell_agents()

    async def add_stream(
        self, name: str, kind: Kind, source: str, host: str, address: IPv4Address | None = None
    ) -> Stream:
        """Have something sent from a host; see ``Stream``. Raises what ``Stream.create`` does."""
        stream = Stream(context=self._context, name=name, kind=kind, source=source, host=host, address=address)
        await stream.create()
        await self._tell_agents()
        return stream

    async def enable(self, stream: str, enabled: bool = True) -> Patched:
        """Have a stream sent, or not, and the rooms that are patched to it play it. Machines that sleep are woken for
        that. Raises NotFound."""
        found = await Stream.get(self._context, stream)
        found.enabled = enabled
        await found.save()
        return await self._patched([room.name for room in (await self.bay()).players if room.stream == stream])

    async def remove_stream(self, stream: str) -> None:
        """It is gone, and rooms that heard it are silent. Raises NotFound."""
        await (await Stream.get(self._context, stream)).destroy()
        await self._tell_agents()

    async def set_group(self, name: str, rooms: Sequence[str]) -> Group:
        """Let a group have these rooms; it is made where there is none of this name. Raises NotFound, AlreadyExists
        and InvalidValue."""
        if any(each.name == name for each in (await self.bay()).groups):
            group = await Group.get(self._context, name)
            group.players = [*rooms]
            await group.save()
        else:
            group = Group(context=self._context, name=name, players=[*rooms])
            await group.create()
        return group

    async def remove_group(self, name: str) -> None:
        """Its rooms are no group any more. Raises NotFound."""
        await (await Group.get(self._context, name)).destroy()

    async def save_scene(
        self, name: str, rooms: Collection[str], days: Sequence[int] = (), at: time | None = None, zone: str = "UTC"
    ) -> tuple[Scene, Patched]:
        """Keep how rooms are now by this name, all of them where no room or group is named; with days and a time, they
        are set so then. A scene of this name is replaced. A machine plans for a scene when it falls asleep: one that
        sleeps already is woken once, for a scene with a time. Raises NotFound, InvalidValue."""
        bay = await self.bay()
        chosen = targets(bay, rooms)
        settings = [
            Setting(player=room.name, stream=room.stream, volume=room.volume, muted=room.muted) for room in chosen
        ]
        values: dict[str, Any] = {"settings": settings, "days": [*days], "at": at, "zone": zone}
        if any(scene.name == name for scene in bay.scenes):
            scene = await Scene.get(self._context, name)
            for field, value in values.items():
                setattr(scene, field, value)
            await scene.save()
        else:
            scene = Scene(context=self._context, name=name, **values)
            await scene.create()
        names = [room.name for room in chosen]
        return scene, Patched(names) if at is None else await self._patched(names)

    async def drop_scene(self, name: str) -> None:
        """Rooms stay as they are. Raises NotFound."""
        await (await Scene.get(self._context, name)).destroy()

    async def _tell_agents(self) -> None:
        await self._agents.fanout(SoundAPI.changed, self._context)


def engines_of(bay: PatchBay) -> list[Engine]:
    """Those that some host of the house can use."""
    usable = {name for host in bay.hosts for name in host.engines}
    return [engine for engine in Engine if engine.value in usable]


def engine_of(bay: PatchBay, text: str) -> Engine:
    """The engine of this name. Raises InvalidValue for one that no host can use."""
    usable = engines_of(bay)
    if text not in usable:
        raise InvalidValue(path="engine", received=repr(text), expected=f"one of {', '.join(usable) or 'none yet'}")
    return Engine(text)


def _hosts_of(bay: PatchBay, rooms: Collection[str]) -> set[str]:
    """The hosts that these rooms need to hear what they hear now."""
    sent_from = {stream.name: stream.host for stream in bay.streams if stream.enabled}
    hearing = [player for player in bay.players if player.name in rooms and player.stream in sent_from]
    return {host for player in hearing for host in (player.host, sent_from[player.stream or ""])}
