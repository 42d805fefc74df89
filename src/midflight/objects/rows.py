"""Rows of a database and objects: which column is which field, and what it holds. No database is needed for that."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from midflight.objects import tracking
from midflight.objects.base import VersionedObject
from midflight.objects.coercion import to_text
from midflight.objects.fields import Field
from midflight.objects.lowering import at_rest
from midflight.objects.shape import kind_of_class, restore
from midflight.objects.types import codec_of
from midflight.versions import Manifest

V = TypeVar("V", bound=VersionedObject)

_AS_THEY_ARE = (str, int, float, bytes, datetime, date, time, timedelta, Decimal, type(None))
"""What columns take: the rest is written as text, and containers and objects as JSON."""


def from_row(cls: type[V], row: Mapping[str, Any], *, context: Any = None, **more: Any) -> V:
    """A clean object from a row: each column of a field is read, naive times are UTC, others are passed over.

    Objects in JSON columns are brought forward from any version. ``more`` are other fields, or go before their
    columns. Fields for which there is neither stay unset. Raises InvalidValue, and NotReadable for an object at rest
    that is too new.
    """
    shape = kind_of_class(cls).shape.resolve()
    columns = {name: field for name, field in shape.fields.items() if field.column in row and name not in more}
    values = {name: _read(field, row[field.column]) for name, field in columns.items()}
    for name, value in more.items():
        values[name] = shape.field(name).coerce(value, f"{shape.name}.{name}")
    obj: V = restore(shape, values)
    tracking.settle_object(obj, context)
    for name, kind in shape.holders:
        for inner in kind.inside(values[name]) if name in values else ():
            tracking.forget(inner)
    return obj


def _read(field: Field, value: Any) -> Any:
    if field.from_column is not None:
        value = field.from_column(value)
    elif isinstance(value, datetime) and value.tzinfo is None:
        value = datetime.combine(value, value.time(), UTC)
    return field.build(value, field.where, None)


def to_row(obj: VersionedObject, *, only_changes: bool = False, manifest: Manifest | None = None) -> dict[str, Any]:
    """The fields that are set, or those that have changed, by the names of their columns.

    Numbers, text, bytes and times stay as they are, members of Enums become their values, UUIDs, addresses and the like
    text; containers and objects become plain JSON, the objects with their versions: those of the store floor, whose
    ``manifest`` is given. A field with ``to_column`` is written by that alone. Fields that are no columns are for the
    caller to take out. Raises PinnedOut for a changed field of a nested object that the floor cannot say.
    """
    shape = obj.__shape__
    names = obj.changes() if only_changes else [name for name in shape.fields if obj.is_set(name)]
    return {shape.fields[name].column: _written(shape.fields[name], getattr(obj, name), manifest) for name in names}


def _written(field: Field, value: Any, manifest: Manifest | None) -> Any:
    if field.to_column is not None:
        return field.to_column(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, _AS_THEY_ARE) and type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, VersionedObject | list | dict | set | frozenset | tuple) or codec_of(type(value)):
        return at_rest(value, manifest)
    return msgspec.to_builtins(value, enc_hook=to_text)
