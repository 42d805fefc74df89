"""Named backports and forwardports: functions that rewrite a wire form for, or from, a peer of another version."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from midflight.errors import CannotBackport, RewriteFailed
from midflight.objects.marks import INSIDE, field_of
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
    shape: Rewritten, obj: Any, wire: dict[str, Any], target: Version, marks: set[str],
    refuse: Callable[[str, Version], None],
) -> tuple[bool, set[str]]:  # fmt: skip
    """Rewrite the wire form for an older peer, newest step first; whether a lossy backport was among them, and the
    marks of the changes by the names that they have then.

    Each field that a lossy one has rewritten is shown to ``refuse``, with the version that has the whole of it: if it
    was to be kept, a part of it would be lost. So is a changed one that any backport has taken out and written nothing
    for. Raises what that raises, CannotBackport where a backport refuses, and RewriteFailed where one is wrong.
    """
    lossy, ours = False, _Names()
    for before, rewrite in shape.backports:
        if target < before:
            whole = copy.deepcopy(wire) if marks or is_lossy(rewrite) else wire
            _say_older(shape, rewrite, obj, wire, target)
            step = _Step(whole, wire)
            for name in step.rewritten if is_lossy(rewrite) else step.dropped(marks):
                if ours[name] in shape.fields:
                    refuse(ours[name], before)
            ours.follow(step, marks)
            marks, lossy = step.moved(marks), lossy or is_lossy(rewrite)
    return lossy, marks


class _Step:
    """What one rewrite did to a wire form."""

    def __init__(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        self._before, self._after = before, after
        self.written = [name for name in after if name not in before or after[name] != before[name]]
        self.rewritten = [name for name in before if name not in after or after[name] != before[name]]
        fresh = [name for name in after if name not in before]
        self.renamed = {
            was: [name for name in fresh if after[name] == before[was]] for was in before.keys() - after.keys()
        }

    def taken(self, marks: set[str]) -> set[str]:
        """The marks of what it took out."""
        return {mark for mark in marks if field_of(mark) in self._before and field_of(mark) not in self._after}

    def dropped(self, marks: set[str]) -> set[str]:
        """The changed names that it took out, and wrote nothing for."""
        return {field_of(mark) for mark in self.taken(marks) if not self._behind(mark)}

    def moved(self, marks: set[str]) -> set[str]:
        """A change moves with what it changed: to the new name of what was only renamed, in the same parts; else
        whatever was written counts as changed."""
        taken = self.taken(marks)
        return (marks - taken) | {moved for mark in taken for moved in self._behind(mark)}

    def _behind(self, mark: str) -> list[str]:
        was = field_of(mark)
        renamed = [name + mark.removeprefix(was) for name in self.renamed.get(was, ())]
        written = [name for name in self.written if not any(name in names for names in self.renamed.values())]
        return renamed or [self._merged(mark, was, name) or name for name in written]

    def _merged(self, mark: str, was: str, name: str) -> str:
        """The mark of the same part in what a field was only merged into, or an empty text: there, each piece is one
        that was a piece of something before, and all pieces of the field are there."""
        old, new = self._before[was], self._after[name]
        if not old or not isinstance(new, dict | list) or (not mark.endswith(INSIDE) and type(old) is not type(new)):
            return ""
        before = [piece for value in self._before.values() for piece in _pieces(value)]
        now = _pieces(new)
        merged = all(piece in now for piece in _pieces(old)) and all(piece in before for piece in now)
        return name + mark.removeprefix(was) if merged else ""


def _pieces(value: Any) -> list[Any]:
    """What lies in a container; of an object's wire form, or of anything else, that one thing."""
    if isinstance(value, dict) and TAG not in value:
        return [*value.items()]
    return value if isinstance(value, list) else [value]


class _Names(dict[str, str]):
    """By the names of an older version, what the same is called in ours."""

    def __missing__(self, name: str) -> str:
        return name

    def follow(self, step: _Step, marks: set[str]) -> None:
        """Behind a changed field that was taken out stands what was written."""
        for was in sorted(map(field_of, step.taken(marks))):
            self.update(dict.fromkeys(step.renamed[was] or step.written, self[was]))


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
    """The changes move with it."""
    if not content.get(CHANGED):
        rewrite(content)
        return
    before = copy.deepcopy(content)
    rewrite(content)
    step = _Step(_of_fields(before), _of_fields(content))
    content[CHANGED] = sorted(step.moved(set(content[CHANGED])))


def _of_fields(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in (TAG, CHANGED)}
