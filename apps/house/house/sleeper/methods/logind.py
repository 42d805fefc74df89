"""Sleep by systemd's login manager: to memory, to disk, or off."""

from __future__ import annotations

import asyncio

from house.sleeper.delay import Delay
from house.sleeper.logind import Logind
from house.sleeper.methods.base import BEGIN_SECONDS, Method, SleepFailed

OFF_SECONDS = 120.0
"""For services that are slow to end; systemd gives each of them 90."""
VERBS = {"logind": "Suspend", "hibernate": "Hibernate", "power-off": "PowerOff"}


class ByLogind(Method):
    """``name`` is one of VERBS."""

    def __init__(self, name: str, logind: Logind, delay: Delay) -> None:
        self.name, self._verb, self._logind, self._delay = name, VERBS[name], logind, delay

    async def check(self) -> None:
        if (said := await self._logind.can(self._verb)) != "yes":
            raise SleepFailed(f"logind says {said!r} to {self._verb}: it may not, or the machine cannot")

    async def sleep(self) -> None:
        with self._delay.ours():
            await self._logind.begin(self._verb)
            if self._verb == "PowerOff":  # nothing of this process is left when the machine is awake again
                await asyncio.sleep(OFF_SECONDS)
                raise SleepFailed(f"it is on still, {OFF_SECONDS:g} s after logind was told to power it off")
            await self._delay.slept(BEGIN_SECONDS)
