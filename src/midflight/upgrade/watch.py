"""Ask a gate until it passes or the time is up; a soak must find the fleet clean in every look of a window."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from midflight.conductor.interface import Fleet
from midflight.errors import NoConductor, Unknown
from midflight.upgrade import gates, kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.facts import watching
from midflight.upgrade.plan import Step
from midflight.upgrade.verdict import Fact, Status, Verdict

WINDOW = 10.0
"""Seconds that a soak must be clean for, where the operator does not say."""
SHORTEST_PAUSE = 0.2
_LOOKS = 20
"""How often the time that is left is looked at."""

NOTE_SECONDS = 15.0
"""How often a soak notes that it is still clean; the journal takes looks for one soak that are SOAK_GAP apart."""

Look = Callable[[], Awaitable[Fleet]]
Note = Callable[[Verdict], Awaitable[None]]


async def watch(
    look: Look, aim: Aim, step: Step, *, wait: float | None, window: float | None, note: Note | None = None
) -> Verdict:
    """The last verdict of a gate: the first that waiting makes no better, or that when ``wait`` seconds are over.

    Without ``wait`` there is one look; a soak takes as long as its ``window``, which without is as long as ``wait``.
    ``note`` keeps the looks of a soak now and then, so that one that is begun again goes on. A look that finds no
    conductor is a missing fact. Raises NoConductor or Unknown when not one look found any.
    """
    soaks = step.gate is gates.soak
    if window is None:
        window = WINDOW if wait is None else wait
    judge: Judge = Soak(aim, window) if soaks else Asked(aim, step)
    eyes = _Eyes(look, judge, step.name, note if soaks else None)
    now = time.monotonic()
    until = now + (max(wait or 0.0, window) if soaks else wait or 0.0)
    verdict = await eyes.verdict(now)
    while not verdict.is_settled and now < until and judge.earliest <= until and (wait or eyes.seen):
        await asyncio.sleep(_pause(until - now))
        now = time.monotonic()
        verdict = await eyes.verdict(now)
    if eyes.blinded_by is not None and not eyes.seen:
        raise eyes.blinded_by
    return verdict


def looked(verdict: Verdict) -> Verdict:
    """What a soak's look found, without for how long it was so."""
    return Verdict.of(verdict.step, [fact for fact in verdict.because if fact.kind is not kinds.CLEAN])


def is_clean(seen: Verdict) -> bool:
    """Whether a look found nothing that fails, and nothing that nobody knows."""
    return seen.status in (Status.PASS, Status.WARN)


class _Eyes:
    """Looks, and remembers whether there was ever anything to see."""

    def __init__(self, look: Look, judge: Judge, step: str, note: Note | None) -> None:
        self._look, self._judge, self._step, self._note = look, judge, step, note
        self._noted: tuple[float, bool] | None = None
        self.seen = False
        self.blinded_by: NoConductor | Unknown | None = None

    async def verdict(self, now: float) -> Verdict:
        """That of one look; a look that fails is a missing fact."""
        try:
            fleet = await self._look()
        except (NoConductor, Unknown) as wrong:
            self.blinded_by = wrong
            self._judge.missed(now)
            return Verdict.of(self._step, [Fact(Status.UNKNOWN, f"the last look failed: {wrong}", kind=kinds.LOOK)])
        self.seen = True
        verdict = self._judge.judge(fleet, now)
        if self._note is not None:
            await self._keep(self._note, looked(verdict), now)
        return verdict

    async def _keep(self, note: Note, seen: Verdict, now: float) -> None:
        """When it changes, and else so often that two of them are one soak. A note that fails is not missed: the next
        look says what is wrong."""
        clean = is_clean(seen)
        if self._noted is not None and self._noted[1] is clean and now - self._noted[0] < NOTE_SECONDS:
            return
        try:
            await note(seen)
            self._noted = now, clean
        except (NoConductor, Unknown):
            self._noted = None


def _pause(left: float) -> float:
    """Shorter towards the end, so that the last look is not much later than it has to be."""
    return min(max(left / _LOOKS, SHORTEST_PAUSE), 0.5)


class Judge(Protocol):
    """Turns looks into verdicts. ``earliest`` is when it could pass; all times are in seconds that never go back."""

    @property
    def earliest(self) -> float: ...
    def judge(self, fleet: Fleet, now: float) -> Verdict: ...
    def missed(self, now: float) -> None: ...


class Asked:
    """Any gate: each look is judged for itself."""

    earliest = 0.0

    def __init__(self, aim: Aim, step: Step) -> None:
        self._aim, self._gate = aim, step.gate

    def judge(self, fleet: Fleet, now: float) -> Verdict:
        """The gate's verdict of one look."""
        return self._gate(fleet, self._aim)

    def missed(self, now: float) -> None:
        """Nothing is remembered."""


class Soak:
    """Remembers since when a mixed fleet has been clean in every look; the journal may know of looks before its own."""

    def __init__(self, aim: Aim, window: float) -> None:
        self._aim, self._window = aim, window
        self._clean_since: float | None = None
        self._begun = False
        self.earliest = 0.0
        """When a whole window can have been clean."""

    def judge(self, fleet: Fleet, now: float) -> Verdict:
        """The verdict of a look at ``now``."""
        before = 0.0 if self._begun else watching.soaked(fleet, self._aim.target)
        self._begun = True
        if not is_clean(looked(self._verdict(fleet, self._window))):
            self.missed(now)
        elif self._clean_since is None:
            self._clean_since, self.earliest = now - before, now - before + self._window
        return self._verdict(fleet, 0.0 if self._clean_since is None else now - self._clean_since)

    def missed(self, now: float) -> None:
        """This look was not clean, or nobody knows: the window begins anew with the next one."""
        self._begun = True
        self._clean_since, self.earliest = None, now + SHORTEST_PAUSE + self._window

    def _verdict(self, fleet: Fleet, clean_for: float) -> Verdict:
        return gates.soak(fleet, self._aim, window=self._window, clean_for=clean_for)
