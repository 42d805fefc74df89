"""What a pin means, and its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from midflight.conductor import pin_rows, pins
from midflight.db import journal
from midflight.db.engine import Database
from midflight.errors import UsageError
from midflight.versions import Manifest, Release, Version
from tests.conductor.world import World


def release(name: str, sequence: int, compute: str, machine: str) -> Release:
    versions = {"compute": Version.parse(compute), "Machine": Version.parse(machine)}
    return Release(name, Manifest(versions), sequence)


RELEASES = (release("juno", 1, "3.35", "1.0"), release("juno.1", 2, "3.35", "1.1"), release("kilo", 3, "4.0", "1.2"))


def test_release_by_name() -> None:
    """A pin by name is that release's manifest, for a topic or for all."""
    for topic in ("compute", "*"):
        assert pins.pinned_manifest(topic, "kilo", RELEASES) == RELEASES[2].manifest


def test_bare_number() -> None:
    """A bare number pins one interface, and objects follow the oldest release that has it."""
    assert pins.pinned_manifest("compute", "3.35", RELEASES)["Machine"] == Version(1, 0)


@pytest.mark.parametrize(
    ("topic", "pin", "said"),
    [
        ("*", "liberty", "received pin 'liberty' .* juno, juno.1, kilo"),
        ("*", "3.35", "received pin '3.35' for topic '\\*'"),
        ("compute", "3.36", "no frozen release has: juno 3.35, juno.1 3.35, kilo 4.0"),
        ("network", "1.0", "no frozen release has: none"),
    ],
)
def test_refused(topic: str, pin: str, said: str) -> None:
    """A pin that no frozen release explains is refused, and the refusal names those that there are."""
    with pytest.raises(UsageError, match=said):
        pins.pinned_manifest(topic, pin, RELEASES)


@pytest.fixture
async def database(world: World) -> AsyncIterator[Database]:
    database = await Database.open(world.database)
    yield database
    await database.close()


async def test_epochs(database: Database) -> None:
    """Each change is an epoch of its own and a journal entry; what changes nothing is neither."""
    juno, kilo = RELEASES[0].manifest, RELEASES[2].manifest
    epochs = [
        await database.write(pin_rows.clear_pin, "*"),
        await database.write(pin_rows.set_pin, "*", "juno", juno),
        await database.write(pin_rows.set_pin, "*", "juno", juno),
        await database.write(pin_rows.set_pin, "compute", "kilo", kilo),
        await database.write(pin_rows.set_pin, "*", "kilo", kilo),
        await database.write(pin_rows.clear_pin, "*"),
        await database.write(pin_rows.clear_pin, "*"),
    ]
    assert epochs == [0, 1, 1, 2, 3, 4, 4]
    assert await database.read(pin_rows.current) == [pins.Pin("compute", "kilo", kilo.digest)]
    kinds = [entry.kind for entry in await database.read(journal.read)]
    assert [kind for kind in kinds if kind.startswith("pin.")] == ["pin.set"] * 3 + ["pin.cleared"]
