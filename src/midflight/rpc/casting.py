"""What an endpoint promises of its casts: until when one is worth running, in which order, and whether a parked one may
go on by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import isfinite
from typing import Any

from midflight.errors import ProjectError

_LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class Casting:
    """``expires`` is in seconds from the sending; ``ordered_by`` is a parameter, or an attribute of one, after dots."""

    replayable: bool = False
    expires: float | None = None
    ordered_by: str = ""

    def check(self, where: str, parameters: Iterable[str]) -> None:
        """Raises ProjectError for what cannot be kept."""
        expires = self.expires
        if expires is not None and not (isinstance(expires, int | float) and isfinite(expires) and expires > 0):
            raise ProjectError(where=where, reason=f"expires={expires!r}: give seconds, more than 0")
        first, *rest = self.ordered_by.split(".")
        if self.ordered_by and not (first in parameters and all(name.isidentifier() for name in rest)):
            known = ", ".join(parameters) or "none"
            reason = f"ordered_by={self.ordered_by!r}: give a parameter, or an attribute of one; it has {known}"
            raise ProjectError(where=where, reason=reason)

    @property
    def words(self) -> tuple[str, ...]:
        """For the frozen contract."""
        return (
            "replayable" if self.replayable else "",
            f"expires {self.expires:g} s" if self.expires is not None else "",
            f"ordered by {self.ordered_by}" if self.ordered_by else "",
        )

    def key_of(self, arguments: Mapping[str, Any]) -> str:
        """The ordering key of a message with these arguments; empty where it has none. Raises AttributeError where a
        value is not there."""
        if not self.ordered_by:
            return ""
        name, *attributes = self.ordered_by.split(".")
        value = arguments.get(name)
        for attribute in attributes:
            value = None if value is None else getattr(value, attribute)
        return "" if value is None else _key(str(value))


UNPROMISED = Casting()


def _key(text: str) -> str:
    """It is logged and kept with the facts of a parked message, so it is short."""
    if len(text) <= _LONGEST_KEY:
        return text
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
