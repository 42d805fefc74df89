"""One class of versioned objects in words, to the last element of every type: what a frozen release says of it.

Frozen releases are read and reviewed by people and compared by programs. So the same definition always gives the same
words, whatever the Python and the run, and two definitions that differ on the wire are never worded alike.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sized
from typing import Any, get_args

import msgspec

from midflight.objects.allowance import allow_in_words
from midflight.objects.base import VersionedObject
from midflight.objects.bodies import digest_of, keys_touched, told
from midflight.objects.containers import DictOf, ListOf, TupleOf
from midflight.objects.fields import MASK, MISSING, Field
from midflight.objects.leaves import Growing, Kind, Own
from midflight.objects.remote import Remotable, remotables_of
from midflight.objects.rewrites import is_lossy
from midflight.objects.shape import Shape
from midflight.objects.types import Codec, codec_of
from midflight.objects.wrappers import Constrained, Late, Optional

Words = dict[str, Any]
"""Nested tables of names to words."""

CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*")
_AMBIGUOUS = frozenset({"None", "True", "False", "nan", "inf"})


def object_in_words(cls: type[VersionedObject], among: Container[str] = ()) -> Words:
    """Version, fields, remotables and named rewrites; tables that would be empty are left out. Of the objects that it
    extends, those ``among`` the project's own, whose place it may take.

    Raises ProjectError where the source of a rewrite, or of another function of a field, is not at hand.
    """
    shape = cls.__shape__.resolve()
    tables: Words = {
        "fields": {name: field_in_words(field) for name, field in fields_of(shape).items()},
        "remotables": {name: remotable_in_words(cls, found) for name, found in sorted(remotables_of(cls).items())},
        "backports": {f.__name__: _rewrite(f"before {before}", f) for before, f in shape.backports},
        "forwardports": {f.__name__: _rewrite(f"since {since}", f) for since, f in shape.forwardports},
    }
    head: Words = {"version": str(shape.version), "readable_from": str(shape.readable_from)}
    if extends := [base.name for base in shape.bases() if base.name in among]:
        head["extends"] = extends
    return head | {name: table for name, table in tables.items() if table}


def fields_of(shape: Shape) -> dict[str, Field]:
    """Its fields, then the tombstones of those that older versions have."""
    return {**shape.fields, **shape.tombstones}


def field_in_words(field: Field) -> str:
    """``str | None, default None, since 1.17, read-only``."""
    return listed(
        spell(field.kind),
        f"default {_default(field)}" if field.has_default else "",
        f"since {field.since}" if field.since else "",
        f"until {field.until}" if field.until else "",
        "lazy" if field.lazy else "",
        "read-only" if field.read_only else "",
        "sensitive" if field.sensitive else "",
        _transitions(field.transitions),
        f"column {_named(field.column)}" if field.column != field.name else "",
        f"from_column {told(field.from_column)}" if field.from_column else "",
        f"to_column {told(field.to_column)}" if field.to_column else "",
    )


def _transitions(allowed: Mapping[Any, Iterable[Any]] | None) -> str:
    """``moves {off to on, on to off or paused}``, in order, since the moves are a set."""
    if allowed is None:
        return ""
    ways = (f"{worded(old)} to {' or '.join(sorted(map(worded, new))) or 'nothing'}" for old, new in allowed.items())
    return f"moves {_inside('{}', ways, ordered=True)}"


def remotable_in_words(owner: type, remotable: Remotable) -> str:
    """``(uuid: UUID, load: tuple[str, ...] = ()) -> Instance, of the class``."""
    given = remotable.signature.parameters
    arguments = [argument(name, kind, given[name].default) for name, kind in remotable.kinds(owner).items()]
    return listed(
        f"({', '.join(arguments)}) -> {spell(remotable.result_kind(owner))}",
        "of the class" if remotable.is_class_method else "",
        allow_in_words(remotable.allow),
    )


def argument(name: str, kind: Kind, default: Any = inspect.Parameter.empty, since: object = None) -> str:
    """``hard: bool = False since 3.36``."""
    given = "" if default is inspect.Parameter.empty else f" = {worded(default)}"
    return f"{name}: {spell(kind)}{given}{f' since {since}' if since else ''}"


def _rewrite(when: str, function: Callable[..., Any]) -> str:
    """``before 1.17, lossy, body 5f3c91aa, on power_state: Before 1.17 a machine …``."""
    keys = keys_touched(function)
    lossy, body = "lossy" if is_lossy(function) else "", f"body {digest_of(function)}"
    head = listed(when, lossy, body, f"on {' '.join(keys)}" if keys else "")
    return f"{head}: {says(function)}"


def says(function: Callable[..., Any]) -> str:
    """Its docstring in one line."""
    return " ".join((inspect.getdoc(function) or "it has no docstring").split())


def listed(*parts: str) -> str:
    """The parts that are there, with commas."""
    return ", ".join(part for part in parts if part)


def spell(kind: Kind) -> str:
    """The words for a compiled type: enums with their values, constraints in braces, objects by their names."""
    match kind:
        case Optional():
            return f"{spell(kind.base)} | None"
        case Late():
            return spell(kind.base)
        case ListOf():
            return f"{kind.container.__name__}[{spell(kind.item)}{', ...' if kind.container is tuple else ''}]"
        case TupleOf():
            return f"tuple[{', '.join(map(spell, kind.items))}]"
        case DictOf():
            return f"dict[{spell(kind.key)}, {spell(kind.value)}]"
        case Constrained():
            return f"{spell(kind.base)} {{{', '.join(_constraints(kind))}}}"
        case Own():
            return f"{kind.name} {{{_codec(kind.codec)}}}"
    return _leaf(kind)


def _leaf(kind: Kind) -> str:
    if isinstance(kind.wire_type, type) and issubclass(kind.wire_type, enum.Enum):
        return f"{kind.name}({' | '.join([*map(worded, kind.wire_type), *_fallback(kind.wire_type, kind)])})"
    return "None" if kind.wire_type is type(None) else kind.name


def _fallback(type_: type[enum.Enum], kind: Kind) -> list[str]:
    """``else unknown``, of a field or an enum that reads members which it does not know."""
    if isinstance(kind, Growing):
        return [f"else {worded(kind.fallback)}"]
    sample = "no such member" if all(isinstance(member.value, str) for member in type_) else -(2**40)
    try:
        return [f"else {worded(type_(sample))}"]
    except ValueError:
        return []


def _codec(codec: Codec) -> str:
    """``coerce to_money 5f3c91aa, encode str, decode lambda 0a54e3a2``."""
    return f"coerce {told(codec.coerce)}, encode {told(codec.encode)}, decode {told(codec.decode)}"


def _constraints(kind: Constrained) -> list[str]:
    metas = [meta for meta in get_args(kind.wire_type)[1:] if isinstance(meta, msgspec.Meta)]
    return [
        f"{name} {getattr(meta, name)!r}" for name in CONSTRAINTS for meta in metas if getattr(meta, name) is not None
    ]


def _default(field: Field) -> str:
    """The value, or ``new_token() body 5f3c91aa``, by what it is made; of a sensitive one only that it is there.

    A digest would not hide it, for what a secret may be can be tried out; nor would that of a body, which may hold one.
    """
    if field.factory is MISSING:
        return MASK if field.sensitive and not _is_nothing(field.default) else worded(field.default)
    if field.factory in (list, dict, set, tuple, frozenset):
        return worded(field.factory())
    name, _, body = told(field.factory).partition(" ")
    return f"{name}()" + (f" body {body}" if body and not field.sensitive else "")


def _is_nothing(value: Any) -> bool:
    """No value, or an empty one, which gives no secret away."""
    return value is None or (isinstance(value, Sized) and not value)


def _named(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else repr(name)


def worded(value: Any) -> str:
    """A value as it is written; members of enums by their values, unquoted where that is clear; sets in order."""
    if isinstance(value, enum.Enum):
        plain = value.value
        clear = isinstance(plain, str) and _PLAIN.fullmatch(plain) and plain not in _AMBIGUOUS
        return str(plain) if clear else repr(plain)
    if codec := codec_of(type(value)):
        return f"{type(value).__name__}({worded(codec.encode(value))})"
    if isinstance(value, set | frozenset) and value:
        return f"{type(value).__name__}({_inside('[]', map(worded, value), ordered=True)})"
    if isinstance(value, Mapping) and value:
        return _inside("{}", (f"{worded(key)}: {worded(item)}" for key, item in value.items()))
    if isinstance(value, list) and value:
        return _inside("[]", map(worded, value))
    if type(value) is tuple and value:
        return _inside("()", [*map(worded, value), *([""] if len(value) == 1 else [])])
    return repr(value)


def _inside(brackets: str, parts: Iterable[str], *, ordered: bool = False) -> str:
    found = sorted(parts) if ordered else list(parts)
    return f"{brackets[0]}{', '.join(found).rstrip()}{brackets[1]}"
