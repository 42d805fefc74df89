"""What is said of a field beside its name and its type, then and now, within one version of its object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from midflight.upgrade.finding import Category
from midflight.upgrade.reading import Part

_HIDDEN = "***"


class Change(NamedTuple):
    """What changed, whom it breaks, and what is due beside a new version."""

    category: Category
    change: str
    breaks: str
    due: str = ""


def mark_changes(old: Part, new: Part) -> Iterator[Change]:
    """What code can see, and what rows hold."""
    yield from _default(old, new)
    if old.moves != new.moves:
        breaks = "two codes of one version allow different transitions"
        yield Change(Category.CODE, f"allows {new.moves or 'any transition'}", breaks)
    for mark, (set_, cleared) in _VISIBLE.items():
        if (mark in old.marks) != (mark in new.marks):
            became = mark in new.marks
            yield Change(Category.CODE, f"{'became' if became else 'is no longer'} {mark}", set_ if became else cleared)
    yield from _row(old, new)


_ASSIGNS = "code that was written for this version assigns it, or relies on nobody doing so"
_READS = "code that was written for this version reads it without loading, or leaves it out"
_VISIBLE = {
    "read-only": (_ASSIGNS, _ASSIGNS),
    "lazy": (_READS, _READS),
    "sensitive": (
        "another code of this version shows it in its logs and errors",
        "this code shows in its logs and errors what another code of this version masks",
    ),
}


def _default(old: Part, new: Part) -> Iterator[Change]:
    if old.default == new.default or _hidden_in_one(old, new):
        return
    if new.default is None:
        breaks = "code that was written for this version leaves it out: MissingField"
        yield Change(Category.CODE, "made required", breaks)
    elif old.default is None:
        breaks = "code of the same version elsewhere demands it: MissingField"
        yield Change(Category.CODE, f"got a default, {new.default}", breaks)
    else:
        breaks = "where it is left out, two codes of one version mean different things"
        yield Change(Category.CODE, default_change(old.default, new.default), breaks)


def _hidden_in_one(old: Part, new: Part) -> bool:
    """Then they cannot be compared; that it became sensitive, or is no longer, is told by itself."""
    return _HIDDEN in (old.default, new.default) and ("sensitive" in old.marks) != ("sensitive" in new.marks)


def default_change(old: str, new: str) -> str:
    """Two defaults that differ, in words; of two bodies of one name, that alone."""
    made, mark, _ = new.partition("() body ")
    if mark and old.startswith(f"{made}()"):
        return f"the body of its default changed, {made}()"
    return f"default changed from {old} to {new}"


def _row(old: Part, new: Part) -> Iterator[Change]:
    """Rows carry no version: two codes that open one database find each other's."""
    for word, breaks, due in _ROWS:
        then, now = old.row.get(word, ""), new.row.get(word, "")
        if then != now:
            yield Change(Category.STORE, _row_change(word, then, now), breaks, due)


_ROWS = (
    (
        "column",
        "another code of this version reads and writes the old column of the same rows: each misses what the other "
        "wrote",
        ", and an online data migration that keeps both columns until no older code opens the database",
    ),
    (
        "from_column",
        "another code of this version takes something else for the value of the same row",
        ", and a body that still reads what older codes wrote",
    ),
    (
        "to_column",
        "another code of this version reads the same row, and takes something else for its value",
        ", and a body whose rows every code in the window reads",
    ),
)


def _row_change(word: str, old: str, new: str) -> str:
    if old and new and old.partition(" ")[0] == new.partition(" ")[0]:
        return f"the body of {word} changed"
    return f"{word} changed from {old or _PLAIN[word]} to {new or _PLAIN[word]}"


_PLAIN = {"column": "its own name", "from_column": "none", "to_column": "none"}
