"""A name with a slip in it: which of those that there are was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that this one is most like; None where none is near."""
    return next(iter(get_close_matches(name, sorted(known), n=1)), None)


def meant(name: str, known: Iterable[str]) -> str:
    """What an error says behind its reason: ``. Did you mean "kilo"?``, or nothing."""
    near = nearest(name, known)
    return f'. Did you mean "{near}"?' if near else ""
