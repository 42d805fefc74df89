"""`release retire`: the marks that may go once a release, and all before it, are out of the skew window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from midflight.conductor.interface import VersionsAtRest
from midflight.project import Project
from midflight.upgrade import at_rest
from midflight.upgrade.at_rest import Found
from midflight.upgrade.frozen import frozen
from midflight.upgrade.reading import Api, Said, Thing, said
from midflight.upgrade.verdict import Fact, Status, bad, good, missing
from midflight.upgrade.window import after_the_last
from midflight.upgrade.wording import project_in_words
from midflight.versions import Version, places


@dataclass(frozen=True)
class Mark:
    """One mark in the code that only peers of a retired release needed. ``at_rest``: objects that were written long
    ago may need it too."""

    path: str
    mark: str
    because: str
    at_rest: bool = False

    @property
    def object(self) -> str:
        """The object, or the interface, that it is in."""
        return self.path.partition(".")[0]


@dataclass(frozen=True)
class Retirement:
    """What may go with a release, and what is known of the rows that may need it."""

    release: str
    window: tuple[str, ...]
    """The releases that the next one still has to get along with."""
    marks: tuple[Mark, ...] = ()
    least: Mapping[str, Version] = field(default_factory=dict)
    """The objects that have grown since: the versions that all who are left read without the marks."""
    known: tuple[str, ...] = ()
    """The objects that the code has."""
    facts: tuple[Fact, ...] = ()
    """What is at rest, once somebody has looked."""
    needing: tuple[Found, ...] = ()
    """The objects at rest that need the release."""

    @property
    def in_window(self) -> bool:
        return self.release in self.window

    @property
    def asks_rows(self) -> bool:
        """Whether objects at rest may need the release."""
        return bool(self.least)

    @property
    def status(self) -> Status:
        """FAIL while it is in the window, else the worst of the facts, and at least WARN while marks are there."""
        if self.in_window:
            return Status.FAIL
        return _worst([*(fact.status for fact in self.facts), Status.WARN if self.marks else Status.PASS])

    def stands(self, mark: Mark) -> Status:
        """PASS for a mark that may go; FAIL where rows need the release, UNKNOWN where nobody could look."""
        worst = _worst([fact.status for fact in self.facts] or [Status.UNKNOWN])
        return worst if mark.at_rest and worst in (Status.UNKNOWN, Status.FAIL) else Status.PASS

    def with_rows(self, rows: VersionsAtRest, floor: Fact) -> Retirement:
        """The same, when it is known what is at rest, and how the store floor stands to the release."""
        found = (floor, *at_rest.facts(rows, self.least, self.release, self.known))
        return replace(self, facts=found, needing=tuple(at_rest.older(rows, self.least)))

    def without_rows(self, reason: str) -> Retirement:
        """The same, when nobody could look."""
        words = f"how many {_and(sorted(self.least))} at rest are of older versions: {reason}"
        return replace(self, facts=(missing(words, "midflight run conductor"),))


def retire(project: Project, name: str) -> Retirement:
    """What may go in the release after the last frozen one. Raises ProjectError for a release that there is not."""
    family = project.release(name).family
    window = after_the_last(project)
    names = tuple(release.name for release in window.releases)
    if family in {release.family for release in window.releases}:
        return Retirement(name, names)
    gone = frozen(project, name)
    left = [frozen(project, release.name) for release in window.releases]
    code = said(project_in_words(project))
    grown = _spans([each.objects for each in left], gone.objects, code.objects)
    least = {name: have for name, (had, have) in grown.items() if had < have}
    return Retirement(name, names, tuple(_marks(gone, left, code)), least, tuple(code.objects))


def floor_above(project: Project, name: str, floor: str | None) -> Fact:
    """Whether what is written now is still written for a release: then rows that need it may come again."""
    at = places(project.releases)
    if floor is None or (floor in at and at[floor] <= at[name]):
        words = f"the store floor is {floor or 'not raised yet'}, so that objects are still written for {name}"
        return bad(words, "midflight upgrade finalize")
    return good(f"the store floor is {floor}")


def _worst(statuses: Iterable[Status]) -> Status:
    return max(statuses, key=lambda status: status.weight)


Spans = dict[str, tuple[Version, Version]]
"""By name, what a retired release had, and what all others have."""
_Things = Mapping[str, Thing] | Mapping[str, Api]


def _spans(left: Sequence[_Things], gone: _Things, code: _Things) -> Spans:
    none = Version(0, 0)
    return {
        name: (
            gone[name].version if name in gone else none,
            min((each[name].version for each in left if name in each), default=thing.version),
        )
        for name, thing in code.items()
    }


def _marks(gone: Said, left: list[Said], code: Said) -> Iterator[Mark]:
    """The marks above what the retired release had, and not above what all others have."""
    spans = _spans([each.objects for each in left], gone.objects, code.objects)
    spans |= _spans([each.interfaces for each in left], gone.interfaces, code.interfaces)
    marks = [(name, *found) for name, thing in code.objects.items() for found in _of_object(thing)]
    marks += [(topic, *found) for topic, api in code.interfaces.items() for found in _of_interface(api)]
    yield from (mark for name, at, mark in marks if spans[name][0] < at <= spans[name][1])


def _of_object(thing: Thing) -> Iterator[tuple[Version, Mark]]:
    for name, part in thing.fields.items():
        path = f"{thing.name}.{name}"
        if part.since:
            yield part.since, Mark(path, f"since={_quoted(part.since)}", "every peer has the field", at_rest=True)
        if part.until:
            yield part.until, Mark(path, f"until={_quoted(part.until)}", "no peer has the field", at_rest=True)
    for name, rewrite in thing.backports.items():
        line = f"@backport(before={_quoted(rewrite.at)}{', lossy=True' if rewrite.lossy else ''})"
        yield rewrite.at, Mark(f"{thing.name}.{name}()", line, f"no peer needs it: {rewrite.says}")
    for name, rewrite in thing.forwardports.items():
        line = f"@forwardport(since={_quoted(rewrite.at)})"
        yield rewrite.at, Mark(f"{thing.name}.{name}()", line, f"no peer needs it: {rewrite.says}", at_rest=True)


def _of_interface(api: Api) -> Iterator[tuple[Version, Mark]]:
    for served in api.serves:
        line = f"{_quoted(served)} in serves"
        yield _after(served.major, api), Mark(api.topic, line, f"no peer speaks {served.major}.x")
    for name, signature in api.endpoints[api.version.major].items():
        for key, part in signature.parameters.items():
            if part.since:
                line = f"param(…, since={_quoted(part.since)})"
                yield part.since, Mark(f"{api.topic}.{name}({key})", line, "every peer takes the parameter")
    for key in api.adapters:
        endpoint, _, role = key.partition(".")
        role, _, major = role.partition("_before_")
        line = f'@{endpoint}.{role}(before="{major}.0")'
        yield Version(int(major), 0), Mark(f"{api.topic}.{endpoint}()", line, f"no peer speaks less than {major}.0")


def _after(major: int, api: Api) -> Version:
    """The lowest version that is above a major and that is served."""
    return min(Version(v.major, 0) for v in (*api.serves, api.version) if v.major > major)


def _quoted(version: Version) -> str:
    return f'"{version}"'


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
