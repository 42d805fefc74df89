"""The way from each frozen release to the next, as a reader is told it: what came and went, and for whom it is
rewritten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from midflight.project import Project
from midflight.upgrade.aim import Aim
from midflight.upgrade.chronicle import Chapter, chronicle
from midflight.upgrade.frozen import frozen

_REWRITE = re.compile(
    r"for (?P<whom>older peers|what older peers say), (?P<name>\w+)(?P<lossy> \(lossy\))?(?: does something else now)?:"
    r" (?P<says>.*)",
    re.DOTALL,
)
"""How the chronicle tells a named backport or forwardport."""


@dataclass(frozen=True)
class Rewrite:
    """A named backport or forwardport that is new, or does something else now."""

    object: str
    name: str
    whom: str
    lossy: bool
    says: str
    """Its docstring."""


@dataclass(frozen=True)
class Passage:
    """From one release to the next."""

    before: str
    after: str
    rewrites: Sequence[Rewrite]
    chapters: Sequence[Chapter]
    """What else happened to each object and interface."""


def passages_of(project: Project) -> list[Passage]:
    """All of a project's, in the order of its releases. Raises ProjectError."""
    names = [release.name for release in project.releases]
    if names:
        names.sort(key=Aim(names[-1], tuple(names)).place)
    said = {name: frozen(project, name) for name in names}
    return [_passage(old, new, chronicle(said[old], said[new])) for old, new in pairwise(names)]


def _passage(old: str, new: str, chapters: Sequence[Chapter]) -> Passage:
    rewrites = [each for chapter in chapters for each in _rewrites(chapter)]
    others = [Chapter(c.title, tuple(line for line in c.lines if not _REWRITE.fullmatch(line))) for c in chapters]
    return Passage(old, new, rewrites, others)


def _rewrites(chapter: Chapter) -> Iterator[Rewrite]:
    for line in chapter.lines:
        if found := _REWRITE.fullmatch(line):
            name = chapter.title.partition(" ")[0]
            yield Rewrite(name, found["name"], found["whom"], bool(found["lossy"]), found["says"])
