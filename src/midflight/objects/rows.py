"""Rows of a database and objects: which column is which field, and what it holds. No database is needed for that."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import msgspec

from midflight.errors import Conflict
from midflight.objects import codegen, tracking
from midflight.objects.base import VersionedObject
from midflight.objects.codegen import EPOCH, EPOCH_IN_UTC, UNFIT, Reader
from midflight.objects.coercion import from_text, to_text
from midflight.objects.deltas import changed_part
from midflight.objects.fields import Field
from midflight.objects.kinds import made
from midflight.objects.lists import ObjectList
from midflight.objects.lowering import at_rest
from midflight.objects.marks import order_in
from midflight.objects.nested import kind_of_class, restore
from midflight.objects.riding import packed
from midflight.objects.shape import Shape
from midflight.objects.types import codec_of
from midflight.versions import Manifest

V = TypeVar("V", bound=VersionedObject)
L = TypeVar("L", bound=ObjectList[Any])

_AS_THEY_ARE = (str, int, float, bytes, datetime, date, time, timedelta, Decimal, type(None))
"""What columns take: the rest is written as text, and containers and objects as JSON."""


def from_row(cls: type[V], row: Mapping[str, Any], *, context: Any = None, **more: Any) -> V:
    """A clean object from a row: each column of a field is read, naive times are UTC, others are passed over.

    Objects in JSON columns are brought forward from any version. ``more`` are other fields, or go before their
    columns. Fields for which there is neither stay unset. Raises InvalidValue, and NotReadable for an object at rest
    that is too new.
    """
    read = _reader_of(cls)
    obj: V = read(row if _is_plain(row) else _by_plain_names(row), more)
    if context is not None:
        tracking.adopt_object(obj, context)
    return obj


def from_rows(cls: type[L], rows: Iterable[Mapping[str, Any]], *, context: Any = None) -> L:
    """A clean list with an object from each row, as ``from_row`` makes them."""
    shape = _shape_of(cls)
    item = shape.item
    contents: list[Mapping[str, Any]] = [*rows]
    if item.times or item.columns:
        contents = [_content(item, row) for row in contents]
    elif contents and not _is_plain(contents[0]):  # the rows of one query are alike
        contents = [_by_plain_names(row) for row in contents]
    items: list[Any] | None = None
    if not item.has_own_keys:
        try:
            items = msgspec.convert({"all": contents}, item.rows, dec_hook=from_text).all
        except UNFIT:
            pass
    if items is None:
        items = [_made(item, content) for content in contents]
    found: L = restore(shape, {cls.__items__: items})
    if context is not None:
        tracking.adopt_object(found, context)
    return found


def _shape_of(cls: Any) -> Shape:
    """Raises InvalidValue for anything but a versioned object's class."""
    try:
        shape: Shape = cls.__shape__
    except AttributeError:
        shape = kind_of_class(cls).shape
    return shape if shape.is_resolved else shape.resolve()


def _reader_of(cls: Any) -> Reader:
    """How rows become objects of a class; made at the first row."""
    try:
        read: Reader = cls.__shape__.reader
    except AttributeError:
        shape = _shape_of(cls)
        otherwise = partial(_read, shape)
        slow = shape.columns or shape.has_own_keys
        read = shape.reader = otherwise if slow else codegen.reader(shape, otherwise, _settle)
    return read


def _read(shape: Shape, row: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    """Whatever the row holds."""
    obj = _made(shape, {**_content(shape, row), **more})
    for name in more:
        _settle(obj, name)
    return obj


def _content(shape: Shape, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the columns hold, by the names of the fields; other columns may be in it too. Naive times are UTC."""
    content = dict(_by_plain_names(row))
    for field in shape.columns:
        content.pop(field.name, None)
    for field in shape.columns:
        if field.column in row:
            content[field.name] = field.from_column(row[field.column]) if field.from_column else row[field.column]
    for name in shape.times:
        value = content.get(name)
        if type(value) is datetime and value.tzinfo is None:
            content[name] = EPOCH_IN_UTC + (value - EPOCH)
    return content


_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {}
"""Of the columns of a query, as they come, the same as plain text. It is the same text for each row, whose hash and
UTF-8 are known then: to make it anew took longer than all else that is done to read a row."""

_MOST_QUERIES = 1_000


def _by_plain_names(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if _is_plain(row):
        return row
    columns = tuple(row)
    if (names := _NAMES.get(columns)) is None:
        names = tuple(map(str, columns))
        if len(_NAMES) < _MOST_QUERIES:
            _NAMES[columns] = names
    return dict(zip(names, row.values(), strict=True))


def _is_plain(row: Mapping[str, Any]) -> bool:
    """SQLAlchemy's names are all more than text, and msgspec reads text alone, out of nothing but a dict."""
    return type(row) is dict and type(next(iter(row), "")) is str


def _made(shape: Shape, content: Mapping[str, Any]) -> Any:
    """Natively, where all is of the right types already, complete or with unset fields; else field by field."""
    for cls in () if shape.has_own_keys else (shape.cls, shape.partial):
        try:
            return msgspec.convert(content, cls, dec_hook=from_text)
        except UNFIT:
            continue
    fields = {name: field for name, field in shape.fields.items() if name in content}
    values = {name: field.build(content[name], field.where, None) for name, field in fields.items()}
    return restore(shape, values, riding=packed(shape.version, shape.unknown_members(content, values), set()))


def _settle(obj: VersionedObject, name: str) -> None:
    """What a caller gave as a field may have changed, and may change behind the object's back. Raises UnknownField."""
    slot = obj.__shape__.slots[obj.__shape__.field(name).name]
    for inner in filter(tracking.is_dirty, slot.kind.inside(slot.get(obj))):
        tracking.forget(inner)
    tracking.watch(obj, [slot])


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
    whole = {name for name in marks if not order_in(marks, name)}
    for name in values.keys() & content.keys() - whole:
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
