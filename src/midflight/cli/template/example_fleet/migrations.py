"""How rows catch up, while everything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midflight import Row, RowContext, data_migration


def words_of(text: str) -> int:
    """How many words a text has."""
    return len(text.split())


@data_migration(release="v1", table="jobs", key="id", todo="words IS NULL", proof="words IS NOT NULL")
def count_words(row: Row, db: RowContext) -> Mapping[str, Any]:
    """Rows that came from elsewhere, from an import or by hand, have nobody's count yet."""
    return {"words": words_of(row.text)}
