"""The objects of an older release, rebuilt from its frozen file: a peer of that release, without its code.

What the file does not say, a rebuilt class does not do: it has fields and types, and no rewrites.
"""

from __future__ import annotations

import ast
import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from midflight.objects.base import VersionedObject
from midflight.objects.fields import field, lazy
from midflight.objects.registry import Registry
from midflight.objects.types import CODECS, MacAddress, Url
from midflight.project import Project
from midflight.upgrade.frozen import frozen
from midflight.upgrade.reading import Said, Thing, split
from midflight.versions import Release

Class = type[VersionedObject]

_PARTS = re.compile(r"(list|set|frozenset|tuple|dict)\[(.*)\]", re.DOTALL)
_ENUM = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_ELSE = re.compile(r"\| else ([^|()]+)\)")
_CODEC = "coerce "
"""How the words for a type of the project's own go on."""
_CONTAINERS: dict[str, Any] = {"list": list, "set": set, "frozenset": frozenset, "tuple": tuple, "dict": dict}
_TYPES: dict[str, Any] = {
    type_.__name__: type_
    for type_ in (
        bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, uuid.UUID, Path, MacAddress, Url,
        IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface,
    )
} | {"None": None, "Any": Any, "Raw": msgspec.Raw}  # fmt: skip


class Peer:
    """What a member of one release makes of a wire form, and what it says."""

    def __init__(self, project: Project, release: Release) -> None:
        self.name, self.manifest = release.name, release.manifest
        self.said = frozen(project, release.name)
        self.objects: dict[str, Class] = {}
        for name in self.said.objects:
            self._make(name)
        types = Types(self.objects)
        for name, cls in self.objects.items():
            cls.__annotations__.update({f: types.read(self.type_of(name, f)) for f in cls.__shape__.fields})
        self.registry = Registry(self.objects.values(), release.name)
        self.fallbacks = fallbacks_in(self.said)

    def type_of(self, name: str, field: str) -> str:
        """The type of a field in words."""
        return self.said.objects[name].fields[field].type

    def _make(self, name: str) -> Class:
        """Bases first."""
        if name not in self.objects:
            thing = self.said.objects[name]
            base = next((base for base in thing.extends if base in self.said.objects), None)
            self.objects[name] = _made(thing, self._make(base) if base else VersionedObject)
        return self.objects[name]


def _made(thing: Thing, base: Class) -> Class:
    """The class with the fields of its version. Their types come when all classes are there."""
    fields = {name: part for name, part in thing.fields.items() if part.exists_in(thing.version)}
    body: dict[str, Any] = {name: lazy() if "lazy" in part.marks else field() for name, part in fields.items()}
    body |= {"__annotations__": dict.fromkeys(fields, "Any"), "__module__": __name__}
    metaclass: Any = type(base)
    made: Class = metaclass(thing.name, (base,), body, version=str(thing.version))
    return made


def fallbacks_in(said: Said) -> list[Any]:
    """What members of enums that a peer does not know are read as."""
    fields = (part.type for thing in said.objects.values() for part in thing.fields.values())
    return [_value(word) for text in fields for word in _ELSE.findall(text)]


class Types:
    """Reads types in words. ``objects`` are the classes that they may name."""

    def __init__(self, objects: Mapping[str, Class]) -> None:
        self._named: dict[str, Any] = {type_.__name__: _with_codec(type_) for type_ in CODECS} | _TYPES | dict(objects)

    def read(self, text: str) -> Any:
        """The annotation that was spelled so. A type of its own that our code does not have any more is Any."""
        if text.endswith("}") and len(parts := split(text, " {")) > 1:
            base = text.removesuffix(f" {{{parts[-1]}")
            if parts[-1].startswith(_CODEC):
                return self.read(base)
            return Annotated[(self.read(base), *_metas(parts[-1].removesuffix("}")))]
        if len(either := split(text, " | ")) > 1:
            return _either([self.read(part) for part in either])
        if text.startswith("("):
            return Literal[ast.literal_eval(text)]
        if inside := _PARTS.fullmatch(text):
            return self._container(inside[1], split(inside[2], ", "))
        if members := _ENUM.fullmatch(text):
            return _enum(members[1], split(members[2], " | "))
        return self._named.get(text, Any)

    def _container(self, name: str, items: list[str]) -> Any:
        return _CONTAINERS[name][tuple(... if item == "..." else self.read(item) for item in items)]


def _either(types: list[Any]) -> Any:
    made = types[0]
    for type_ in types[1:]:
        made = made | type_
    return made


def _with_codec(type_: type) -> Any:
    return Annotated[type_, CODECS[type_]]


def _metas(text: str) -> list[msgspec.Meta]:
    pairs = (part.partition(" ") for part in split(text, ", "))
    return [msgspec.Meta(**{name: ast.literal_eval(limit)}) for name, _, limit in pairs]


class _Enum(Enum):
    """Reads members that it does not know as its ``FALLBACK``, if it has one."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        found = cls.__members__.get("FALLBACK")
        return found if found is not None and type(value) is type(found.value) else None


def _enum(name: str, words: list[str]) -> Any:
    values = [_value(word) for word in words if not word.startswith("else ")]
    fallback = [_value(word.removeprefix("else ")) for word in words if word.startswith("else ")]
    names = ["FALLBACK" if value in fallback else f"MEMBER_{at}" for at, value in enumerate(values)]
    make: Any = _Enum
    return make(name, list(zip(names, values, strict=True)))


def _value(word: str) -> Any:
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError):  # a text that is clear without quotes
        return word
