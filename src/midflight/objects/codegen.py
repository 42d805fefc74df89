"""Functions that are written out for one class, and compiled at its first use, as dataclasses do it.

To read a row, or to leave out what an older peer does not know, takes msgspec about as long as a loop over the fields
would take Python. So these functions go straight through the fields. Each is shown here as it is written for an
``Instance`` with a ``host``, a time ``launched_at``, a ``flavor`` and a list of ``disks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET

from midflight.objects.coercion import from_text
from midflight.objects.shape import Shape
from midflight.objects.slots import RAW
from midflight.objects.tracking import forget, is_dirty

UNFIT = (msgspec.ValidationError, TypeError, UnicodeError, OverflowError, RecursionError)
"""What msgspec raises for what is not of the right types already."""
EPOCH, EPOCH_IN_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)  # noqa: DTZ001  # as rows have it

Row = Mapping[str, Any]
Reader = Callable[[Row, Row], Any]


def reader(shape: Shape, otherwise: Reader, settle: Callable[[Any, str], None]) -> Reader:
    """Makes a clean object from a row, and from other fields that go before its columns, each of which it lets
    ``settle``; by ``otherwise`` where not all is of the right types already::

        def read(row, more):
            content = {**row, **more}
            value = row.get("launched_at")
            if type(value) is datetime and value.tzinfo is None and "launched_at" not in more:
                content["launched_at"] = EPOCH_IN_UTC + (value - EPOCH)
            try:
                obj = convert(content, cls, dec_hook=from_text)
            except UNFIT:
                return otherwise(row, more)
            inner = obj._at_flavor
            if inner is not None and (inner._changed is not UNSET or is_dirty(inner)):
                forget(inner)
            for name in more:
                if name not in nested:
                    settle(obj, name)
            return obj

    A time is made aware in a tenth of what replace(tzinfo=UTC) takes. A row of a class without times or objects is read
    as it is.
    """
    lines = ["content = {**row, **more}" if shape.times else "content = {**row, **more} if more else row"]
    for name in shape.times:
        lines += [
            f"value = row.get({name!r})",
            f"if type(value) is datetime and value.tzinfo is None and {name!r} not in more:",
            f" content[{name!r}] = EPOCH_IN_UTC + (value - EPOCH)",
        ]
    lines += [
        "try:",
        " obj = convert(content, cls, dec_hook=from_text)",
        "except UNFIT:",
        " return otherwise(row, more)",
    ]
    for _, name in shape.nested:
        lines += [
            f"inner = obj.{RAW}{name}",
            "if inner is not None and (inner._changed is not UNSET or is_dirty(inner)):",
            " forget(inner)",
        ]
    lines += ["for name in more:", " if name not in nested: settle(obj, name)", "return obj"]
    names = {
        "EPOCH": EPOCH, "EPOCH_IN_UTC": EPOCH_IN_UTC, "UNFIT": UNFIT, "UNSET": UNSET, "cls": shape.cls,
        "convert": msgspec.convert, "datetime": datetime, "forget": forget, "from_text": from_text,
        "is_dirty": is_dirty, "nested": {name for _, name in shape.nested}, "otherwise": otherwise, "settle": settle,
    }  # fmt: skip
    read: Reader = _function(shape, "read(row, more)", lines, names)
    return read


Road = Callable[[Any, dict[Any, int], bool], Any]
"""From an object to what is sent, perhaps in a reply; it counts what it makes."""


def road(
    shape: Shape, form: Any, fields: Iterable[str], make: Any, roads: Mapping[type, Road], known: Any, *, count: bool
) -> Road:
    """Makes another version's ``form`` of an object, and counts it; the objects inside go by their ``roads``::

    def road(obj, made, is_reply):
        changed = obj._changed if obj._changed is UNSET and obj._riding is UNSET else known(obj, is_reply)
        made[form] = made.get(form, 0) + 1
        return make(
            obj._at_host,
            roads[type(inner := obj._at_flavor)](inner, made, is_reply),
            mapped_disks(obj._at_disks, lambda inner: roads[type(inner)](inner, made, is_reply)),
            changed,
        )
    """
    names = {"UNSET": UNSET, "form": form, "known": known, "make": make, "roads": roads}
    values = []
    for name in fields:
        value, slot = f"obj.{RAW}{name}", shape.slots[name]
        if slot.is_object:
            value = f"roads[type(inner := {value})](inner, made, is_reply)"
        elif slot.kind.objects:
            names[f"mapped_{name}"] = slot.kind.mapped
            value = f"mapped_{name}({value}, lambda inner: roads[type(inner)](inner, made, is_reply))"
        values.append(value)
    lines = [
        "changed = obj._changed if obj._changed is UNSET and obj._riding is UNSET else known(obj, is_reply)",
        *(["made[form] = made.get(form, 0) + 1"] if count else []),
        f"return make({', '.join(values)}, changed)",
    ]
    road: Road = _function(shape, "road(obj, made, is_reply)", lines, names)
    return road


def _function(shape: Shape, head: str, lines: Iterable[str], names: dict[str, Any]) -> Any:
    """Nothing but names of fields gets into the text from outside, and those are identifiers."""
    text = "\n ".join([f"def {head}:", *lines])
    exec(compile(text, f"<midflight, for {shape.name}>", "exec"), names)
    return names[head.partition("(")[0]]
