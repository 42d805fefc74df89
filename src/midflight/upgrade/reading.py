"""What a frozen release says, read back from its words: the inverse of `midflight.objects.contract`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from midflight.conductor.contract import FRAMEWORK
from midflight.versions import Version

_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "'\""
_ENDPOINTS = re.compile(r"endpoints_in_(\d+)")


@dataclass(frozen=True)
class Part:
    """A field or a parameter."""

    type: str
    default: str | None = None
    since: Version | None = None
    until: Version | None = None
    moves: str = ""
    """The transitions that a state machine allows; empty where any is."""
    marks: frozenset[str] = frozenset()
    row: Mapping[str, str] = field(default_factory=dict)
    """What is said of its column, and of how it is read and written: ``column``, ``from_column``, ``to_column``."""

    def exists_in(self, version: Version) -> bool:
        """Whether that version has it."""
        return (self.since is None or self.since <= version) and (self.until is None or version < self.until)


@dataclass(frozen=True)
class Signature:
    """A remotable or an endpoint."""

    parameters: Mapping[str, Part]
    returns: str
    since: Version | None = None
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rewrite:
    """A named backport or forwardport; ``at`` is the version before or since which it applies."""

    at: Version
    digest: str
    touches: frozenset[str]
    says: str
    lossy: bool = False

    def may_touch(self, name: str) -> bool:
        """A body that names no field may touch any."""
        return not self.touches or name in self.touches


@dataclass(frozen=True)
class Thing:
    """An object."""

    name: str
    version: Version
    fields: Mapping[str, Part]
    remotables: Mapping[str, Signature]
    backports: Mapping[str, Rewrite]
    forwardports: Mapping[str, Rewrite]
    readable_from: Version | None = None
    extends: tuple[str, ...] = ()
    """The objects of the project whose place it may take."""


@dataclass(frozen=True)
class Api:
    """An interface; ``endpoints`` by major."""

    topic: str
    version: Version
    serves: tuple[Version, ...]
    endpoints: Mapping[int, Mapping[str, Signature]]
    adapters: Mapping[str, str]
    """By endpoint and role, the digest of the body and what it says."""

    def highest(self, major: int) -> Version | None:
        """The highest version of a major that is served."""
        return next((version for version in (self.version, *self.serves) if version.major == major), None)


@dataclass(frozen=True)
class Said:
    """All that a project says in one release; midflight's own words are left out."""

    objects: Mapping[str, Thing] = field(default_factory=dict)
    interfaces: Mapping[str, Api] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    """Those that cross, each with what it is made from."""

    @property
    def versions(self) -> dict[str, Version]:
        """Of all objects, then of all interfaces."""
        objects = {name: thing.version for name, thing in self.objects.items()}
        return objects | {topic: api.version for topic, api in self.interfaces.items()}


def said(words: Mapping[str, Any]) -> Said:
    """Read the words of a frozen file, or of the code. Raises ValueError for words that no freeze has written."""
    own = {kind: {n: w for n, w in words.get(kind, {}).items() if n not in FRAMEWORK} for kind in _KINDS}
    return Said(
        {name: _thing(name, entry) for name, entry in own["objects"].items()},
        {topic: _api(topic, entry) for topic, entry in own["interfaces"].items()},
        words.get("errors", {}),
    )


_KINDS = ("objects", "interfaces")


def _thing(name: str, words: Mapping[str, Any]) -> Thing:
    return Thing(
        name,
        Version.parse(words["version"]),
        {key: read_part(text) for key, text in words.get("fields", {}).items()},
        {key: read_signature(text) for key, text in words.get("remotables", {}).items()},
        {key: read_rewrite(text) for key, text in words.get("backports", {}).items()},
        {key: read_rewrite(text) for key, text in words.get("forwardports", {}).items()},
        _version(words.get("readable_from")),
        tuple(words.get("extends", ())),
    )


def _api(topic: str, words: Mapping[str, Any]) -> Api:
    version = Version.parse(words["version"])
    tables = {version.major: words.get("endpoints", {})}
    tables |= {int(found[1]): table for key, table in words.items() if (found := _ENDPOINTS.fullmatch(key))}
    return Api(
        topic,
        version,
        tuple(map(Version.parse, words.get("serves", ()))),
        {major: {name: read_signature(text) for name, text in table.items()} for major, table in tables.items()},
        {
            f"{endpoint}.{role}": text
            for endpoint, adapters in words.get("adapters", {}).items()
            for role, text in adapters.items()
        },
    )


def read_part(text: str) -> Part:
    """``str | None, default None, since 1.17, read-only``."""
    type_, *rest = split(text, ", ")
    named = {word: value for word, _, value in (mark.partition(" ") for mark in rest) if value}
    return Part(
        type_,
        named.get("default"),
        _version(named.get("since")),
        _version(named.get("until")),
        named.get("moves", ""),
        frozenset(mark for mark in rest if " " not in mark),
        {word: named[word] for word in _ROW if word in named},
    )


_ROW = ("column", "from_column", "to_column")


def read_signature(text: str) -> Signature:
    """``(instance: Instance, hard: bool = False since 4.0) -> None, since 3.0, idempotent``."""
    head, *rest = split(text, ", ")
    arguments, _, returns = _partition(head, " -> ")
    named = {word: value for word, _, value in (mark.partition(" ") for mark in rest)}
    parameters = dict(_argument(argument) for argument in split(arguments[1:-1], ", ") if argument)
    marks = frozenset(mark for mark in rest if not mark.startswith("since "))
    return Signature(parameters, returns, _version(named.get("since")), marks)


def _argument(text: str) -> tuple[str, Part]:
    name, _, rest = text.partition(": ")
    rest, _, since = _partition(rest, " since ")
    type_, given, default = _partition(rest, " = ")
    return name, Part(type_, default if given else None, _version(since))


def read_rewrite(text: str) -> Rewrite:
    """``before 1.17, lossy, body 5f3c91aa, on power_state: Before 1.17 a machine …``."""
    head, _, says = text.partition(": ")
    named = {word: value for word, _, value in (mark.partition(" ") for mark in head.split(", "))}
    at = Version.parse(named.get("before") or named.get("since") or "")
    return Rewrite(at, named.get("body", ""), frozenset(named.get("on", "").split()), says, "lossy" in named)


def _version(text: str | None) -> Version | None:
    return Version.parse(text) if text else None


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand in no bracket and no quotation."""
    parts, start = [], 0
    for at in _outside(text):
        if at >= start and text.startswith(separator, at):
            parts.append(text[start:at])
            start = at + len(separator)
    return [*parts, text[start:]]


def _partition(text: str, separator: str) -> tuple[str, str, str]:
    head, *rest = split(text, separator)
    return (head, separator, separator.join(rest)) if rest else (head, "", "")


def _outside(text: str) -> Iterator[int]:
    """The places in no bracket and no quotation."""
    depth, quote, escaped = 0, "", False
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif letter in _QUOTES:
            quote = letter
        elif letter in _OPEN + _CLOSE:
            depth += 1 if letter in _OPEN else -1
        elif depth == 0:
            yield at


def read_adapter(text: str) -> str:
    """The digest of an adapter's body in ``flavor_was_an_id, was build_instance, body 5f3c91aa: …``."""
    head = text.partition(": ")[0].split(", ")
    return next((part.removeprefix("body ") for part in head if part.startswith("body ")), "")


def told_adapter(text: str) -> str:
    """The same without the digest, for people."""
    head, _, says = text.partition(": ")
    parts = [part for part in head.split(", ") if not part.startswith(("body ", "was "))]
    return f"{', '.join(parts)}: {says}"


def name_before(text: str) -> str:
    """The name that the endpoint had before the adapter's version; empty where it had the same."""
    head = text.partition(": ")[0].split(", ")
    return next((part.removeprefix("was ") for part in head if part.startswith("was ")), "")
