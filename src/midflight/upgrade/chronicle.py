"""What changed from one release to another, in words: the chronicle that `release diff` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from midflight.upgrade.reading import Api, Part, Rewrite, Said, Signature, Thing, name_before, told_adapter
from midflight.upgrade.types import step, type_change
from midflight.versions import Version


@dataclass(frozen=True)
class Chapter:
    """What happened to one object or interface."""

    title: str
    lines: tuple[str, ...]


def chronicle(old: Said, new: Said) -> list[Chapter]:
    """Objects first, then interfaces, each by name, then errors; what did not change is left out."""
    names = sorted({*old.objects, *new.objects})
    topics = sorted({*old.interfaces, *new.interfaces})
    chapters = [
        *(_object(name, old.objects.get(name), new.objects.get(name)) for name in names),
        *(_interface(topic, old.interfaces.get(topic), new.interfaces.get(topic)) for topic in topics),
        _errors(old.errors, new.errors),
    ]
    return [chapter for chapter in chapters if chapter is not None]


def _object(name: str, old: Thing | None, new: Thing | None) -> Chapter | None:
    if old is None or new is None:
        return _came_or_went(f"object {name}", old.version if old else None, new.version if new else None)
    lines = [
        *_bases(old, new),
        *_fields(old, new),
        *_signatures("remotable", old.remotables, new.remotables),
        *_rewrites("older peers", old.backports, new.backports),
        *_rewrites("what older peers say", old.forwardports, new.forwardports),
        *_readable(old, new),
    ]
    return _chapter(name, old.version, new.version, lines)


def _bases(old: Thing, new: Thing) -> Iterator[str]:
    yield from (f"extends {base} now" for base in new.extends if base not in old.extends)
    yield from (f"no longer extends {base}" for base in old.extends if base not in new.extends)


def _readable(old: Thing, new: Thing) -> Iterator[str]:
    if old.readable_from and new.readable_from and new.readable_from != old.readable_from:
        yield f"readable from {new.readable_from}, was from {old.readable_from}"


def _interface(topic: str, old: Api | None, new: Api | None) -> Chapter | None:
    if old is None or new is None:
        return _came_or_went(f"interface {topic}", old.version if old else None, new.version if new else None)
    then, now = old.endpoints[old.version.major], new.endpoints[new.version.major]
    renamed = _renamed(then, now, new.adapters)
    lines = [
        *_serves(old, new),
        *(f"endpoint {was} is called {name} now" for name, was in renamed.items()),
        *_signatures("endpoint", {_now_called(name, renamed): words for name, words in then.items()}, now),
        *_adapters(old.adapters, new.adapters),
    ]
    return _chapter(topic, old.version, new.version, lines)


def _renamed(old: Mapping[str, Signature], new: Mapping[str, Signature], adapters: Mapping[str, str]) -> dict[str, str]:
    """The older name of each endpoint whose adapter says that it had one."""
    names = {key.partition(".")[0]: name_before(text) for key, text in sorted(adapters.items(), reverse=True)}
    return {name: was for name, was in names.items() if was in old and name in new and was not in new}


def _now_called(name: str, renamed: Mapping[str, str]) -> str:
    return next((now for now, was in renamed.items() if was == name), name)


def _came_or_went(name: str, old: Version | None, new: Version | None) -> Chapter:
    return Chapter(f"{name} is new, {new}" if new else f"{name} is gone, it was {old}", ())


def _chapter(name: str, old: Version, new: Version, lines: list[str]) -> Chapter | None:
    if old == new and not lines:
        return None
    return Chapter(f"{name} {old} → {new}" if old != new else f"{name} {new}, the same version", tuple(lines))


def _fields(old: Thing, new: Thing) -> Iterator[str]:
    for name in dict.fromkeys([*old.fields, *new.fields]):
        before, after = old.fields.get(name), new.fields.get(name)
        if before is None and after is not None:
            yield f"field {name} is new: {_part(after)}"
        elif after is None:
            yield f"field {name} is gone"
        elif before is not None and before != after:
            yield f"field {name}: {_changes(before, after)}"


def _part(part: Part) -> str:
    marks = [f"default {part.default}" if part.default else "", *sorted(part.marks)]
    return ", ".join(filter(None, (part.type, *marks)))


def _changes(old: Part, new: Part) -> str:
    return "; ".join(
        words
        for words in (
            type_change(old.type, new.type, step(old.type, new.type)) if old.type != new.type else "",
            f"default {old.default or 'none'} → {new.default or 'none'}" if old.default != new.default else "",
            f"since {old.since or 'the start'} → {new.since or 'the start'}" if old.since != new.since else "",
            f"a tombstone, until {new.until}" if new.until and old.until != new.until else "",
            f"allows {new.moves or 'any transition'}" if old.moves != new.moves else "",
            *(f"is {mark} now" for mark in sorted(new.marks - old.marks)),
            *(f"is no longer {mark}" for mark in sorted(old.marks - new.marks)),
            *_rows(old, new),
        )
        if words
    )


def _rows(old: Part, new: Part) -> Iterator[str]:
    for word in dict.fromkeys([*old.row, *new.row]):
        then, now = old.row.get(word, "the plain one"), new.row.get(word, "the plain one")
        if then != now:
            yield f"{word} {then} → {now}"


def _signatures(what: str, old: Mapping[str, Signature], new: Mapping[str, Signature]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            yield f"{what} {name} is new: ({', '.join(after.parameters)}) → {after.returns}"
        elif after is None:
            yield f"{what} {name} is gone"
        elif before is not None:
            yield from (f"{what} {name}{line}" for line in _signature(before, after))


def _signature(old: Signature, new: Signature) -> Iterator[str]:
    for name in dict.fromkeys([*old.parameters, *new.parameters]):
        before, after = old.parameters.get(name), new.parameters.get(name)
        if before is None and after is not None:
            yield f"({name}) is new: {_part(after)}"
        elif after is None:
            yield f"({name}) is gone"
        elif before is not None and (words := _changes(before, after)):
            yield f"({name}): {words}"
    if old.returns != new.returns:
        yield f", its result: {type_change(old.returns, new.returns, step(old.returns, new.returns))}"
    yield from (f" is {mark} now" for mark in sorted(new.marks - old.marks))
    yield from (f" is no longer {mark}" for mark in sorted(old.marks - new.marks))


def _rewrites(whom: str, old: Mapping[str, Rewrite], new: Mapping[str, Rewrite]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if after is None:
            yield f"for {whom}, {name} is gone"
        elif before is None:
            yield f"for {whom}, {name}{_lossy(after)}: {after.says}"
        elif (before.at, before.digest, before.lossy) != (after.at, after.digest, after.lossy):
            yield f"for {whom}, {name}{_lossy(after)} does something else now: {after.says}"


def _lossy(rewrite: Rewrite) -> str:
    return " (lossy)" if rewrite.lossy else ""


def _errors(old: Mapping[str, str], new: Mapping[str, str]) -> Chapter | None:
    lines = [
        *(f"{name}{new[name]} crosses to callers now" for name in sorted(new.keys() - old.keys())),
        *(f"{name} no longer crosses" for name in sorted(old.keys() - new.keys())),
        *(f"{name} is made from {new[name]}" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]),
    ]
    return Chapter("errors", tuple(lines)) if lines else None


def _serves(old: Api, new: Api) -> Iterator[str]:
    if new.serves != old.serves:
        yield f"also serves {', '.join(map(str, new.serves))}" if new.serves else "serves no older major any more"


def _adapters(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        endpoint, _, role = key.partition(".")
        role = role.replace("_before_", " before ").replace("_", " ")
        if key not in new:
            yield f"endpoint {endpoint}, {role}.0 is gone"
        elif old.get(key) != new[key]:
            yield f"endpoint {endpoint}, {role}.0, {told_adapter(new[key])}"
