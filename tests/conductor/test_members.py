"""Members come, beat, fall silent and leave, by the conductor's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from midflight.conductor import pin_rows
from midflight.conductor.contract import contract_of
from midflight.conductor.interface import FleetView, Member
from midflight.conductor.members import of_services
from midflight.conductor.server import ConductorServer
from midflight.context import Context
from midflight.db.engine import Database
from midflight.db.tables import members
from midflight.errors import InvalidValue, NotAMember, UsageError
from midflight.versions import Manifest
from tests.conductor import juno, kilo
from tests.conductor.world import World

JUNO, KILO = (contract_of(release.project()).manifest for release in (juno, kilo))
HERE = Context()


class Registry:
    """A conductor's server with a clock that is moved by hand."""

    def __init__(self, world: World, database: Database) -> None:
        self.now = datetime(2025, 1, 1, tzinfo=UTC)
        self.database = database
        self.server = ConductorServer(world.project(), database, clock=lambda: self.now)

    async def hello(self, name: str, manifest: Manifest = JUNO, **said: Any) -> FleetView:
        service, host, _ = name.split(".")
        release = "kilo" if manifest == KILO else "juno"
        member = Member(id=name, service=service, host=host, release=release, manifest=manifest.digest, **said)
        return await self.server.hello(HERE, member, manifest.to_wire())

    async def beat(self, name: str, view: str = "", state: str = "active", epoch: int = 0) -> FleetView | None:
        return await self.server.beat(HERE, name, state, epoch, view, [])

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.server = ConductorServer(self.server._project, self.database, clock=lambda: self.now)

    async def states(self) -> dict[str, str]:
        return {member.id: member.state for member in (await self.server.fleet(HERE)).members}


@pytest.fixture
async def registry(world: World) -> AsyncIterator[Registry]:
    database = await Database.open(world.database)
    yield Registry(world, database)
    await database.close()


@pytest.mark.parametrize("seconds", [1e300, float("inf"), 0.0, -1.0, 86_400.1])
async def test_a_beat_that_never_comes_is_refused(registry: Registry, seconds: float) -> None:
    """Who says that it beats never, or not within a day, does not join, and nobody else hears of it."""
    await registry.hello("agent.h1.0")
    with pytest.raises(
        InvalidValue, match=r"beat_seconds: received .*, expected more than 0 seconds, and at most 86400"
    ):
        await registry.hello("agent.h2.0", beat_seconds=seconds)
    assert await registry.states() == {"agent.h1.0": "active"}


async def test_a_beat_in_a_row_of_before_does_no_harm(registry: Registry) -> None:
    """A row that says what is refused now is read like any other."""
    await registry.hello("agent.h1.0")
    await registry.database.write(lambda connection: connection.execute(update(members).values(beat_seconds=1e300)))
    assert await registry.states() == {"agent.h1.0": "active"}


@pytest.mark.parametrize(
    "said",
    [
        {"host": "x\ny"},
        {"host": "<script>alert(1)</script>"},
        {"service": "a/../b"},
        {"id": "b.c"},
        {"id": "b.d.a"},
        {"id": "b.c.*"},
        {"topics": ["*"]},
    ],
)
async def test_names_that_are_no_address_are_refused(registry: Registry, said: dict[str, Any]) -> None:
    """A member's service, host and topics are words of an address, and its id begins with two of them, or it does not
    join."""
    member = Member(**{"id": "b.c.a", "service": "b", "host": "c", "release": "juno", "manifest": JUNO.digest} | said)
    with pytest.raises(
        InvalidValue, match=r"hello\(member\)\.\w+: received .*, expected (letters, digits|b.c., and a name)"
    ):
        await registry.server.hello(HERE, member, JUNO.to_wire())
    assert await registry.states() == {}


async def test_hello_and_leave(registry: Registry) -> None:
    """A member is there from its hello to its leave, and what it said of itself can be read."""
    view = await registry.hello("agent.h1.0", topics=["compute"], overrides={"compute": "juno"}, code="/code")
    assert view.peers["compute"] == {"h1": JUNO.digest}
    (member,) = (await registry.server.fleet(HERE)).members
    assert (member.id, member.overrides, member.code, member.state) == (
        "agent.h1.0",
        {"compute": "juno"},
        "/code",
        "active",
    )
    await registry.server.leave(HERE, "agent.h1.0")
    await registry.server.leave(HERE, "agent.h1.0")
    assert await registry.states() == {}


async def test_lost_after_three_missed_beats(registry: Registry) -> None:
    """A member is lost when it has missed three of its own beats, and active again at the next one; its age is told."""
    await registry.hello("agent.h1.0", beat_seconds=10, topics=["compute"])
    await registry.hello("agent.h2.0", beat_seconds=1)
    registry.pass_(29)
    assert await registry.states() == {"agent.h1.0": "active", "agent.h2.0": "lost"}
    registry.pass_(2)
    fleet = await registry.server.fleet(HERE)
    assert {member.id: (member.state, member.age) for member in fleet.members} == {
        "agent.h1.0": ("lost", 31.0), "agent.h2.0": ("lost", 31.0),
    }  # fmt: skip
    view = await registry.beat("agent.h1.0")
    assert await registry.states() == {"agent.h1.0": "active", "agent.h2.0": "lost"}
    assert view is not None
    assert view.away == {}


async def test_who_is_told_at_once_is_awake(registry: Registry) -> None:
    """Nobody waits for the answer of one that is lost, though its row says that it is active; agents are left out."""
    for name in ("conductor.c1.1", "api.h1.1", "agent.h1.1"):
        await registry.hello(name)
    await registry.hello("api.h2.1", state="asleep")
    assert await registry.database.read(of_services, {"agent"}, registry.now) == ["api.h1.1", "conductor.c1.1"]
    registry.pass_(25.0)
    await registry.hello("conductor.c1.1")
    registry.pass_(10.0)
    assert await registry.database.read(of_services, {"agent"}, registry.now) == ["conductor.c1.1"]


async def test_a_lost_member_holds_the_floor(registry: Registry) -> None:
    """Who is lost may come back: it counts for the floor, and gets no new work."""
    await registry.hello("api.h1.0", beat_seconds=1, topics=["compute"])
    registry.pass_(10)
    view = await registry.hello("api.h2.0", KILO, topics=["compute"])
    assert view.peers["compute"] == {"h1": JUNO.digest, "h2": KILO.digest}
    assert view.away == {"compute": ["h1"]}


async def test_a_killed_member_has_a_successor(registry: Registry) -> None:
    """A lost member whose service and host have a later one is gone: nothing stale holds the floor."""
    await registry.hello("agent.h1.0", beat_seconds=1, topics=["compute"])
    registry.pass_(1)
    view = await registry.hello("agent.h1.1", KILO, topics=["compute"])
    assert view.peers["compute"]["h1"] not in (KILO.digest,)  # both may still live: what both understand
    registry.pass_(5)
    await registry.beat("agent.h1.1")
    assert await registry.states() == {"agent.h1.1": "active"}
    again = await registry.hello("agent.h1.1", KILO, topics=["compute"])
    assert again.peers["compute"] == {"h1": KILO.digest}


async def test_no_crash_leaves_a_row_for_ever(registry: Registry) -> None:
    """Who was killed is forgotten when its successor takes work, however often that happens."""
    for life in range(5):
        await registry.hello(f"agent.h1.{life}", beat_seconds=1)
        await registry.hello(f"agent.h1.{life}", beat_seconds=1, topics=["compute"])
        registry.pass_(10)
    rows = await registry.database.read(lambda connection: connection.execute(select(members.c.id)).scalars().all())
    assert rows == ["agent.h1.4"]


async def test_retire(registry: Registry) -> None:
    """A retired member counts for nothing, and joins again if it lives; there is no retiring a stranger."""
    await registry.hello("agent.h1.0", topics=["compute"])
    await registry.server.retire_member(HERE, "agent.h1.0")
    assert await registry.states() == {}
    with pytest.raises(NotAMember, match="agent.h1.0"):
        await registry.beat("agent.h1.0")
    with pytest.raises(UsageError, match="agent.h1.0"):
        await registry.server.retire_member(HERE, "agent.h1.0")
    view = await registry.hello("agent.h1.0", topics=["compute"])
    assert "h1" in view.peers["compute"]
    assert [entry.kind for entry in await registry.server.journal(HERE, None)].count("member.retired") == 1


async def test_a_beat_answers_only_what_is_new(registry: Registry) -> None:
    """A beat is answered by a view where the member has another one, and by nothing where it has the same."""
    view = await registry.hello("api.h1.0", topics=["compute"])
    assert await registry.beat("api.h1.0", view.id) is None
    registry.pass_(1)
    await registry.hello("api.h2.0", topics=["compute"])
    changed = await registry.beat("api.h1.0", view.id)
    assert changed is not None
    assert sorted(changed.peers["compute"]) == ["h1", "h2"]


async def test_one_more_agent_concerns_no_other(registry: Registry) -> None:
    """An agent is told of one host of each kind. So its view is as small in a large fleet, and stays the same when one
    more joins or leaves; who is no agent knows all of them."""
    first = await registry.hello("agent.h1.0", topics=["compute"])
    for number in range(2, 30):
        again = await registry.hello(f"agent.h{number:02}.0", topics=["compute"])
        registry.pass_(1)
    assert again.peers["compute"] == {"h02": JUNO.digest}
    assert len(first.peers["compute"]) == 1
    assert await registry.beat("agent.h05.0", again.id) is None
    await registry.hello("agent.h30.0", topics=["compute"])
    await registry.server.leave(HERE, "agent.h29.0")
    registry.pass_(1)
    assert await registry.beat("agent.h05.0", again.id) is None
    seen = await registry.hello("api.h1.0", topics=["api"])
    assert sorted(seen.peers["compute"]) == sorted({"h1", *(f"h{number:02}" for number in range(2, 31))} - {"h29"})
    newer = await registry.hello("agent.h31.0", KILO, topics=["compute"])
    assert newer.peers["compute"] == {"h02": JUNO.digest, "h31": KILO.digest}
    assert await registry.beat("agent.h05.0", again.id) == newer


async def test_who_joins_is_told_of_a_pin_that_another_conductor_has_set(registry: Registry) -> None:
    """Though this one has looked a moment ago, and one more agent is no reason to look again."""
    first = await registry.hello("agent.h1.0", topics=["compute"])
    await registry.hello("agent.h2.0", topics=["compute"])
    epoch = await registry.database.write(pin_rows.set_pin, "*", "juno", JUNO)
    joined = await registry.hello("agent.h3.0", topics=["compute"])
    assert (first.epoch, joined.epoch, joined.pins) == (epoch - 1, epoch, {"*": "juno"})


async def test_draining(registry: Registry) -> None:
    """A draining member says so by its beat, and gets no new work."""
    await registry.hello("api.h1.0", topics=["compute"])
    view = await registry.beat("api.h1.0", state="draining")
    registry.pass_(0)
    view = await registry.beat("api.h1.0", state="draining")
    assert await registry.states() == {"api.h1.0": "draining"}
    assert view is not None
    assert view.away == {"compute": ["h1"]}


async def test_manifests_by_digest(registry: Registry) -> None:
    """What a member understands can be asked for by its digest, and a hello that contradicts itself is refused."""
    await registry.hello("agent.h1.0")
    assert await registry.server.manifest(HERE, JUNO.digest) == JUNO.to_wire()
    assert await registry.server.manifest(HERE, "0" * 16) is None
    member = Member(id="x.h1.0", service="x", host="h1", release="juno", manifest=KILO.digest)
    with pytest.raises(InvalidValue, match=JUNO.digest):
        await registry.server.hello(HERE, member, JUNO.to_wire())
    with pytest.raises(InvalidValue, match="hello"):
        await registry.server.hello(HERE, member, {"compute": ["three"]})


async def test_one_more_of_an_old_kind_is_told_to_nobody(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a fleet of two releases all are told at once of the first that understands less, and of one that understands
    less than its predecessor on that host; and not of each that restarts as it was."""
    told: list[str] = []

    async def tell(context: Context, epoch: int = 0) -> None:
        told.append(joining)

    for joining, manifest, topics in (
        ("agent.h1.0", KILO, ["compute"]),
        ("agent.h2.0", JUNO, ["compute"]),
        ("agent.h3.0", JUNO, ["compute"]),
        ("agent.h2.1", JUNO, ["compute"]),
        ("agent.h4.0", KILO, ["compute"]),
        ("agent.h4.1", KILO, ["compute"]),
        ("agent.h1.1", JUNO, ["compute"]),
        ("agent.h5.0", JUNO, []),
    ):
        monkeypatch.setattr(registry.server, "_tell", tell)
        await registry.hello(joining, manifest, topics=topics)
    assert told == ["agent.h2.0", "agent.h1.1"]
