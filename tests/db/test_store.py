"""Under which manifest objects are written."""

from pathlib import Path

from sqlalchemy import Connection

from midflight.db.engine import Database
from midflight.db.store import Store, store_of
from midflight.versions import Manifest, Release, Version


def manifest(**versions: str) -> Manifest:
    return Manifest({name: Version.parse(version) for name, version in versions.items()})


JUNO = Release("juno", manifest(Flavor="1.0"), 1)
KILO = Release("kilo", manifest(Flavor="1.1", Disk="1.0"), 2)
LIMA = Release("lima", manifest(Flavor="1.2", Disk="1.1", Tag="1.0"), 3)
OWN = manifest(Flavor="1.3", Disk="1.1", Tag="1.0", Note="1.0")


def store(floor: int | None) -> Store:
    return Store(OWN, [JUNO, KILO, LIMA], None if floor is None else (floor, floor))


def test_each_object_is_written_for_the_oldest_release_that_has_it() -> None:
    """The floor's own version; what it has never heard of is written for the first that has, or in our own version."""
    assert store(1).manifest() == manifest(Flavor="1.0", Disk="1.0", Tag="1.0", Note="1.0")
    assert store(2).manifest() == manifest(Flavor="1.1", Disk="1.0", Tag="1.0", Note="1.0")
    assert store(3).manifest() == manifest(Flavor="1.2", Disk="1.1", Tag="1.0", Note="1.0")


def test_what_is_read_since_a_release_is_written_for_that_or_for_the_floor_if_it_is_later() -> None:
    """A release that is not frozen yet is our own."""
    assert store(1).manifest("kilo") == store(2).manifest()
    assert store(3).manifest("kilo") == store(3).manifest()
    assert store(1).manifest("mike") is None


def test_a_fix_that_was_frozen_late_reads_what_is_written_for_its_release() -> None:
    """kilo.1 is no lima, though it has the higher number: what it brought is written as it understands it, until the
    floor is above it."""
    late = Release("kilo.1", manifest(Flavor="1.1", Disk="1.0", Tag="0.9"), 4)
    assert Store(OWN, [JUNO, KILO, LIMA, late], (2, 2)).manifest() == manifest(
        Flavor="1.1", Disk="1.0", Tag="0.9", Note="1.0"
    )
    assert Store(OWN, [JUNO, KILO, LIMA, late], (3, 3)).manifest() == store(3).manifest()


def test_without_a_floor_the_versions_are_our_own() -> None:
    """So it is in a process that knows nothing of releases."""
    assert (store(None).manifest(), store(None).manifest("juno"), Store().manifest()) == (None, None, None)


async def test_all_of_a_transaction_is_written_for_the_same_readers(tmp_path: Path) -> None:
    """Work that was given before the floor rises sees the one or the other, never both."""
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")

    def rises(connection: Connection) -> tuple[Store, Store]:
        before, database.store = store_of(connection), store(2)
        return before, store_of(connection)

    before, after = await database.read(rises)
    assert before is after
    assert before.manifest() is None
    assert (await database.read(store_of)).manifest() == store(2).manifest()
    assert database.store_manifest("lima") == store(3).manifest()
    await database.close()
