"""Rows of a database and objects: which column is which field, and what it holds. No database is needed for that."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from midflight.errors import Conflict
from midflight.objects import tracking
from midflight.objects.base import VersionedObject
from midflight.objects.coercion import from_text, to_text
from midflight.objects.deltas import changed_part
from midflight.objects.fields import Field
from midflight.objects.kinds import made
from midflight.objects.lists import ObjectList
from midflight.objects.lowering import at_rest
from midflight.objects.riding import packed
from midflight.objects.shape import Shape, kind_of_class, restore
from midflight.objects.types import codec_of
from midflight.versions import Manifest

V = TypeVar("V", bound=VersionedObject)
L = TypeVar("L", bound=ObjectList[Any])

_UNFIT = (msgspec.ValidationError, TypeError, UnicodeError, OverflowError, RecursionError)
"""What msgspec raises for what is not of the right types already."""

_convert = msgspec.convert

_AS_THEY_ARE = (str, int, float, bytes, datetime, date, time, timedelta, Decimal, type(None))
"""What columns take: the rest is written as text, and containers and objects as JSON."""


def from_row(cls: type[V], row: Mapping[str, Any], *, context: Any = None, **more: Any) -> V:
    """A clean object from a row: each column of a field is read, naive times are UTC, others are passed over.

    Objects in JSON columns are brought forward from any version. ``more`` are other fields, or go before their
    columns. Fields for which there is neither stay unset. Raises InvalidValue, and NotReadable for an object at rest
    that is too new.
    """
    shape = _shape_of(cls)
    content = _content(shape, row)
    if more:
        content = {**content, **more}
    obj: V = _made(shape, content)
    if more or context is not None:
        _settle(obj, more, context)
    return obj


def from_rows(cls: type[L], rows: Iterable[Mapping[str, Any]], *, context: Any = None) -> L:
    """A clean list with an object from each row, as ``from_row`` makes them."""
    shape = _shape_of(cls)
    item = shape.fields[cls.__items__].kind.objects[0].__shape__.resolve()
    contents: list[Mapping[str, Any]] = [*rows]
    if contents and _content(item, contents[0]) is not contents[0]:  # the rows of one query are alike
        contents = [_content(item, row) for row in contents]
    try:
        items = _convert({"all": contents}, item.rows, dec_hook=from_text).all
    except _UNFIT:
        items = [_made(item, content) for content in contents]
    found: L = restore(shape, {cls.__items__: items})
    tracking.adopt_object(found, context)
    return found


def _shape_of(cls: Any) -> Shape:
    """Raises InvalidValue for anything but a versioned object's class."""
    try:
        shape: Shape = cls.__shape__
    except AttributeError:
        shape = kind_of_class(cls).shape
    return shape if shape.is_resolved else shape.resolve()


def _content(shape: Shape, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the columns hold, by the names of the fields; other columns may be in it too. Naive times are UTC."""
    for name in row:
        if type(name) is not str:  # SQLAlchemy's names are more than text, and msgspec reads text alone
            row = dict(zip(map(str, row), row.values(), strict=True))
        break
    if not shape.columns and not shape.times:
        return row
    content = dict(row)
    for field in shape.columns:
        content.pop(field.name, None)
    for field in shape.columns:
        if field.column in row:
            content[field.name] = field.from_column(row[field.column]) if field.from_column else row[field.column]
    for name in shape.times:
        value = content.get(name)
        if type(value) is datetime and value.tzinfo is None:
            content[name] = datetime.combine(value, value.time(), UTC)
    return content


def _made(shape: Shape, content: Mapping[str, Any]) -> Any:
    """Natively, where all is of the right types already, complete or with unset fields; else field by field."""
    try:
        return _convert(content, shape.cls, dec_hook=from_text)
    except _UNFIT:
        pass
    try:
        return _convert(content, shape.partial, dec_hook=from_text)
    except _UNFIT:
        pass
    fields = {name: field for name, field in shape.fields.items() if name in content}
    values = {name: field.build(content[name], field.where, None) for name, field in fields.items()}
    return restore(shape, values, riding=packed(shape.version, shape.unknown_members(content, values), set()))


def _settle(obj: VersionedObject, more: Mapping[str, Any], context: Any) -> None:
    """What a caller gave may have changed, and may change behind the object's back. Raises UnknownField."""
    shape = obj.__shape__
    for name in more:
        slot = shape.slots.get(name) or shape.slots[shape.field(name).name]
        for inner in slot.kind.inside(slot.get(obj)) if slot.kind.objects else ():
            if inner._changed is not msgspec.UNSET or (inner.__shape__.deep and tracking.is_dirty(inner)):
                tracking.forget(inner)
        if slot.is_container:
            tracking.watch(obj, [slot])
    if context is not None:
        tracking.adopt_object(obj, context)


def to_row(
    obj: VersionedObject, *, only_changes: bool = False, onto: Mapping[str, Any] | None = None,
    manifest: Manifest | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The fields that are set, or those that have changed, by the names of their columns.

    Numbers, text, bytes and times stay as they are, members of Enums become their values, UUIDs, addresses and the like
    text; containers and objects become plain JSON, the objects with their versions: those of the store floor, whose
    ``manifest`` is given. A field with ``to_column`` is written by that alone. Fields that are no columns are for the
    caller to take out.

    Where only a part of a dict or of a nested object has changed, that part is brought onto what the row holds, which
    is given as ``onto``: what others wrote there meanwhile stays, and so does what a peer's older form could not carry.
    Without ``onto`` such a column is written as a whole. Read the row in the transaction that writes it, and where the
    database lets others write meanwhile, write it with ``update_row``.

    Raises PinnedOut for a changed field of a nested object that the floor cannot say, Conflict where the change does
    not fit what the row holds by now, and what from_row raises.
    """
    shape = obj.__shape__
    if not only_changes:
        names = [name for name in shape.fields if obj.is_set(name)]
        return {shape.fields[name].column: _written(shape.fields[name], getattr(obj, name), manifest) for name in names}
    values = obj.changes()
    if onto is not None:
        values = _brought_onto(obj, values, _content(shape, onto))
    return {shape.fields[name].column: _written(shape.fields[name], value, manifest) for name, value in values.items()}


def _brought_onto(obj: VersionedObject, values: dict[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """The changed values; of those that changed in part, all that is kept, with that part."""
    brought, marks = dict(values), tracking.marks(obj)
    for name in values.keys() & content.keys() - marks:
        field = obj.__shape__.fields[name]
        kept = field.build(content[name], field.where, None)
        brought[name] = changed_part(field, kept, values[name], marks)
    return brought


def check_expected(cls: type[VersionedObject], row: Mapping[str, Any], expect: Mapping[str, Any]) -> None:
    """The compare of a compare-and-swap: ``save(expect={"task_state": None})``. Raises Conflict for the first field
    that the row holds another value of, UnknownField and InvalidValue for what no row could hold."""
    shape = _shape_of(cls)
    content = _content(shape, row)
    for name, value in expect.items():
        field = shape.field(name)
        expected = made(field.kind, field.coerce(value, field.where))
        actual = made(field.kind, field.build(content[name], field.where, None))
        if actual != expected:
            raise Conflict(object=shape.name, field=name, actual=field.shown(actual), expected=field.shown(expected))


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
