"""The row of the store floor: the oldest release that must still read what is written."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from midflight.db.tables import floor
from midflight.versions import Place, Release

NO_FLOOR: Place = (0, 0)
"""Where the floor stands as long as none was raised: before every release."""


def present_floor(connection: Connection, known: Mapping[str, Place]) -> tuple[str, Place]:
    """The name of the release, and where it stands in a history of which these releases are ``known``; an empty one
    where no floor was raised.

    The row has the number under which the release was frozen, which a fix of an earlier one may have too, on a branch
    of its own. So a fix that nobody here has frozen stands behind its release, and any other release behind all that
    were frozen before it.
    """
    row = connection.execute(select(floor.c.store_floor, floor.c.sequence)).one_or_none()
    if row is None:
        return "", NO_FLOOR
    family = known.get(Release.family_of(row.store_floor), (row.sequence, row.sequence))
    return row.store_floor, known.get(row.store_floor, (family[0], row.sequence))
