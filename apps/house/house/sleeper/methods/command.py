"""Sleep by a command: `systemctl suspend`, or one of one's own like `rtcwake -m mem`."""

from __future__ import annotations

import contextlib
import shutil

from house.clock import Clock
from house.sleeper.delay import Delay
from house.sleeper.methods.base import BEGIN_SECONDS, Method, SleepFailed, slept
from house.sleeper.system import Unclear, output


class ByCommand(Method):
    """The command may end before the machine sleeps, or after it has slept. Where there is a logind, the command may
    well ask that one."""

    def __init__(self, name: str, command: list[str], clock: Clock, delay: Delay | None = None) -> None:
        self.name, self._command, self._clock, self._delay = name, command, clock, delay

    async def check(self) -> None:
        if not (self._command and shutil.which(self._command[0])):
            raise SleepFailed(f"there is no command {' '.join(self._command) or '(it is empty)'}")

    async def sleep(self) -> None:
        with self._delay.ours() if self._delay else contextlib.nullcontext():
            before = self._clock.suspended()
            try:
                code, written = await output(self._command, BEGIN_SECONDS)
            except Unclear as wrong:
                raise SleepFailed(str(wrong)) from None
            if code:
                raise SleepFailed(f"{self._command[0]} has failed with {code}: {written[:200]}")
            await slept(self._clock, before)
