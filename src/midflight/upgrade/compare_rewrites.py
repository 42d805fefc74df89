"""The named rewrites of one version, then and now: two codes may not make different forms of one version."""

from __future__ import annotations

from collections.abc import Iterator

from midflight.upgrade.finding import Category
from midflight.upgrade.reading import Rewrite

_FORMS = "two codes of one version make different forms of one {name}, and nobody can tell which a peer was sent"
_LESS = "another code of this version promises that an older peer is told all, and nobody counts what is lost there"
_ALL = "another code of this version says that an older peer is not told all, and counts it apart"


def rewrite_changes(what: str, old: Rewrite | None, new: Rewrite | None) -> Iterator[tuple[Category, str, str]]:
    """Who notices, what changed, and whom that breaks. Whether one may go is asked of all peers at once."""
    if new is None:
        return
    if change := _change(what, old, new):
        yield Category.WIRE if what == "backport" else Category.STORE, change, _FORMS
    if old is not None and old.lossy != new.lossy:
        change, breaks = ("became lossy", _LESS) if new.lossy else ("is no longer lossy", _ALL)
        yield Category.CODE, change, breaks


def _change(what: str, old: Rewrite | None, new: Rewrite) -> str:
    if old is None:
        return f"{what} added"
    if old.at != new.at:
        return f"{what} moved from {old.at} to {new.at}"
    return f"the {what}'s body changed" if old.digest and old.digest != new.digest else ""
