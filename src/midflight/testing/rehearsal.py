"""An upgrade that is rehearsed: the whole road from one release to the next, by real processes of both, on a scratch
broker and a scratch database, and every way back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace as replace_config

from midflight.conductor.contract import release_of
from midflight.config import Config
from midflight.db.clock import now
from midflight.db.lint import facts, result
from midflight.db.lint.linter import lines_of
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import InvalidValue, MidflightError, UsageError
from midflight.project import Project
from midflight.rpc.rights import CONDUCTOR, OPERATOR
from midflight.testing import config_files, copies
from midflight.testing.real_fleet import RealFleet, service_of
from midflight.upgrade import plan as planning
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import operating
from midflight.upgrade.plan import Step
from midflight.upgrade.rehearsed import Report, StepTaken, code_digest
from midflight.upgrade.verdict import Status, Verdict
from midflight.upgrade.watch import watch

GATE_SECONDS = 60.0
"""For so long a gate is asked again while it does not pass: a beat may come late."""
SOAK_SECONDS = 2.0
MOST_ROWS = 1_000_000
"""So many rows are made for a table at most: what takes long with them takes longer with more, in proportion."""
MOST_WORDS = 2_000
"""Of why it failed, in the report; the logs have the rest."""

Tell = Callable[[StepTaken], None]


@dataclass(frozen=True)
class _Way:
    """How a step is taken, and back. The gate of one that closes a door is asked before, of the others afterwards."""

    forth: Callable[[], None]
    back: Callable[[], None] | None = None
    asks_first: bool = False


class Rehearsal(RealFleet):
    """Goes every step of an upgrade forth, back and forth again. It stands before a fleet of a project's own, whose
    hooks are called, and whose ``work`` goes on meanwhile: see ``rehearsal``."""

    data: Path | None
    aim: Aim
    command_seconds = None
    """Production's rows take their time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for release in self.releases:  # a slip is told before anything starts
            self._tree(release)

    def rehearse(self, data: str, tell: Tell = lambda _: None) -> Report:
        """The whole road, in the fleet's folder; how it went. Whatever goes wrong on it is told in the report. Raises
        MidflightError where it cannot begin, since something is missing, or was given that cannot be used."""
        aim, self._tell, self._doing, self._has_begun = self.aim, tell, "the start", False
        self.report = Report(
            previous=next(iter(self.releases)), target=aim.target, code=code_digest(self.project), data=data,
            at=f"{now():%Y-%m-%dT%H:%M:%SZ}",
        )  # fmt: skip
        try:
            self._live()
        except Exception as wrong:
            if isinstance(wrong, MidflightError) and not self._has_begun:
                raise
            self.report.failed = f"{self._doing}: {wrong}"[:MOST_WORDS]
        return self.report

    def _set_up(self, stack: ExitStack) -> None:
        try:
            super()._set_up(stack)
        except InvalidValue as wrong:  # in [app]: of what TOML can say, not all can be told to every release
            raise UsageError(reason=str(wrong)) from None
        if self.data is not None:
            copies.load(self.data, self._url)
        self._has_begun = True

    def _hop(self, old: str, new: str) -> None:
        self._old, self._new = old, new
        self._release(new)  # it loads meanwhile, and no step's time has that in it
        if self.data is None:
            self._finalize_old()
        self.report.lint = self._linted()
        if self.data is None and self.database == "postgresql":
            self._expand_as_large()
        none = lambda: None  # noqa: E731  # asking is all of the step
        ways = {
            "prepare": _Way(none, asks_first=True),
            "schema": _Way(self._expand, self._restart),
            "pin": _Way(self._pin, self._unpin),
            "control": _Way(lambda: self._become(new, self._control), lambda: self._become(old, self._control)),
            "soak": _Way(none),
            "roll": _Way(lambda: self._become(new, self._agents), lambda: self._become(old, self._agents)),
            "unpin": _Way(self._clear, self._pin, asks_first=True),
            "data": _Way(self._migrate, self._there_and_back),
            "finalize": _Way(self._finalize, asks_first=True),
        }
        for step in planning.STEPS:
            self._take(step, ways[step.name])

    def _finalize_old(self) -> None:
        """Production has finalized the release that it runs. A copy of it tells how far it has come."""
        self._doing = f"{self._old}, until it is finalized as in production"
        self._persist("data", "run", release=self._old, accept=(0,))
        self._persist("upgrade", "finalize", "--yes", "--to", self._old, release=self._old, accept=(0, 1))

    def _take(self, step: Step, way: _Way) -> None:
        self._doing = f"step {step.number} {step.name}"
        verdict = self._asked(step) if way.asks_first else None
        seconds = self._timed(way.forth)
        verdict = verdict or self._asked(step)
        back = None
        if way.back is not None:
            self._doing = f"the way back of step {step.number} {step.name}"
            back = self._timed(way.back)
            self._doing = f"step {step.number} {step.name} again"
            self._timed(way.forth)
        because = [f"{fact.status}: {fact.words}" for fact in verdict.because if fact.status is not Status.PASS]
        taken = StepTaken(name=step.name, seconds=seconds, back=back, gate=verdict.status.value, because=because)
        self.report.steps.append(taken)
        self._tell(taken)

    def _timed(self, act: Callable[[], None]) -> float:
        begun = time.monotonic()
        act()
        seconds = round(time.monotonic() - begun, 2)
        self._look()
        return seconds

    # What the steps do.

    @property
    def _control(self) -> list[str]:
        return [name for name in self.names() if not self.project.is_agent(service_of(name))]

    @property
    def _agents(self) -> list[str]:
        return [name for name in self.names() if self.project.is_agent(service_of(name))]

    def _expand(self) -> None:
        self.command("db", "expand", release=self._new)

    def _expand_as_large(self) -> None:
        """How long the expand takes with as many rows as production has, on a database beside that of the fleet: what
        is in them is made up, and no data migration could read it."""
        if (schema := self.project.schema) is None or not (known := facts.read(schema)):
            return
        self._doing = "step 1 schema, with production's rows"
        given = self._config(OPERATOR)
        large = replace_config(given, database=self._cluster.create(), path=str(self.folder / "large.toml"))
        config_files.write(large)
        self.command("db", "expand", release=self._old, config="large")
        counts = {table: min(max(1, each.rows), MOST_ROWS) for table, each in known.items()}
        self.report.rows = copies.fill(large.database or "", counts)
        begun = time.monotonic()
        self.command("db", "expand", release=self._new, config="large")
        self.report.expand_seconds = round(time.monotonic() - begun, 2)

    def _restart(self) -> None:
        """No way back is needed, since the old release works on; also when it starts anew."""
        self._become(self._old, self.names())

    def _pin(self) -> None:
        self._persist("pin", "set", self._old, release=self._new, accept=(0,))
        self.pinned = self._old

    def _unpin(self) -> None:
        self._persist("pin", "clear", release=self._new, accept=(0,))
        self.pinned = ""

    def _clear(self) -> None:
        self._unpin()
        self.after_unpin()

    def _become(self, release: str, names: list[str]) -> None:
        for name in names:
            self._replace(name, release)
            if len({each.release.name for each in self.running.values()}) > 1:
                self.on_mixed()
            self._look()

    def _migrate(self) -> None:
        if self.project.migrations:
            self._persist("data", "run", release=self._new, accept=(0,))

    def _there_and_back(self) -> None:
        """The old form is the truth until finalize: the whole fleet may still become old again."""
        self._pin()
        self._become(self._old, self._agents)
        self._become(self._old, self._control)
        self._become(self._new, self._control)
        self._become(self._new, self._agents)
        self._unpin()

    def _finalize(self) -> None:
        self.report.translations = asyncio.run(self._translated())
        self._persist("upgrade", "finalize", "--yes", release=self._new, accept=(0, 1))
        self.after_finalize()

    # What is asked.

    def _asked(self, step: Step) -> Verdict:
        return asyncio.run(self._watched(step))

    async def _watched(self, step: Step) -> Verdict:
        async with operating(self._config("operator"), self.project) as operator:
            window = SOAK_SECONDS if step.name == "soak" else None
            return await watch(operator.fleet, self.aim, step, wait=GATE_SECONDS, window=window)

    async def _translated(self) -> dict[str, int]:
        found = Counter[str]()
        async with operating(self._config("operator"), self.project) as operator:
            for minutes in await operator.traffic():
                found.update(minutes.pairs)
        return dict(sorted(found.items()))

    def _linted(self) -> dict[str, list[str]]:
        """What is known of the revisions that the expand will apply."""
        if (schema := self.project.schema) is None:
            return {}
        runner = SchemaRunner(self._url, schema, self.project.tables, self._new)
        ours, kept = {script.revision for script, _ in lines_of(schema)}, result.read(schema)
        return {revision: _found(kept.get(revision)) for revision, _ in runner.plan() if revision in ours}


def _found(kept: result.Result | None) -> list[str]:
    if kept is None:
        return ["never linted"]
    kinds = (("error", kept.errors), ("warning", kept.warnings), ("waived", kept.waived))
    return [f"{kind}: {each}" for kind, found in kinds for each in found]


def fleet_of(project: Project, config: Config) -> type[RealFleet]:
    """The fleet of a project that has none of its own: two conductors and one member of each service, without users,
    on the kind of database that the configuration names."""
    url = config.database or ""
    members = {CONDUCTOR: 2, **dict.fromkeys(project.services, 1)}
    database = "postgresql" if url.startswith("postgresql") else "sqlite"
    said = {"project": project, "reference": config.project, "members": members, "app": config.app, "releases": {}}
    return cast("type[RealFleet]", type("Fleet", (RealFleet,), {**said, "database": database}))


def rehearsal(
    fleet: type[RealFleet], releases: Mapping[str, Path | str], folder: Path, data: Path | None = None
) -> Rehearsal:
    """The rehearsal of a fleet's upgrade from the first of two releases to the second. Raises UsageError where the code
    here is not the second one's, or the first is not right before it, and for code and data that cannot be read."""
    first, target = next(iter(releases)), [*releases][-1]
    aim = Aim.of(fleet.project, target)
    if (here := release_of(fleet.project)) != target:
        raise UsageError(reason=f"the code here is release {here}, not {target}: rehearse from a copy of {target}")
    if first not in aim.starts:
        expected = " or ".join(aim.starts) or "one that is frozen before it, and there is none"
        raise UsageError(reason=f"received {first} as the release before {target}, expected {expected}")
    # What only the copy of the code tells, the gates of the real fleet say.
    given: dict[str, Any] = {
        "project": fleet.project, "reference": fleet.reference, "releases": releases, "data": data,
        "aim": replace(aim, unlinted=None, rehearsed=None),
    }  # fmt: skip
    if data is not None:
        given["database"] = copies.database_of(data)
    made = type("Rehearsed", (Rehearsal, fleet), given)
    return cast("Rehearsal", made(folder))
