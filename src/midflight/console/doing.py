"""What is being done by somebody in a browser, and what became of it. It goes on when the browser leaves."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from midflight import telemetry
from midflight.console.access import Viewer
from midflight.console.act import Act, Scene
from midflight.console.gatherer import Picture
from midflight.console.sources import PARKED
from midflight.errors import MidflightError
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import Operator

REMEMBERED = 200
"""So many outcomes are kept; the journal keeps all."""


@dataclass
class Outcome:
    """What has become of an act so far."""

    act: Act
    by: str
    lines: list[str] = field(default_factory=list)
    failed: str | None = None
    over: bool = False


class Doing:
    """Does acts in the name of who asked for them. ``connect`` makes an operator for each."""

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Operator]], aim: Aim) -> None:
        self._connect, self._aim = connect, aim
        self._outcomes: dict[str, Outcome] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, act: Act, viewer: Viewer, fields: dict[str, str]) -> str:
        """Begin to do it; the name of its outcome."""
        name, outcome = secrets.token_urlsafe(9), Outcome(act, viewer.name)
        self._outcomes[name] = outcome
        for old in list(self._outcomes)[:-REMEMBERED]:
            del self._outcomes[old]
        task = asyncio.create_task(self._do(outcome, fields))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return name

    def outcome(self, name: str) -> Outcome | None:
        """What has become of an act; None where that is forgotten."""
        return self._outcomes.get(name)

    async def finish(self) -> None:
        """Wait for what is being done. Each act is bounded by what it waits for."""
        await asyncio.gather(*self._tasks)

    async def _do(self, outcome: Outcome, fields: dict[str, str]) -> None:
        act = outcome.act
        telemetry.log.info("console.acts", act=act.name, by=outcome.by, **{f"field_{k}": v for k, v in fields.items()})
        try:
            async with self._connect() as anybody:
                operator = anybody.in_the_name_of(outcome.by)
                parked = await PARKED.ask(operator, Picture()) if act.about_parked else ()
                scene = Scene(await operator.fleet(), self._aim, fields, parked)
                act.check(scene)
                await act.do(operator, scene, outcome.lines.append)
        except MidflightError as wrong:
            outcome.failed = str(wrong)
            telemetry.log.warning("console.act_failed", act=act.name, by=outcome.by, reason=str(wrong))
        finally:
            outcome.over = True
