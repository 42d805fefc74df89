"""What is at rest in rows, as an operator looks at it: chunks put together, and judged before a release goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from midflight.conductor.interface import VersionsAtRest
from midflight.db.at_rest import NO_OBJECT
from midflight.upgrade import kinds
from midflight.upgrade.verdict import Fact, bad, good, missing, tells, warning
from midflight.versions import Version


def merged(one: VersionsAtRest, other: VersionsAtRest) -> VersionsAtRest:
    """Both together, ending where the other one ended."""
    columns = dict.fromkeys([*one.found, *other.found])
    return VersionsAtRest(
        rows=one.rows + other.rows,
        columns=list(dict.fromkeys([*one.columns, *other.columns])),
        found={name: _sum(one.found.get(name, {}), other.found.get(name, {})) for name in columns},
        unreadable=_sum(one.unreadable, other.unreadable),
        examples={**other.examples, **one.examples},
        unkeyed=[*one.unkeyed, *other.unkeyed],
        after=other.after,
    )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))


@dataclass(frozen=True)
class Found:
    """So many objects of one version in one column."""

    column: str
    object: str
    version: Version
    count: int

    def __str__(self) -> str:
        return f"{self.column}: {self.count} × {self.object} {self.version}"


def objects_in(rows: VersionsAtRest) -> list[Found]:
    """What was found, by column, object and version."""
    tags = ((column, tag, count) for column, counts in rows.found.items() for tag, count in counts.items())
    found = [_found(column, tag, count) for column, tag, count in tags if tag != NO_OBJECT]
    return sorted(found, key=lambda each: (each.column, each.object, each.version))


def _found(column: str, tag: str, count: int) -> Found:
    name, _, version = tag.partition(":")
    return Found(column, name, Version.parse(version), count)


def older(rows: VersionsAtRest, least: Mapping[str, Version]) -> list[Found]:
    """The objects of versions below these."""
    return [each for each in objects_in(rows) if each.object in least and each.version < least[each.object]]


@tells(kinds.AT_REST)
def facts(rows: VersionsAtRest, least: Mapping[str, Version], release: str, known: Iterable[str]) -> Iterator[Fact]:
    """What rows have to say against letting a release go. ``least`` are the versions that are read without it,
    ``known`` the objects that the code has."""
    needing = older(rows, least)
    for each in needing:
        yield bad(f"{each} still need {release}: write these rows anew", "midflight data run, with a data migration")
    yield from _gaps(rows)
    yield from _strangers(rows, set(known))
    if not needing:
        yield good(f"none of the {rows.rows} rows that were looked at needs {release} ({_list(rows.columns)})")


def _gaps(rows: VersionsAtRest) -> Iterator[Fact]:
    """Where nobody can say what is in there."""
    for column, count in sorted(rows.unreadable.items()):
        yield missing(f"{column}: {count} × no JSON, as in row {rows.examples.get(column, 'unknown')}")
    for table in rows.unkeyed:
        yield missing(f"{table} has no primary key, so that its rows cannot be walked")


def _strangers(rows: VersionsAtRest, known: set[str]) -> Iterator[Fact]:
    for each in objects_in(rows):
        if each.object not in known:
            yield warning(f"{each}, an object that this copy of the project does not have")
    for column, counts in sorted(rows.found.items()):
        if NO_OBJECT in counts:
            yield warning(f'{column}: {counts[NO_OBJECT]} × "$" that names no object and version')


def _list(columns: list[str]) -> str:
    return ", ".join(columns) or "the project's tables have no JSON columns"
