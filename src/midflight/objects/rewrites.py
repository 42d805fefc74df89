"""Named backports and forwardports: functions that rewrite a wire form for, or from, a peer of another version."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from midflight.errors import CannotBackport, RewriteFailed
from midflight.objects.marks import field_of
from midflight.versions import Version

TAG = "$"
"""The key under which a wire form says what it is: ``Instance:1.16``, with a ``~`` behind when fields are unset."""
CHANGED = "~"
"""The key of the names of changed fields."""

Rewrites = tuple[tuple[Version, Callable[..., None]], ...]
"""Each with the version that it leads from, or to."""


class Rewritten(Protocol):
    """What a rewrite has to know of the class whose wire form it rewrites: its Shape."""

    name: str
    version: Version
    backports: Rewrites
    forwardports: Rewrites

    @property
    def fields(self) -> Mapping[str, Any]: ...


def marked(cls: type, mark: str) -> Rewrites:
    """The named rewrites of a class by their version, newest first.

    Those of a base class that is itself versioned are left out: they speak of the versions of that one.
    """
    theirs = {name for base in cls.__mro__[1:] if "__shape__" in base.__dict__ for name in base.__dict__}
    names = [name for name in dir(cls) if name in cls.__dict__ or name not in theirs]
    found = {name: getattr(cls, name) for name in names if hasattr(getattr(cls, name, None), mark)}
    return tuple(sorted(((getattr(f, mark), f) for f in found.values()), key=lambda pair: pair[0], reverse=True))


def is_lossy(backport: Callable[..., None]) -> bool:
    """Whether it says that an older peer is not told all."""
    return getattr(backport, "__lossy__", False)


def bring_back(
    shape: Rewritten, obj: Any, wire: dict[str, Any], target: Version, refuse: Callable[[str, Version], None]
) -> bool:
    """Rewrite the wire form for an older peer, newest step first; whether a lossy backport was among them.

    Each field that a lossy one has rewritten is shown to ``refuse``, with the version that has the whole of it: if it
    was to be kept, a part of it would be lost. Raises what that raises, CannotBackport where a backport refuses, and
    RewriteFailed where one is wrong.
    """
    lossy = False
    for before, rewrite in shape.backports:
        if target < before:
            whole = dict(wire) if is_lossy(rewrite) else wire
            _say_older(shape, rewrite, obj, wire, target)
            for name in whole if is_lossy(rewrite) else ():
                if name in shape.fields and (name not in wire or wire[name] != whole[name]):
                    refuse(name, before)
            lossy = lossy or is_lossy(rewrite)
    return lossy


def _say_older(shape: Rewritten, rewrite: Callable[..., None], obj: Any, wire: dict[str, Any], target: Version) -> None:
    try:
        rewrite(obj, wire)
    except CannotBackport as refused:
        told = CannotBackport(refused.reason, object=shape.name, version=str(shape.version), target=str(target))
        raise told.with_traceback(refused.__traceback__) from None
    except Exception as wrong:  # noqa: BLE001  # a rewrite is any code of the user
        failed = _failed(shape, rewrite, shape.name, shape.version, target, wrong)
        raise failed.with_traceback(wrong.__traceback__) from None


def bring_forward(shape: Rewritten, content: dict[str, Any], version: Version, path: str) -> None:
    """Rewrite the wire form of an older peer, oldest step first. Raises RewriteFailed, which names ``path``."""
    for since, rewrite in reversed(shape.forwardports):
        if version < since:
            try:
                _step(rewrite, content)
            except Exception as wrong:  # noqa: BLE001  # as above; and the form is whatever the peer sent
                failed = _failed(shape, rewrite, path, version, since, wrong)
                raise failed.with_traceback(wrong.__traceback__) from None


def _failed(
    shape: Rewritten, rewrite: Callable[..., None], path: str, version: Version, target: Version, wrong: Exception
) -> RewriteFailed:
    """The text of the mistake may quote a value, and is left out where that might be a sensitive one."""
    text = "" if any(field.sensitive for field in shape.fields.values()) else f": {wrong}"
    return RewriteFailed(
        path=path, object=shape.name, rewrite=rewrite.__name__, version=str(version), target=str(target),
        error=f"{type(wrong).__name__}{text}",
    )  # fmt: skip


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
