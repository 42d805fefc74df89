"""What can go wrong in the house itself. These cross from service to service as what they are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self


class HouseError(Exception):
    """Its arguments are plain values, so that it can travel."""


class NotFound(HouseError):
    """There is no such thing. ``near`` is the name that may have been meant."""

    def __init__(self, what: str, key: str, near: str | None = None) -> None:
        super().__init__(what, key, near)
        self.what, self.key, self.near = what, key, near

    @classmethod
    def among(cls, what: str, key: str, known: Iterable[str]) -> Self:
        """Where these are the names that there are."""
        return cls(what, key, next(iter(get_close_matches(key, sorted(known), n=1)), None))

    def __str__(self) -> str:
        return f"the house has no {self.what} {self.key!r}" + (f'. Did you mean "{self.near}"?' if self.near else "")


class AlreadyExists(HouseError):
    """A name is taken."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(what, key)
        self.what, self.key = what, key

    def __str__(self) -> str:
        return f"the house has a {self.what} {self.key!r} already"


class AddressTaken(HouseError):
    """Two machines, or two streams, with one address: nobody could tell which of them is wanted."""

    def __init__(self, machine: str, address: str, owner: str) -> None:
        super().__init__(machine, address, owner)
        self.machine, self.address, self.owner = machine, address, owner

    def __str__(self) -> str:
        return f"{self.machine} cannot have {self.address}: it is {self.owner}'s. Correct one of the two"


class StaysAwake(HouseError):
    """A machine may not sleep now, for these reasons, which travel as lines of one text. ``until`` is when it may be
    asked again, in ISO 8601, if that is known."""

    def __init__(self, machine: str, reasons: Iterable[str] | str, until: str | None = None) -> None:
        self.reasons = tuple(reasons.splitlines() if isinstance(reasons, str) else reasons)
        super().__init__(machine, "\n".join(self.reasons), until)
        self.machine, self.until = machine, until

    def __str__(self) -> str:
        return f"{self.machine} stays awake: {'; '.join(self.reasons)}"


class NotClaimed(HouseError):
    """The watcher cannot stand guard for a machine, so it must not sleep."""

    def __init__(self, machine: str, reason: str) -> None:
        super().__init__(machine, reason)
        self.machine, self.reason = machine, reason

    def __str__(self) -> str:
        return f"nobody would wake {self.machine}: {self.reason}"


class NotNow(HouseError):
    """How a machine or a stream stands does not allow what somebody wants of it."""

    def __init__(self, machine: str, reason: str) -> None:
        super().__init__(machine, reason)
        self.machine, self.reason = machine, reason

    def __str__(self) -> str:
        return f"{self.machine}: {self.reason}"


class NotYours(HouseError):
    """An agent speaks of the machine that it runs on, and of no other."""

    def __init__(self, machine: str, sender: str) -> None:
        super().__init__(machine, sender)
        self.machine, self.sender = machine, sender

    def __str__(self) -> str:
        return f"{self.sender} is not the agent of {self.machine}, and only that one says how it stands"
