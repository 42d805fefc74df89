"""The schema of the sample through its three releases, on both engines: each refusal, until nobody needs what goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, inspect, text, update

from midflight.db import tables
from midflight.db.clock import now
from midflight.db.engine import create, parse, transaction
from midflight.db.schema import frozen_tables
from midflight.db.schema.contracting import ContractRunner, Way
from midflight.db.schema.refusals import Reader
from midflight.db.schema.runner import SchemaRunner
from midflight.db.write_form import Form
from midflight.errors import StepBlocked

COMPUTE = Path(__file__).resolve().parents[2] / "apps" / "compute"
RELEASES = ("juno", "kilo", "liberty")
OLD_HOME = "instance_system_metadata"
MIGRATION = "migrate_flavor_data"


class Cloud:
    """One database, and what the operators of each release do to it."""

    def __init__(self, url: str) -> None:
        self.url, self.engine = url, create(parse(url))

    def expand(self, release: str) -> list[str]:
        return self._expander(release).expand([MIGRATION] if release == "kilo" else [])

    def pending(self, release: str) -> tuple[str, ...]:
        return self._expander(release).status().pending

    def contract(self, release: str, way: Way) -> list[str]:
        schema = COMPUTE / release / "schema"
        known = [name for name in RELEASES if (schema / "tables" / f"{name}.toml").exists()]
        frozen = [frozen_tables.read(schema, name) for name in known]
        readers = [Reader(each.release, (n, n), each.things) for n, each in enumerate(frozen, 1) if each]
        return ContractRunner(self.url, schema, release, readers, patience=5).run(way)

    def refused(self, release: str, way: Way | None = None) -> str:
        with pytest.raises(StepBlocked) as blocked:
            self.expand(release) if way is None else self.contract(release, way)
        assert blocked.value.exit_code == 2
        return blocked.value.reason

    def _expander(self, release: str) -> SchemaRunner:
        return SchemaRunner(self.url, COMPUTE / release / "schema", None, release)

    def run(self, *statements: Any) -> None:
        with transaction(self.engine, writes=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def tables(self) -> set[str]:
        with self.engine.connect() as connection:
            return {name for name in inspect(connection).get_table_names() if OLD_HOME in name}

    def prove(self) -> None:
        """What `midflight data run` leaves behind."""
        row = {"state": "proven", "updated_at": now(), "cursor": {}, "passes": 2, "matched": 1, "completed": 1}
        self.run(insert(tables.data_migrations).values(name=MIGRATION, deferred={}, failed=0, **row))

    def finalize(self, release: str) -> None:
        """What `midflight upgrade finalize` leaves behind."""
        floor = {"id": 1, "store_floor": release, "sequence": RELEASES.index(release) + 1}
        self.run(
            update(tables.forms).values(form=Form.NEW.value), delete(tables.floor), insert(tables.floor).values(floor)
        )

    def join(self, member: str, release: str) -> None:
        facts = {"service": "api", "host": "h", "release": release, "manifest": "m", "topics": [], "database": True}
        more = {"code": "", "overrides": {}, "state": "lost", "epoch": 0, "facts": {}, "beat_seconds": 1.0}
        self.run(insert(tables.members).values(id=member, **facts, **more, joined_at=now(), seen_at=now()))

    def retire(self, member: str) -> None:
        self.run(update(tables.members).where(tables.members.c.id == member).values(state="retired"))


@pytest.fixture
def cloud(database_url: str) -> Iterator[Cloud]:
    """A cloud of kilo, expanded from juno, in which an instance still says its flavor in both ways."""
    cloud = Cloud(database_url)
    cloud.expand("juno")
    cloud.expand("kilo")
    columns = "uuid, display_name, vm_state, power_state, locked, reboots, metadata, created_at, flavor"
    values = (
        "'u', 'x', 'active', 'running', false, 0, '{}', '2014-10-16', '{\"$\": \"Flavor:1.1\", \"name\": \"small\"}'"
    )
    row = "(instance_uuid, key, value) VALUES ('u', 'instance_type_name', 'small')"
    cloud.run(text(f"INSERT INTO instances ({columns}) VALUES ({values})".replace(":", "\\:")))
    cloud.run(text(f"INSERT INTO {OLD_HOME} {row}"))
    yield cloud
    cloud.engine.dispose()


def test_liberty_expands_when_kilo_has_moved_its_rows(cloud: Cloud) -> None:
    """Not while its data migration is unproven, nor before it is finalized, nor while the old rows are there: liberty
    knows nothing of them, and an instance that it deletes would be held by them."""
    assert f"0003: data migration {MIGRATION} is pending, and not proven: midflight data run" in cloud.refused(
        "liberty"
    )
    cloud.prove()
    assert f"0003: data migration {MIGRATION} is proven, and at 'both, read old': midflight" in cloud.refused("liberty")
    assert "data migration" in cloud.refused("kilo", Way.PURGE)
    cloud.finalize("kilo")
    assert cloud.refused("liberty").startswith("0003: contract revision 0002c is waiting, and not purged: midflight db")
    assert cloud.pending("liberty") == ("0003",)
    assert cloud.contract("kilo", Way.PURGE) == ["0002c"]
    assert cloud.expand("liberty") == ["0003"]
    cloud.run(text("DELETE FROM instances"))


def test_the_home_of_the_old_rows_goes_when_nobody_may_come_back_who_needs_it(cloud: Cloud) -> None:
    """A juno that is lost, a kilo that works or may come back, and the time of its hold are in the way, each by name;
    in the end the catalogue has it no more, under either name."""
    cloud.prove()
    cloud.finalize("kilo")
    cloud.join("api-h-1", "juno")
    juno = "member api-h-1 is of release juno, which uses "
    assert cloud.refused("kilo", Way.PURGE).startswith(juno + "what it changes, perhaps")
    cloud.retire("api-h-1")
    cloud.contract("kilo", Way.PURGE)
    cloud.expand("liberty")
    cloud.join("api-h-2", "kilo")
    cloud.join("api-h-3", "juno")
    against = cloud.refused("liberty", Way.HOLD)
    assert f"member api-h-2 is of release kilo, which uses table {OLD_HOME}" in against
    assert f"member api-h-3 is of release juno, which uses table {OLD_HOME}" in against
    for member in ("api-h-2", "api-h-3"):
        cloud.retire(member)
    may_return = "release kilo may come back: the store floor is kilo (midflight upgrade finalize)"
    assert cloud.refused("liberty", Way.HOLD) == may_return
    cloud.finalize("liberty")
    assert cloud.refused("liberty", Way.PURGE) == "it was not hidden yet: midflight db contract --hold"
    assert cloud.contract("liberty", Way.HOLD) == ["0003c"]
    assert cloud.tables() == {f"mf_held_{OLD_HOME}"}
    assert "and to stay so for" in cloud.refused("liberty", Way.PURGE)
    assert cloud.contract("liberty", Way.UNDO) == ["0003c"]
    assert cloud.tables() == {OLD_HOME}
    cloud.contract("liberty", Way.HOLD)
    cloud.run(update(tables.contracts).values(held_at=now() - timedelta(minutes=1)))
    assert cloud.contract("liberty", Way.PURGE) == ["0003c"]
    assert cloud.tables() == set()


def test_who_begins_with_liberty_has_nothing_to_catch_up_with(database_url: str) -> None:
    """A new database is expanded through all releases at once, and contracted as any other."""
    cloud = Cloud(database_url)
    assert cloud.expand("liberty")[-3:] == ["0001", "0002", "0003"]
    cloud.finalize("liberty")
    assert cloud.contract("liberty", Way.PURGE) == ["0002c"]
    assert cloud.contract("liberty", Way.HOLD) == ["0003c"]
    cloud.engine.dispose()
