"""The fleet as Prometheus sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from midflight import metrics
from midflight.conductor.interface import Fleet
from midflight.errors import NoConductor
from midflight.metrics import exposition
from midflight.upgrade.aim import Aim
from midflight.upgrade.exporter import GAUGES, LOOK_SECONDS, Exporter
from midflight.upgrade.plan import STEPS
from tests.test_metrics import samples
from tests.upgrade.fleets import KILO, cloud, flavors, fleet, lost, member, rejection

ROOT = Path(__file__).parents[2]
GONE = NoConductor(project="cloud", broker="nats://b", reason="nobody listens")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Looks:
    """What the next looks find; the last one again and again."""

    def __init__(self, *found: Fleet | Exception) -> None:
        self._found = list(found)
        self.count = 0

    async def __call__(self) -> Fleet:
        self.count += 1
        found = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        if isinstance(found, Exception):
            raise found
        return found


async def told(exporter: Exporter) -> dict[str, float]:
    return samples(exposition(await exporter.seen()).body.decode())


def ones(found: dict[str, float], name: str) -> list[str]:
    """The labels of those of a gauge that are 1: ``step=pin,status=pass``."""
    start = f"midflight_{name}{{"
    return sorted(
        key.removeprefix(start).rstrip("}") for key, each in found.items() if key.startswith(start) and each == 1
    )


async def test_a_fleet_in_the_middle_of_a_roll() -> None:
    """Members by service, release and state; who obeys the epoch; the pin; how far the rows have come."""
    moving = flavors(state="sweeping", completed=70, deferred=20, failed=1, looked=91, of=200)
    there = cloud(control="kilo", agents="juno", migrations=[moving], brake=True)
    there.members += [lost("compute", "n3", "juno"), member("compute", "n4", "kilo", epoch=3, overrides={"*": "juno"})]
    found = await told(Exporter(Looks(there), KILO, 60.0))
    count = {name: value for name, value in found.items() if name.startswith("midflight_fleet_members{")}
    assert count == {
        "midflight_fleet_members{release=kilo,service=api,state=active}": 1,
        "midflight_fleet_members{release=juno,service=compute,state=active}": 2,
        "midflight_fleet_members{release=juno,service=compute,state=lost}": 1,
        "midflight_fleet_members{release=kilo,service=compute,state=active}": 1,
        "midflight_fleet_members{release=kilo,service=conductor,state=active}": 1,
    }
    for name, value in {
        "fleet_up": 1, "fleet_epoch": 4, "fleet_acknowledged": 4, "fleet_behind": 1, "fleet_overridden": 1,
        "fleet_rejections": 0, "fleet_risks": 0, "fleet_brake": 1,
    }.items():  # fmt: skip
        assert found[f"midflight_{name}{{}}"] == value
    assert ones(found, "fleet_pin") == ["release=juno,topic=*"]
    assert ones(found, "migration_form") == ["form=both, read old,migration=flavors"]
    assert ones(found, "migration_state") == ["migration=flavors,state=sweeping"]
    assert found["midflight_migration_progress{migration=flavors}"] == 91 / 200
    assert found["midflight_migration_proven{migration=flavors}"] == 0
    assert found["midflight_migration_rows{migration=flavors,outcome=deferred}"] == 20


async def test_rows_have_a_rate_from_look_to_look() -> None:
    """The first look has none; a pass that begins anew has looked at all of its rows since; one that stands has 0."""
    clock = Clock()
    exporter = Exporter(Looks(*(cloud(migrations=[flavors(looked=n)]) for n in (50, 350, 30, 30))), KILO, 60.0, clock)
    rates = []
    for _ in range(4):
        rates.append((await told(exporter)).get("midflight_migration_rate{migration=flavors}"))
        clock.now += 10.0
    assert rates == [None, 30.0, 3.0, 0.0]


async def test_a_gate_says_one_thing() -> None:
    """Of each step, one of pass, warn, unknown and fail is 1; what it is, is what the gate itself says."""
    there = cloud(control="juno", agents="juno")
    found = await told(Exporter(Looks(there), KILO, 60.0))
    said = [f"status={step.gate(there, KILO).status},step={step.name}" for step in STEPS]
    assert ones(found, "gate_status") == sorted(said)
    assert ones(found, "upgrade_here") == ["step=control,target=kilo"]


async def test_a_soak_passes_when_all_looks_of_its_window_were_clean() -> None:
    """It is remembered between two scrapes; a rejection, or a look that finds nobody, begins the window anew."""
    clock = Clock()
    clean, dirty = cloud(control="kilo", agents="juno"), cloud(control="kilo", rejections=[rejection()])
    exporter = Exporter(Looks(clean, clean, dirty, clean, GONE, clean, clean), KILO, 60.0, clock)
    said = []
    for _ in range(7):
        (status,) = [each for each in ones(await told(exporter), "gate_status") if each.endswith("step=soak")]
        said.append(status.partition(",")[0].partition("=")[2])
        clock.now += 61.0
    assert said == ["unknown", "pass", "fail", "unknown", "unknown", "unknown", "pass"]


async def test_where_no_conductor_answers() -> None:
    """Nothing is known, and that is said: no member is counted, and every gate is unknown."""
    found = await told(Exporter(Looks(GONE), KILO, 60.0))
    assert found["midflight_fleet_up{}"] == 0
    statuses = ones(found, "gate_status")
    assert len(statuses) == 9
    assert all(each.startswith("status=unknown") for each in statuses)
    assert {name.partition("{")[0] for name in found} == {"midflight_fleet_up", "midflight_gate_status"}


async def test_a_first_release_has_no_upgrade_and_no_gates() -> None:
    """There is nothing that could be safe or not."""
    for first in (Aim(target="juno", releases=("juno",)), None):
        found = await told(Exporter(Looks(fleet(member("api", "web", "juno"))), first, 60.0))
        assert found["midflight_fleet_up{}"] == 1
        assert not [name for name in found if "gate" in name or "upgrade" in name]


async def test_the_fleet_is_looked_at_no_more_often_than_it_bears() -> None:
    """However many ask at once, and however often."""
    clock, looks = Clock(), Looks(cloud())
    exporter = Exporter(looks, KILO, 60.0, clock)
    for _ in range(10):
        await exporter.seen()
    assert looks.count == 1
    clock.now += LOOK_SECONDS
    await exporter.seen()
    assert looks.count == 2


def _described() -> Iterator[str]:
    for name, each in GAUGES.items():
        yield f"| `{metrics.PREFIX}{name.replace('.', '_')}` | {', '.join(each.labels)} | {each.help} |"


def test_the_page_of_the_fleets_metrics_is_as_the_code() -> None:
    """It has a line for each, with its labels and its words, and no other."""
    page = (ROOT / "docs/reference/fleet-metrics.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `midflight_")] == [*_described()]
