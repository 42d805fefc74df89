"""What is being done by somebody in a browser, and what became of it. It goes on when the browser leaves."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from midflight import telemetry
from midflight.web.access import Viewer
from midflight.web.act import Act
from midflight.web.gatherer import Gatherer, Picture, asked

REMEMBERED = 200
"""So many outcomes are kept; the journal keeps all."""


@dataclass
class Outcome:
    """What has become of an act so far."""

    act: Act[Any]
    by: str
    lines: list[str] = field(default_factory=list)
    failed: str | None = None
    over: bool = False


class Doing:
    """Does acts in the name of who asked for them, each by an operator of its own."""

    def __init__(self, gatherer: Gatherer, scene: Callable[[Picture, Mapping[str, str]], Any]) -> None:
        self._gatherer, self._scene = gatherer, scene
        self._outcomes: dict[str, Outcome] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, act: Act[Any], viewer: Viewer, fields: dict[str, str]) -> str:
        """Begin to do it; the name of its outcome."""
        name, outcome = secrets.token_urlsafe(9), Outcome(act, viewer.name)
        self._outcomes[name] = outcome
        for old in list(self._outcomes)[:-REMEMBERED]:
            del self._outcomes[old]
        self._begin(outcome, fields)
        return name

    async def do(self, act: Act[Any], viewer: Viewer, fields: dict[str, str]) -> Outcome:
        """Do it, and wait for what becomes of it."""
        outcome = Outcome(act, viewer.name)
        await asyncio.shield(self._begin(outcome, fields))
        return outcome

    def _begin(self, outcome: Outcome, fields: dict[str, str]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._do(outcome, fields))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
            async with self._gatherer.connect() as anybody:
                operator = anybody.in_the_name_of(outcome.by)
                scene = self._scene(await asked(operator, (self._gatherer.always, *act.beside)), fields)
                act.check(scene)
                await act.do(operator, scene, outcome.lines.append)
        except self._gatherer.errors as wrong:
            outcome.failed = str(wrong)
            telemetry.log.warning("console.act_failed", act=act.name, by=outcome.by, reason=str(wrong))
        except Exception as wrong:  # noqa: BLE001  # whatever it is, what was not done must not pass for done
            outcome.failed = f"this is a bug in midflight or in the project: {wrong!r}; see the log"
            telemetry.log.critical("console.act_crashed", act=act.name, by=outcome.by, exc_info=True)
        finally:
            outcome.over = True
            self._gatherer.hurry()
