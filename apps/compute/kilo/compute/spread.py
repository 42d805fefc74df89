"""An instance's flavor, spread over rows of its system metadata: one row a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from compute.objects.flavor import Flavor
from compute.tables import instances, system_metadata

PREFIX = "instance_type_"
FIELDS = ("id", "name", "memory_mb", "vcpus", "root_gb", "description")
of_flavors = system_metadata.c.key.startswith(PREFIX, autoescape=True)


def scatter(connection: Connection, uuid: str, flavor: Flavor) -> None:
    """Let an instance's rows say this flavor, and nothing of the one before."""
    connection.execute(delete(system_metadata).where(of_flavors).filter_by(instance_uuid=uuid))
    said = {name: getattr(flavor, name) for name in FIELDS}
    rows = [{"key": PREFIX + name, "value": str(value)} for name, value in said.items() if value is not None]
    connection.execute(insert(system_metadata).values(instance_uuid=uuid), rows)


def gather(connection: Connection, by: Mapping[str, Any]) -> dict[str, Flavor]:
    """The flavors of the instances with these values, by the instance's UUID."""
    columns = system_metadata.c.instance_uuid, system_metadata.c.key, system_metadata.c.value
    said = select(*columns).join(instances).where(of_flavors).filter_by(**by).order_by(columns[0])
    found = groupby(connection.execute(said), key=lambda row: row[0])
    return {uuid: flavor((key, value) for _, key, value in rows) for uuid, rows in found}


def flavor(said: Iterable[tuple[str, str]]) -> Flavor:
    """The flavor that the pairs of key and value of one instance say."""
    values: dict[str, Any] = {key.removeprefix(PREFIX): value for key, value in said}
    found = Flavor(**{name: values[name] for name in FIELDS if name in values})
    found.reset_changes()
    return found
