"""The fleet as Prometheus sees it: its gates, members, pins and data migrations, gathered when somebody asks.

One process says it for the whole fleet. It is an operator like any other: it asks a conductor, needs no database, and
decides by the gates' own functions.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from midflight.conductor.interface import Fleet
from midflight.db.write_form import Form
from midflight.errors import MidflightError
from midflight.metrics import Described, gauge
from midflight.metrics import exposition as written
from midflight.probes import Answer, Page, said
from midflight.telemetry import log
from midflight.upgrade import gates, plan, roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.verdict import Status
from midflight.upgrade.watch import Asked, Judge, Look, Soak

LOOK_SECONDS = 5.0
"""The fleet is looked at no more often than this, whoever asks."""

GAUGES = {
    "fleet.up": Described("Whether a conductor answered the last look; if not, nothing else is known."),
    "fleet.members": Described("Members that are not retired.", ("service", "release", "state")),
    "fleet.overridden": Described("Members whose own configuration pins something."),
    "fleet.epoch": Described("The epoch of pins and write forms."),
    "fleet.acknowledged": Described("Active members that obey the present epoch."),
    "fleet.behind": Described("Active members that do not obey it yet."),
    "fleet.pin": Described("1 for each pin.", ("topic", "release")),
    "fleet.rejections": Described("Rejected versions in the journal in the last hour; a hundred at most."),
    "fleet.risks": Described("Facts whose risk somebody takes at present, whatever the gates say of them."),
    "fleet.brake": Described("Whether the brake is on: nobody migrates rows."),
    "upgrade.here": Described("1 for the step of the upgrade that comes next.", ("target", "step")),
    "gate.status": Described("1 for what the gate of a step says, 0 for what it does not.", ("step", "status")),
    "migration.form": Described("1 for how a field that moves is kept.", ("migration", "form")),
    "migration.state": Described("1 for what the sweep of a data migration does.", ("migration", "state")),
    "migration.rows": Described(
        "Rows of the last pass, by what became of them.", ("migration", "outcome")
    ),
    "migration.progress": Described("How much of the pass under way is done, from 0 to 1.", ("migration",)),
    "migration.rate": Described(
        "Rows a second that the pass under way has looked at between the last two looks.", ("migration",)
    ),
    "migration.proven": Described("Whether both forms agree in all rows.", ("migration",)),
}  # fmt: skip

Sample = tuple[dict[str, str], float]


@dataclass(frozen=True)
class Seen:
    """One look at the fleet, in gauges. Without a fleet, no conductor answered, and all gates are unknown."""

    fleet: Fleet | None
    aim: Aim | None
    gates: dict[str, Status]
    """By the names of the steps; empty where there is no upgrade to make."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """By the names of data migrations; those that this look is the first of have none."""

    def collect(self) -> Iterable[object]:
        """All gauges, each with what is known of it."""
        found = {name: list[Sample]() for name in GAUGES} | self._samples()
        return [gauge(name, GAUGES[name], samples) for name, samples in found.items()]

    def _samples(self) -> dict[str, list[Sample]]:
        found: dict[str, list[Sample]] = {
            "fleet.up": [({}, self.fleet is not None)],
            "gate.status": [
                ({"step": step, "status": each.value}, each is status)
                for step, status in self.gates.items()
                for each in Status
            ],
        }
        if self.fleet is not None:
            found |= _of_members(self.fleet) | _of_migrations(self.fleet)
            found["migration.rate"] = [({"migration": name}, rate) for name, rate in self.rates.items()]
            found["fleet.pin"] = [({"topic": topic, "release": pin}, 1) for topic, pin in self.fleet.pins.items()]
            found["fleet.rejections"] = [({}, len(self.fleet.rejections))]
            found["fleet.risks"] = [({}, len(self.fleet.acknowledged))]
            found["fleet.brake"] = [({}, self.fleet.brake)]
            found["upgrade.here"] = list(self._here(self.fleet))
        return found

    def _here(self, fleet: Fleet) -> Iterator[Sample]:
        if self.aim and self.gates and (number := plan.here(fleet, self.aim)) < len(plan.STEPS):
            yield {"target": self.aim.target, "step": plan.STEPS[number].name}, 1


def _of_members(fleet: Fleet) -> dict[str, list[Sample]]:
    kinds = Counter((member.service, member.release, member.state) for member in fleet.members)
    late = len(roster.behind(fleet, fleet.epoch))
    return {
        "fleet.members": [
            ({"service": service, "release": release, "state": state}, count)
            for (service, release, state), count in sorted(kinds.items())
        ],
        "fleet.overridden": [({}, sum(bool(member.overrides) for member in fleet.members))],
        "fleet.epoch": [({}, fleet.epoch)],
        "fleet.acknowledged": [({}, len(roster.active(fleet)) - late)],
        "fleet.behind": [({}, late)],
    }


def _of_migrations(fleet: Fleet) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {name: [] for name in GAUGES if name.startswith("migration.")}
    for each in fleet.migrations:
        here = {"migration": each.name}
        found["migration.form"] += [({**here, "form": form.value}, form.value == each.form) for form in Form]
        found["migration.state"].append(({**here, "state": each.state}, 1))
        rows = {"completed": each.completed, "deferred": each.deferred, "failed": each.failed}
        found["migration.rows"] += [({**here, "outcome": outcome}, count) for outcome, count in rows.items()]
        if each.of:
            found["migration.progress"].append((here, min(1.0, each.looked / each.of)))
        found["migration.proven"].append((here, each.proven))
    return found


def _judges(aim: Aim, window: float) -> dict[str, Judge]:
    """By the names of the steps."""
    return {
        step.name: Soak(aim, window) if step.gate is gates.soak else Asked(aim, step) for step in plan.STEPS
    }  # fmt: skip


class Exporter:
    """Looks at the fleet when it is asked, and remembers for how long it was clean. ``window`` is for how many seconds
    a soak must be. Without an ``aim``, or a release before it, there is no upgrade, and there are no gates."""

    def __init__(
        self, look: Look, aim: Aim | None, window: float, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._look, self._aim, self._clock = look, aim, clock
        self._judges = _judges(aim, window) if aim and aim.previous else {}
        self._seen: Seen | None = None
        self._at = 0.0
        self._rows: dict[str, tuple[float, int]] = {}
        self._looking = asyncio.Lock()

    async def seen(self) -> Seen:
        """The last look, if that is young enough, or a new one. A look that fails is one that finds no fleet."""
        async with self._looking:
            if self._seen is None or self._clock() - self._at >= LOOK_SECONDS:
                self._seen, self._at = await self._looked(), self._clock()
        return self._seen

    async def _looked(self) -> Seen:
        now = self._clock()
        try:
            fleet = await self._look()
        except MidflightError as wrong:
            log.warning("metrics.no_fleet", reason=str(wrong))
            for judge in self._judges.values():
                judge.missed(now)
            return Seen(None, self._aim, dict.fromkeys(self._judges, Status.UNKNOWN))
        verdicts = {step: judge.judge(fleet, now).status for step, judge in self._judges.items()}
        return Seen(fleet, self._aim, verdicts, self._rates(fleet, now))

    def _rates(self, fleet: Fleet, now: float) -> dict[str, float]:
        """A pass that has begun anew since the last look has looked at all of its rows since then."""
        before, self._rows = self._rows, {each.name: (now, each.looked) for each in fleet.migrations}
        rates = {}
        for name, (at, rows) in before.items():
            if name in self._rows:
                _, looked = self._rows[name]
                rates[name] = (looked - rows if looked >= rows else looked) / max(now - at, 1e-6)
        return rates

    async def exposition(self, accepted: str = "") -> Answer:
        """What there is to say, in a form that the asker accepts."""
        return await asyncio.to_thread(written, await self.seen(), accepted)

    @property
    def pages(self) -> dict[str, Page]:
        """``/metrics``, and ``/healthz``, which asks nobody."""

        async def healthz(_: str) -> Answer:
            return said("ok")

        return {"/metrics": self.exposition, "/healthz": healthz}
