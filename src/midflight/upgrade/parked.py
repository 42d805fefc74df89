"""What an operator may decide about parked messages, and in which order: pure functions on the list of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from midflight.errors import StepBlocked, UsageError
from midflight.rpc.parked import BEHIND, expiry_of, key_of
from midflight.spelling import meant
from midflight.transports.base import ParkedMessage
from midflight.upgrade.roster import ago

_SHORTEST = 4
"""Characters by which a message may be named, if no other begins with them."""


@dataclass(frozen=True)
class Parked:
    """A parked message at one moment; ``ahead`` is the id of the earlier one of its key that is to be decided first."""

    message: ParkedMessage
    ahead: str
    expired: bool
    age: float | None

    @property
    def id(self) -> str:
        return self.message.message_id

    @property
    def method(self) -> str:
        return self.message.facts.get("method", "unknown")

    @property
    def reason(self) -> str:
        """Why it is parked, in a few words."""
        facts = self.message.facts
        if BEHIND in facts:
            return f"held back by {facts[BEHIND]}"
        if "understood" in facts:
            return f"{facts.get('requested')} was not understood, only {facts['understood']}"
        return facts.get("error", "unknown")

    @property
    def expires_at(self) -> datetime | None:
        """When it is worth nothing any more; None for never."""
        at = expiry_of(self.message)
        try:
            return None if at is None else datetime.fromtimestamp(at, UTC)
        except (ValueError, OverflowError, OSError):  # what its sender said is no year of ours
            return None

    @property
    def expires(self) -> str:
        at = self.expires_at
        if at is None:
            return "never"
        return "expired" if self.expired else at.isoformat(timespec="seconds")

    @property
    def parked_at(self) -> datetime | None:
        """When it was parked; None where that was not noted."""
        try:
            return datetime.fromisoformat(self.message.facts["parked_at"]).astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            return None

    def to_wire(self) -> dict[str, Any]:
        """For machines."""
        key = key_of(self.message)
        return {
            "id": self.id, "address": str(self.message.address), "method": self.method, "reason": self.reason,
            "key": key[1] if key else None, "ahead": self.ahead or None, "expires": expiry_of(self.message),
            "expired": self.expired, "age": self.age, "bytes": len(self.message.body), "facts": self.message.facts,
        }  # fmt: skip


def looked_at(messages: Iterable[ParkedMessage], now: float) -> list[Parked]:
    """All of them, oldest first. An expired one keeps nobody waiting."""
    first: dict[Any, str] = {}
    found = []
    for message in messages:
        expires, key = expiry_of(message), key_of(message)
        expired = expires is not None and now >= expires
        ahead = "" if key is None else first.get(key, "")
        if key is not None and not expired:
            first.setdefault(key, message.message_id)
        found.append(_aged(Parked(message, ahead, expired, None), now))
    return found


def _aged(each: Parked, now: float) -> Parked:
    at = each.parked_at
    return each if at is None else replace(each, age=max(0.0, now - at.timestamp()))


def named(parked: Sequence[Parked], names: Iterable[str]) -> list[Parked]:
    """Those of these ids, or beginnings of ids, oldest first. Raises UsageError."""
    chosen = {_one(parked, name).id for name in names}
    return [each for each in parked if each.id in chosen]


def _one(parked: Sequence[Parked], name: str) -> Parked:
    found = [each for each in parked if each.id == name]
    if not found and len(name) >= _SHORTEST:
        found = [each for each in parked if each.id.startswith(name)]
    if not found:
        near = meant(name, (each.id for each in parked))
        raise UsageError(reason=f"there is no parked message {name!r}: see midflight parked list{near}")
    if len(found) > 1:
        raise UsageError(reason=f"{name!r} are {len(found)} parked messages: {', '.join(each.id for each in found)}")
    return found[0]


def check_replay(chosen: Sequence[Parked]) -> None:
    """Raises StepBlocked for one that nobody would run: it has expired, or an earlier one of its key is undecided."""
    ids = {each.id for each in chosen}
    for each in chosen:
        if each.expired:
            raise StepBlocked(step=f"Replaying {each.id}", reason="it has expired, and nobody would run it. Discard it")
        if each.ahead and each.ahead not in ids:
            reason = f"{each.ahead} came before it, with the same key. Replay or discard that one first"
            raise StepBlocked(step=f"Replaying {each.id}", reason=reason)


def set_free(parked: Sequence[Parked], discarded: Sequence[Parked]) -> list[Parked]:
    """Those that were held back, and are the first of their key when some are discarded."""
    gone = {each.id for each in discarded}
    keys = {key_of(each.message) for each in discarded} - {None}
    left = [each for each in parked if each.id not in gone and not each.expired]
    firsts = [next((each for each in left if key_of(each.message) == key), None) for key in keys]
    return [each for each in firsts if each is not None and BEHIND in each.message.facts]


def parked_for(each: Parked) -> str:
    """How long it has been parked, in words."""
    return "-" if each.age is None else f"{ago(each.age)} ago"
