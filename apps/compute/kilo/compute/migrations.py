"""How rows catch up, while everything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from compute import spread
from compute.tables import system_metadata
from midflight import Deferred, Row, RowContext, data_migration, to_json


@data_migration(release="kilo", table="instances", key="id", todo="flavor IS NULL", proof="flavor IS NOT NULL")
def migrate_flavor_data(row: Row, db: RowContext) -> Mapping[str, Any]:
    """An instance's flavor lay spread over rows of its system metadata; it goes into one column, as an object.

    One that is in the middle of something is not begun with: it follows when it is saved at the end. One that has a
    flavor in the column already is kept up to date whatever happens to it.
    """
    if row.flavor is None:
        _defer(row)
    said = select(system_metadata.c.key, system_metadata.c.value).where(spread.of_flavors)
    found = db.fetch(said.filter_by(instance_uuid=row.uuid))
    return {"flavor": to_json(spread.flavor((pair.key, pair.value) for pair in found), db.store_manifest)}


def _defer(row: Row) -> None:
    if row.task_state == "resizing":
        raise Deferred("resizing")
    if row.vm_state == "error":
        raise Deferred("error")
