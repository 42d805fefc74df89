"""What the services do for each other."""

from __future__ import annotations

from typing import Protocol

from house.objects.hearing import Hearing, Sending
from house.objects.look import Look
from house.objects.machine import Machine
from house.objects.trial import Trial
from house.objects.wake import Wake
from house.playing import Engine
from house.rights import AGENT, PEOPLE
from midflight import Context, Interface, endpoint


class WatcherAPI(Interface, Protocol, topic="watcher", version="1.0"):
    """What stands guard for sleepers, on a machine that is always awake."""

    @endpoint(since="1.0", idempotent=True, allow=AGENT)
    async def claim(self, context: Context, machine: Machine) -> None:
        """Guard it from now on: in proxy mode, have its addresses. The answer is the acknowledgement without which no
        machine sleeps. For the machine's own agent. Raises NotClaimed, and NotYours for another's."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=AGENT)
    async def release(self, context: Context, machine: str) -> None:
        """Guard it no more, and let it have its addresses. One that is not guarded is left as it is. For the machine's
        own agent: raises NotYours for another's."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=PEOPLE)
    async def wake(self, context: Context, machine: str) -> Wake:
        """Wake it, for somebody who asks by name. Answers when it has proved that it is awake, or after the last try:
        then ``awake_at`` is None. Takes up to 20 s. Raises NotFound where it is not guarded here."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=PEOPLE)
    async def test_wake(self, context: Context, machine: str) -> Wake:
        """Send it a magic packet as it is now, and see whether it lives: a wake whose cause is a test. Raises
        NotFound."""
        ...

    @endpoint(since="1.0", allow=PEOPLE)
    async def changed(self, context: Context) -> None:
        """A fanout: machines or requesters are others now; read them again."""
        ...


class SleeperAPI(Interface, Protocol, topic="sleeper", version="1.0"):
    """The agent of a machine that sleeps. Its host is the machine's name."""

    @endpoint(since="1.0", allow=PEOPLE)
    async def sleep_now(self, context: Context, reason: str) -> None:
        """Sleep though the checks find it busy. Answers before it does, when it has leave and its watcher stands guard.
        Raises StaysAwake, NotClaimed, and NotNow where it is falling already."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=PEOPLE)
    async def look(self, context: Context) -> Look:
        """What all checks found when they were asked last; they are asked anew where that is older than a round."""
        ...

    @endpoint(since="1.0", allow=PEOPLE)
    async def changed(self, context: Context) -> None:
        """A fanout: holds, rules, or who is at home are others now; ask for leave again."""
        ...


class SoundAPI(Interface, Protocol, topic="sound", version="1.2"):
    """The agent of a host with sound: it plays in the rooms there, and sends the streams that come from there."""

    @endpoint(since="1.0", idempotent=True, allow=PEOPLE)
    async def hearings(self, context: Context) -> list[Hearing]:
        """What each room of the host does at this moment."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=PEOPLE)
    async def sendings(self, context: Context) -> list[Sending]:
        """What each stream of the host does at this moment, by each engine."""
        ...

    @endpoint(since="1.0", allow=PEOPLE)
    async def changed(self, context: Context) -> None:
        """A fanout: what is patched to what, or how loud it is, is another now; ask by ``Wiring.report``."""
        ...

    @endpoint(since="1.1", idempotent=True, allow=AGENT)
    async def sleeps(self, context: Context, on: bool) -> None:
        """Its machine falls asleep now, or is awake again: for the machine's own sleeper. Answers when the fleet has
        written down that this agent sleeps, too. Raises NotYours for another's sleeper, and what a beat raises."""
        ...

    @endpoint(since="1.2", allow=PEOPLE)
    async def test(
        self, context: Context, engine: Engine, sender: str, rooms: list[str], seconds: float
    ) -> list[Trial]:
        """Have rooms of this host play a quiet test signal, by this engine, instead of what they hear, and listen to
        each for so many seconds; the agent of ``sender`` sends it so long, with no rooms. What was heard before is
        heard again afterwards, also when the caller waits no more. Raises NotNow where it has no such engine, or while
        another test is under way; NotFound for a room that is not of this host; and InvalidValue."""
        ...
