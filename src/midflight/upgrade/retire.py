"""`release retire`: the marks that may go once a release, and all before it, are out of the skew window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from midflight.project import Project
from midflight.upgrade.frozen import frozen
from midflight.upgrade.reading import Api, Said, Thing, said
from midflight.upgrade.verdict import Status
from midflight.upgrade.window import after_the_last
from midflight.upgrade.wording import project_in_words
from midflight.versions import Version


@dataclass(frozen=True)
class Mark:
    """One mark in the code that only peers of a retired release needed. ``at_rest``: objects that were written long
    ago may need it too."""

    path: str
    mark: str
    because: str
    at_rest: bool = False


@dataclass(frozen=True)
class Retirement:
    """What may go with a release, and what would have to be known first."""

    release: str
    window: tuple[str, ...]
    """The releases that the next one still has to get along with."""
    marks: tuple[Mark, ...]

    @property
    def in_window(self) -> bool:
        return self.release in self.window

    @property
    def unknown(self) -> str | None:
        """The fact that is missing: how many objects at rest still need a mark."""
        needed = sorted({mark.path.partition(".")[0] for mark in self.marks if mark.at_rest})
        return f"how many {_and(needed)} at rest are of older versions: nothing counts them yet" if needed else None

    @property
    def status(self) -> Status:
        """FAIL while it is in the window, UNKNOWN while a fact is missing, WARN while there are marks to remove."""
        if self.in_window:
            return Status.FAIL
        if self.unknown:
            return Status.UNKNOWN
        return Status.WARN if self.marks else Status.PASS


def retire(project: Project, name: str) -> Retirement:
    """What may go in the release after the last frozen one. Raises ProjectError for a release that there is not."""
    family = project.release(name).family
    window = after_the_last(project)
    if family in {release.family for release in window.releases}:
        return Retirement(name, tuple(release.name for release in window.releases), ())
    gone = frozen(project, name)
    left = [frozen(project, release.name) for release in window.releases]
    code = said(project_in_words(project))
    return Retirement(name, tuple(release.name for release in window.releases), tuple(_marks(gone, left, code)))


def _marks(gone: Said, left: list[Said], code: Said) -> Iterator[Mark]:
    """The marks above what the retired release had, and not above what all others have."""
    for name, thing in code.objects.items():
        had = gone.objects[name].version if name in gone.objects else Version(0, 0)
        have = min((said.objects[name].version for said in left if name in said.objects), default=thing.version)
        yield from (mark for at, mark in _of_object(thing) if had < at <= have)
    for topic, api in code.interfaces.items():
        had = gone.interfaces[topic].version if topic in gone.interfaces else Version(0, 0)
        have = min((said.interfaces[topic].version for said in left if topic in said.interfaces), default=api.version)
        yield from (mark for at, mark in _of_interface(api) if had < at <= have)


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
