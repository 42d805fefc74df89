"""The key of a row: one value or several, as a cursor keeps it and as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Part = int | str
Key = Part | tuple[Part, ...]
"""A whole number or a text; a tuple of them where a row is told apart by several columns."""


def parts_of(key: Key) -> tuple[Part, ...]:
    """The values of a key's columns."""
    return key if isinstance(key, tuple) else (key,)


def key_text(key: Key) -> str:
    """A key as text: ``7``, ``abc``, ``["red", 7]``. Two keys of one table never read the same."""
    return json.dumps(list(key), ensure_ascii=False) if isinstance(key, tuple) else str(key)


def from_json(kept: Any) -> Key | None:
    """A key that a JSON column has kept, where tuples are lists."""
    return tuple(kept) if isinstance(kept, list) else kept


def from_text(text: str, like: Sequence[type]) -> Key:
    """The key that ``key_text`` wrote, for columns of such types. Raises ValueError for what is none."""
    parts = json.loads(text) if len(like) > 1 else [text]
    if not isinstance(parts, list) or len(parts) != len(like):
        raise ValueError(f"received {text!r}, expected {len(like)} values like [{', '.join(['…'] * len(like))}]")
    found = tuple(int(part) if kind is int else str(part) for part, kind in zip(parts, like, strict=True))
    return found if len(like) > 1 else found[0]
