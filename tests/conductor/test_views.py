"""The view that every member is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from midflight.conductor.floors import PinFloors
from midflight.conductor.interface import Member
from midflight.conductor.pins import Pin
from midflight.conductor.viewing import load_view
from midflight.conductor.views import covers, lengthened, short, view_of
from midflight.db import tables
from midflight.db.clock import now
from midflight.db.engine import create, parse, transaction
from midflight.versions import Manifest, Version
from tests.engines import ON_POSTGRESQL

NOW = datetime(2025, 1, 1, tzinfo=UTC)
JUNO = Manifest({"compute": Version(3, 35), "Machine": Version(1, 0)})
KILO = Manifest({"compute": Version(4, 0), "Machine": Version(1, 1)})
SIDE = Manifest({"compute": Version(3, 36)})
KNOWN = {each.digest: each for each in (JUNO, KILO, SIDE)}


def member(host: str, manifest: Manifest, **said: Any) -> Member:
    given = {"id": f"agent-{host}-{manifest.digest}", "service": "agent", "release": "some", "topics": ["compute"]}
    return Member(host=host, manifest=manifest.digest, **{**given, **said})


def view(*present: Member, pins: tuple[Pin, ...] = (), epoch: int = 1, at: datetime = NOW) -> Any:
    return view_of(present, KNOWN, pins, {}, epoch, at)


def test_every_digest_is_explained() -> None:
    """A view has the manifest of every digest that it names, and no others."""
    made = view(member("h1", JUNO), pins=(Pin("*", "kilo", KILO.digest),))
    assert set(made.manifests) == {JUNO.digest, KILO.digest}
    assert Manifest.from_wire(made.manifests[made.pinned["*"]]) == KILO
    assert made.pins == {"*": "kilo"}


def test_two_at_one_host() -> None:
    """Where two members share a host, peers send what both understand."""
    made = view(member("h1", KILO), member("h1", SIDE))
    shared = Manifest.from_wire(made.manifests[made.peers["compute"]["h1"]])
    assert dict(shared) == {"compute": Version(3, 36)}


def test_everybody_in_one_line_for_each_kind() -> None:
    """On the topic of all members, one of each kind stands for all."""
    many = [member(f"h{number}", JUNO) for number in range(50)]
    assert sorted(view(*many, member("new", KILO)).peers["member"].values()) == sorted([JUNO.digest, KILO.digest])


def test_away() -> None:
    """A host is away when nobody there is active."""
    hosts = [
        member("h1", JUNO, state="lost"),
        member("h2", JUNO, state="draining"),
        member("h2", KILO),
        member("h3", JUNO),
    ]
    assert view(*hosts).away == {"compute": ["h1"]}


def test_equal_ids_equal_views() -> None:
    """Views are one by content: neither the order of members nor the time of looking makes another one."""
    one, other = member("h1", JUNO), member("h2", KILO)
    later = datetime(2026, 1, 1, tzinfo=UTC)
    assert view(one, other).id == view(other, one, at=later).id
    assert len({view(one).id, view(other).id, view(one, epoch=2).id}) == 3


def test_covers() -> None:
    """Who understands more covers who understands less, and not the other way round."""
    assert covers(KILO, JUNO)
    assert not covers(JUNO, KILO)
    assert not covers(SIDE, JUNO)


def test_a_short_view_has_one_host_of_each_kind() -> None:
    """So it is as small in a large fleet, and the same when one more of a kind joins; what it says of versions is the
    same as in the long one."""
    many = [member(f"h{number:03}", JUNO) for number in range(500)]
    made, more = view(*many, member("new", KILO)), view(*many, member("h500", JUNO), member("new", KILO))
    assert short(made).peers["compute"] == {"h000": JUNO.digest, "new": KILO.digest}
    assert short(made).id == short(more).id
    assert made.id != more.id
    assert (short(made).manifests, short(made).epoch, short(made).at) == (made.manifests, made.epoch, made.at)


def test_a_short_view_forgets_nobody_who_was_known() -> None:
    """Who is told a short view keeps the hosts from before, as of the lowest kind that is there now, until a long one
    comes; where no kind is the lowest, only those are left of which it is known."""
    before = view(*(member(f"h{number}", KILO) for number in range(3)), member("gone", KILO, state="lost"))
    told = lengthened(short(view(member("h0", JUNO), member("h9", SIDE))), before)
    assert told.peers["compute"] == {"h0": JUNO.digest, "h9": SIDE.digest}
    now = short(view(member("h0", JUNO), member("h9", KILO)))
    lower = lengthened(now, before)
    assert lower.peers["compute"] == {
        "h0": JUNO.digest, "h1": JUNO.digest, "h2": JUNO.digest, "gone": JUNO.digest, "h9": KILO.digest,
    }  # fmt: skip
    assert lower.away == {"compute": ["gone"]}


def test_a_view_that_is_neither_short_nor_long_has_an_id_of_its_own() -> None:
    """Of a small fleet the long view can be the same as the short one: who still believes somebody away, whom neither
    shows as away, must be told at the next beat."""
    long = view(member("h0", JUNO), member("h9", KILO))
    before = view(member("h0", JUNO), member("h9", JUNO, state="draining"))
    told = lengthened(short(long), before)
    assert told.away == {"compute": ["h9"]}
    assert told.id not in (long.id, short(long).id)
    assert lengthened(short(long), short(long)).id == short(long).id


@ON_POSTGRESQL
def test_views_of_conductors_whose_clocks_differ_have_one_order(database_url: str) -> None:
    """A member that was told by the one that is ahead, and is gone, listens to the other one at once: both go by the
    database's clock."""
    engine, floors = create(parse(database_url)), PinFloors(JUNO)
    with transaction(engine, writes=True) as connection:
        tables.metadata.create_all(connection)
    for ahead in (timedelta(minutes=10), timedelta()):
        with transaction(engine, writes=False) as connection:
            view = load_view(connection, now() + ahead)
        assert floors.precedes(view)
        floors.take(view)
    engine.dispose()
