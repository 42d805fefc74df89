"""What somebody who runs the house asks and does, on the command line and in a browser alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from house.errors import NotFound, NotNow
from house.interfaces import SleeperAPI, WatcherAPI
from house.objects.away import Away
from house.objects.history import History
from house.objects.hold import Hold, HoldList
from house.objects.look import Look
from house.objects.machine import Machine, MachineList
from house.objects.requester import Requester, RequesterList
from house.objects.rule import Rule, RuleList
from house.objects.wake import Wake, WakeList
from house.sound_operator import SoundOperator
from house.states import State
from midflight import Client, Context, InvalidValue, MidflightError, NotDelivered, types

WAKE_SECONDS = 30.0
"""A watcher tries for up to 20 s."""
SLEEP_SECONDS = 30.0
"""How long an agent may take to look at its machine, to have leave, and to see its watcher stand guard."""
LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class House:
    """All that the house knows now, but for its past."""

    machines: Sequence[Machine]
    holds: Sequence[Hold] = ()
    rules: Sequence[Rule] = ()
    requesters: Sequence[Requester] = ()
    away: Away | None = None

    def machine(self, name: str) -> Machine:
        """The machine of this name. Raises NotFound."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise NotFound.among("machine", name, (machine.name for machine in self.machines))

    def holds_of(self, machine: str | None) -> list[Hold]:
        """Those that hold a machine, by its name or with the whole house; for None, those of the whole house."""
        return [hold for hold in self.holds if hold.machine in (None, machine)]

    def heeds(self, mac: str | None, machine: str) -> bool:
        """Whether this machine wakes for whoever has this MAC address."""
        ours = (each for each in self.requesters if each.mac == mac and each.machine in (None, machine))
        return not any(each.ignored for each in ours)


class Operator:
    """Asks conductors and agents in the name of ``who``. Raises the house's errors, NotDelivered and Unknown."""

    def __init__(self, context: Context, who: str) -> None:
        self._context, self._who = context, who
        self._watcher, self._sleeper = Client(WatcherAPI), Client(SleeperAPI)
        self.sound = SoundOperator(context, self.wake, lambda: MachineList.get_all(context))
        """The same for sound."""

    async def house(self) -> House:
        """How it stands."""
        context = self._context
        machines, holds, rules, requesters, away = await asyncio.gather(
            MachineList.get_all(context), HoldList.get_all(context), RuleList.get_all(context),
            RequesterList.get_all(context), Away.get(context),
        )  # fmt: skip
        return House([*machines], [*holds], [*rules], [*requesters], away)

    async def wakes(self, machine: str | None = None, limit: int = 50) -> list[Wake]:
        """The last so many, of a machine or of all; the latest first."""
        return [*await WakeList.latest(self._context, machine, limit)]

    async def histories(self, machines: Iterable[str], days: int) -> Mapping[str, History]:
        """The last so many days of each machine, by its name. Raises NotFound."""
        names = list(machines)
        found = await asyncio.gather(*(History.of_machine(self._context, name, days) for name in names))
        return dict(zip(names, found, strict=True))

    async def looks(self, machines: Iterable[str]) -> Mapping[str, Look]:
        """What the agents of these machines find there now; one that does not answer is left out."""
        found = await asyncio.gather(*map(self._look, machines))
        return {look.machine: look for look in found if look is not None}

    async def _look(self, machine: str) -> Look | None:
        try:
            return await self._sleeper.on(machine).within(LOOK_SECONDS).call(SleeperAPI.look, self._context)
        except MidflightError:
            return None  # a machine without an agent, or one that has just fallen asleep

    async def wake(self, machine: str) -> Wake:
        """Have its watcher wake it; the answer says whether it woke. Raises NotFound."""
        return await self._guard(await Machine.get(self._context, machine)).call(
            WatcherAPI.wake, self._context, machine
        )

    async def test_wake(self, machine: str) -> Wake:
        """Have its watcher send a magic packet, and see whether it lives. Raises NotFound."""
        return await self._guard(await Machine.get(self._context, machine)).call(
            WatcherAPI.test_wake, self._context, machine
        )

    def _guard(self, machine: Machine) -> Client[WatcherAPI]:
        return self._watcher.on(machine.watcher).within(WAKE_SECONDS)

    async def add(self, name: str, mac: str, addresses: Iterable[IPv4Address | IPv6Address]) -> Machine:
        """Let the house know of a machine without an agent. Raises AlreadyExists, AddressTaken, InvalidValue."""
        machine = Machine(context=self._context, name=name, mac=_mac(mac), addresses=[*addresses])
        await machine.create()
        await self._tell_watchers()
        return machine

    async def change(self, machine: str, values: Mapping[str, Any]) -> Machine:
        """Give fields of a machine these values. Raises NotFound, InvalidValue."""
        found = await Machine.get(self._context, machine)
        for name, value in values.items():
            setattr(found, name, value)
        await found.save()
        await self._tell_watchers()
        return found

    async def forget(self, machine: str) -> None:
        """It is gone. Raises NotFound."""
        await (await Machine.get(self._context, machine)).destroy()
        await self._tell_watchers()

    async def sleep(self, machine: str, reason: str) -> None:
        """Have it sleep, if nothing but its own checks speaks against that. Raises NotFound, StaysAwake, NotClaimed,
        NotNow."""
        found = await Machine.get(self._context, machine)
        if found.state in (State.ASLEEP, State.WAKING):
            raise NotNow(machine, f"it is {found.state.value}")
        client = self._sleeper.on(machine).within(SLEEP_SECONDS)
        try:
            await client.call(SleeperAPI.sleep_now, self._context, reason)
        except NotDelivered:
            raise NotNow(machine, "no agent of it has answered, and only that one lets it sleep") from None

    async def hold(self, machine: str | None, until: datetime, reason: str) -> Hold:
        """Keep a machine awake until then, or all of them. Raises NotFound."""
        hold = Hold(context=self._context, machine=machine, until=until, reason=reason, who=self._who)
        await hold.create()
        await self._tell_sleepers()
        return hold

    async def prolong(self, hold: int, until: datetime) -> None:
        """Keep it awake for longer. Raises NotFound where it was let go."""
        found = await Hold.get(self._context, hold)
        found.until = until
        await found.save()

    async def let_go(self, hold: int) -> Hold:
        """Keep it awake no more. Raises NotFound."""
        found = await Hold.get(self._context, hold)
        await found.destroy()
        await self._tell_sleepers()
        return found

    async def leave(self, until: datetime) -> None:
        """Nobody is at home until then: rules count no more."""
        await Away(context=self._context, until=until, who=self._who).create()
        await self._tell_sleepers()

    async def come_back(self) -> None:
        """Somebody is at home again."""
        await Away.end(self._context)
        await self._tell_sleepers()

    async def ignore(self, mac: str, machine: str | None, name: str = "") -> Requester:
        """Wake a machine, or any, no more for whoever has this MAC address. Raises NotFound, InvalidValue."""
        if machine is not None:
            await Machine.get(self._context, machine)
        requester = Requester(context=self._context, mac=_mac(mac), machine=machine, name=name)
        for each in await RequesterList.get_all(self._context):
            if (each.mac, each.machine) == (requester.mac, machine):
                each.ignored, each.name = True, name or each.name
                await each.save()
                break
        else:
            await requester.create()
        await self._tell_watchers()
        return requester

    async def heed(self, mac: str, machine: str | None) -> None:
        """Wake it for them again. Raises NotFound where they were not ignored."""
        wanted = _mac(mac)
        for each in await RequesterList.get_all(self._context):
            if (each.mac, each.machine) == (wanted, machine) and each.ignored:
                await each.destroy()
                await self._tell_watchers()
                return
        raise NotFound("ignored requester", wanted)

    async def rule(
        self, machine: str | None, days: Sequence[int], begins: time, ends: time, *, zone: str = "UTC",
        wakes: bool = False, note: str = "",
    ) -> Rule:  # fmt: skip
        """Let hours hold from now on; see ``Rule``. Raises NotFound, InvalidValue."""
        if machine is not None:
            await Machine.get(self._context, machine)
        rule = Rule(
            context=self._context, machine=machine, days=[*days], begins=begins, ends=ends, zone=zone, wakes=wakes,
            note=note,
        )  # fmt: skip
        await rule.create()
        await self._tell_sleepers()
        return rule

    async def unrule(self, rule: int) -> None:
        """Let it go. Raises NotFound."""
        for each in await RuleList.get_all(self._context):
            if each.id == rule:
                await each.destroy()
                await self._tell_sleepers()
                return
        raise NotFound("rule", str(rule))

    async def _tell_sleepers(self) -> None:
        await self._sleeper.fanout(SleeperAPI.changed, self._context)

    async def _tell_watchers(self) -> None:
        await self._watcher.fanout(WatcherAPI.changed, self._context)


AWAKE = State.AWAKE, State.WAKING, State.FALLING
"""The states in which the agent of a machine can be asked."""


def _mac(text: str) -> types.MacAddress:
    try:
        return types.MacAddress(text)
    except ValueError:
        raise InvalidValue(path="mac", received=repr(text), expected="a MAC address like 52:54:00:ab:cd:ef") from None
