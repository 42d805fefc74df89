"""How far apart the releases of a fleet may be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from midflight.conductor.contract import FRAMEWORK
from midflight.conductor.interface import FleetView, Member
from midflight.conductor.server import ConductorServer
from midflight.conductor.windows import Order, check_view, mark_outdated
from midflight.context import Context
from midflight.db.engine import Database
from midflight.db.schema.runner import SchemaRunner
from midflight.db.tables import members
from midflight.errors import OutsideWindow, ProjectError, StepBlocked
from midflight.project import Project
from midflight.versions import Manifest, Version
from tests.conductor.world import freeze

RELEASES = {"juno": 1, "kilo": 2, "kilo.1": 2, "liberty": 3, "mitaka": 4}
HERE = Context()
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def manifest(release: str) -> Manifest:
    return Manifest({"compute": Version(3, RELEASES[release]), **FRAMEWORK})


def project(folder: Path, **windows: int) -> Project:
    for sequence, name in enumerate(RELEASES, start=1):
        freeze(folder / "releases", name, sequence, Manifest({"compute": Version(3, RELEASES[name])}))
    return Project("cloud", releases=folder / "releases", **windows)  # type: ignore[arg-type]


class Fleet:
    """A conductor's server whose members say hello."""

    def __init__(self, made: Project, database: Database) -> None:
        self.made, self.server = made, ConductorServer(made, database, clock=lambda: NOW)
        self.database = database

    def again(self, **windows: Any) -> None:
        """Another conductor, with other windows."""
        for name, window in windows.items():
            setattr(self.made, name, window)
        self.server = ConductorServer(self.made, self.database, clock=lambda: NOW)

    async def hello(self, name: str, release: str, **said: Any) -> None:
        service, host, _ = name.split(".")
        understood = said.pop("understood", None) or manifest(release)
        member = Member(id=name, service=service, host=host, release=release, manifest=understood.digest, **said)
        await self.server.hello(HERE, member, understood.to_wire())

    async def states(self) -> dict[str, str]:
        return {member.id: member.state for member in (await self.server.fleet(HERE)).members}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    url = f"sqlite:///{tmp_path}/fleet.db"
    SchemaRunner(url, None, None, "juno").expand()
    database = await Database.open(url)
    yield Fleet(project(tmp_path), database)
    await database.close()


async def test_a_neighbour_may_join(fleet: Fleet) -> None:
    """One release back or ahead is in the window, whatever its fixes."""
    for number, release in enumerate(("kilo", "juno", "kilo.1", "liberty")[:3]):
        await fleet.hello(f"agent.h{number}.0", release)
    assert len(await fleet.states()) == 3


async def test_too_old(fleet: Fleet) -> None:
    """Who is too old is refused with the path, and may not join."""
    await fleet.hello("agent.h1.0", "liberty")
    said = (
        r"agent of release juno may not join.* at most 1 apart.*agent@h1 \(liberty, active\).*juno → kilo → liberty: "
    )
    with pytest.raises(OutsideWindow, match=f"{said}start it with the code of kilo or liberty") as refused:
        await fleet.hello("agent.h2.0", "juno")
    assert refused.value.exit_code == 78
    assert await fleet.states() == {"agent.h1.0": "active"}


async def test_too_new(fleet: Fleet) -> None:
    """Who is too new is told who has to come first; the lost hold it up too, and who sleeps or is retired does not."""
    await fleet.hello("agent.h1.0", "juno", beat_seconds=0.001)
    with pytest.raises(OutsideWindow, match=r"juno → kilo → liberty: bring those to kilo first, or retire who is gone"):
        await fleet.hello("agent.h2.0", "liberty")
    await fleet.server.beat(HERE, "agent.h1.0", "asleep", 0, "", [])
    await fleet.hello("agent.h2.0", "liberty")
    assert await fleet.states() == {"agent.h1.0": "outdated", "agent.h2.0": "active"}


async def test_n_minus_two(fleet: Fleet) -> None:
    """With a window of two releases, two back works, and three do not."""
    fleet.again(skew_window=2)
    await fleet.hello("agent.h1.0", "juno")
    await fleet.hello("agent.h2.0", "liberty")
    with pytest.raises(OutsideWindow, match="at most 2"):
        await fleet.hello("agent.h3.0", "mitaka")


async def test_the_window_of_the_database_is_another(fleet: Fleet) -> None:
    """Who opens the database has to be nearer to others that do; agents may be further away."""
    fleet.again(skew_window=2)
    await fleet.hello("agent.h1.0", "juno")
    await fleet.hello("api.h1.0", "liberty", database=True)
    with pytest.raises(OutsideWindow, match=r"at most 2 \(at the database 1\) apart.*api@h1 \(liberty, active\)"):
        await fleet.hello("api.h2.0", "juno", database=True)
    fleet.again(store_window=2)
    await fleet.hello("api.h2.0", "juno", database=True)


async def test_who_opens_the_database_and_knows_no_later_release(fleet: Fleet, tmp_path: Path) -> None:
    """It asks nobody but itself. The order of the releases is beside the rows of those that came before, and so it does
    not start, nor lets others in or a pin be set that it could not judge."""
    await fleet.hello("api.h1.0", "liberty", database=True)
    of_a_later_midflight = {"order": {**Order.of(fleet.made)._asdict(), "what is new in it": 1}}
    await fleet.database.write(lambda rows: rows.execute(update(members).values(facts=of_a_later_midflight)))
    for later in ("kilo.1", "liberty", "mitaka"):
        (tmp_path / "releases" / f"{later}.toml").unlink()
    fleet.made = Project("cloud", releases=tmp_path / "releases")
    fleet.again()
    for name, opens in (("api.h2.0", True), ("agent.h3.0", False)):
        with pytest.raises(OutsideWindow, match=r"api@h1 \(liberty, active\). The path is juno → kilo → liberty"):
            await fleet.hello(name, "juno", database=opens)
    with pytest.raises(StepBlocked, match="Pinning to juno.*members of liberty"):
        await fleet.server.set_pin(HERE, "*", "juno")
    assert await fleet.states() == {"api.h1.0": "active"}


async def test_who_is_a_member_stays_one(fleet: Fleet) -> None:
    """Windows are for who joins: whoever says hello again is not thrown out, but who was asleep joins anew."""
    await fleet.hello("agent.h1.0", "juno")
    await fleet.hello("agent.h2.0", "kilo")
    await fleet.server.beat(HERE, "agent.h1.0", "asleep", 0, "", [])
    fleet.again()
    await fleet.hello("agent.h3.0", "liberty")
    with pytest.raises(OutsideWindow):
        await fleet.hello("agent.h1.0", "juno")
    await fleet.hello("agent.h2.0", "kilo")
    assert await fleet.states() == {"agent.h1.0": "outdated", "agent.h2.0": "active", "agent.h3.0": "active"}


async def test_a_sleeper_is_never_lost_and_holds_nothing(fleet: Fleet) -> None:
    """Who announced that it sleeps stays asleep, however silent, and the others speak as they understand."""
    await fleet.hello("agent.h1.0", "juno", beat_seconds=0.001, topics=["compute"])
    await fleet.hello("agent.h2.0", "kilo", topics=["compute"])
    await fleet.server.beat(HERE, "agent.h1.0", "asleep", 0, "", [])
    fleet.again()
    view = await fleet.server.beat(HERE, "agent.h2.0", "active", 0, "", [])
    assert view is not None
    assert view.peers["compute"] == {"h2": manifest("kilo").digest}
    assert (await fleet.states())["agent.h1.0"] == "asleep"


async def test_a_member_that_lies_about_its_release(fleet: Fleet) -> None:
    """What its manifest says decides: who says kilo and understands what juno does, does not join."""
    with pytest.raises(
        OutsideWindow, match=r"says that it runs kilo, but its manifest has compute 3.1, and kilo has 3.2"
    ):
        await fleet.hello("agent.h1.0", "kilo", understood=manifest("juno"))
    assert await fleet.states() == {}
    newer = Manifest({**manifest("kilo"), "Midflight": Version(1, 0)})
    await fleet.hello("agent.h1.0", "kilo", understood=newer)


async def test_a_pin_that_is_too_old(fleet: Fleet) -> None:
    """Nobody is pinned to what a member's code does not speak any more."""
    await fleet.hello("agent.h1.0", "kilo")
    await fleet.hello("agent.h2.0", "liberty")
    with pytest.raises(StepBlocked, match=r"Pinning to juno.*members of liberty speak at most 1 before"):
        await fleet.server.set_pin(HERE, "*", "juno")
    assert (await fleet.server.fleet(HERE)).pins == {}


def test_who_sees_no_rows_judges_by_the_view(tmp_path: Path) -> None:
    """A member that starts knows the releases before its own: it does not start beside one that is too old for it."""
    made, old = project(tmp_path), manifest("juno")
    view = FleetView(id="x", epoch=1, peers={"compute": {"h1": old.digest}}, manifests={old.digest: old.to_wire()})
    check_view(view, made, "agent", "kilo")
    with pytest.raises(OutsideWindow, match=r"there is juno. The path is juno → kilo → liberty: bring those to kilo"):
        check_view(view, made, "agent", "liberty")


def test_what_nobody_has_frozen_cannot_be_judged(tmp_path: Path) -> None:
    """It counts as near."""
    made = project(tmp_path)
    order = Order.of(made)
    assert [order.apart("juno", other) for other in ("unreleased", "kilo.1", "mitaka")] == [0, 1, 3]


def test_outdated(tmp_path: Path) -> None:
    """Only who sleeps is called so, and only while somebody is awake that is too far ahead."""
    made = project(tmp_path)
    said: dict[str, Any] = {"service": "agent", "manifest": "x"}
    sleeper = Member(id="a", host="h1", release="juno", state="asleep", **said)
    lost = Member(id="b", host="h2", release="liberty", state="lost", **said)
    mark_outdated([sleeper, lost], made)
    assert sleeper.state == "asleep"
    lost.state = "active"
    mark_outdated([sleeper, lost], made)
    assert (sleeper.state, lost.state) == ("outdated", "active")


@pytest.mark.parametrize("name", ["skew_window", "store_window"])
def test_windows_that_are_none(tmp_path: Path, name: str) -> None:
    """A window is a number of releases."""
    with pytest.raises(ProjectError, match=rf"Project\({name}=…\): received -1, expected 0 or more"):
        project(tmp_path, **{name: -1})
