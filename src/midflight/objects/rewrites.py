"""Named backports and forwardports: functions that rewrite a wire form for, or from, a peer of another version."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from midflight.objects.marks import field_of
from midflight.versions import Version

TAG = "$"
"""The key under which a wire form says what it is: ``Instance:1.16``, with a ``~`` behind when fields are unset."""
CHANGED = "~"
"""The key of the names of changed fields."""

Rewrites = tuple[tuple[Version, Callable[..., None]], ...]
"""Each with the version that it leads from, or to."""


def marked(cls: type, mark: str) -> Rewrites:
    """The named rewrites of a class by their version, newest first.

    Those of a base class that is itself versioned are left out: they speak of the versions of that one.
    """
    theirs = {name for base in cls.__mro__[1:] if "__shape__" in base.__dict__ for name in base.__dict__}
    names = [name for name in dir(cls) if name in cls.__dict__ or name not in theirs]
    found = {name: getattr(cls, name) for name in names if hasattr(getattr(cls, name, None), mark)}
    return tuple(sorted(((getattr(f, mark), f) for f in found.values()), key=lambda pair: pair[0], reverse=True))


def bring_forward(forwardports: Rewrites, content: dict[str, Any], version: Version) -> None:
    """Rewrite the wire form of an older peer, oldest step first."""
    for since, rewrite in reversed(forwardports):
        if version < since:
            _step(rewrite, content)


def _step(rewrite: Callable[[dict[str, Any]], None], content: dict[str, Any]) -> None:
    """A change moves with what it changed: where a step takes out a changed field, what it wrote counts as changed."""
    if not content.get(CHANGED):
        rewrite(content)
        return
    before = copy.deepcopy(content)
    rewrite(content)
    taken = {mark for mark in before[CHANGED] if field_of(mark) in before and field_of(mark) not in content}
    if taken:
        written = [name for name in content if name not in before or content[name] != before[name]]
        content[CHANGED] = sorted({*content[CHANGED], *written} - taken - {TAG, CHANGED})
