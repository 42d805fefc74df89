"""Rejections: who sent what to whom in a version that could not be served. Told at both ends by the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midflight import telemetry
from midflight.context import Caller
from midflight.errors import InvalidValue, VersionRejected

KNOWN = (
    "sender", "sender_release", "sender_member", "pin_epoch", "receiver", "receiver_release",
    "interface", "method", "requested", "understood",
)  # fmt: skip
"""The facts of a rejection, whoever tells them."""
OF_SENDER = ("sender_release", "sender_member", "pin_epoch")
"""Those for which there is the sender's word alone."""
REQUIRED = ("sender", "method", "requested")
"""Without these, a report tells nobody anything."""
_LONGEST = 500
"""Bytes of a fact, so that a full beat's reports fit into one message."""


def parties(sender: Caller, receiver: Caller) -> dict[str, str]:
    """Who sent to whom."""
    return {
        "sender": f"{sender.service}@{sender.host}",
        "sender_release": sender.release,
        "sender_member": sender.member,
        "pin_epoch": str(sender.pin_epoch),
        "receiver": f"{receiver.service}@{receiver.host}",
        "receiver_release": receiver.release,
    }


def facts_of(rejected: VersionRejected, sender: Caller, receiver: Caller) -> dict[str, str]:
    """The facts of a rejection, as they are logged, parked and told to the sender."""
    return parties(sender, receiver) | {
        "interface": rejected.interface,
        "method": rejected.method,
        "requested": rejected.requested,
        "understood": rejected.understood,
    }


def reported(facts: Mapping[str, Any]) -> dict[str, str]:
    """What is kept of a rejection that a peer tells of: the known facts, each cut. Raises InvalidValue where a required
    one is missing."""
    if missing := [name for name in REQUIRED if name not in facts]:
        expected = f"the facts of a rejection, with {', '.join(missing)}"
        raise InvalidValue(path="rejected(facts)", received=", ".join(facts)[:_LONGEST] or "none", expected=expected)
    return {name: cut(str(facts[name])) for name in KNOWN if name in facts}


def cut(fact: str) -> str:
    """As long as a fact may be that a peer tells."""
    return fact.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")


def log_rejected(facts: Mapping[str, str], side: str, **more: Any) -> None:
    """Log ``rpc.version_rejected`` at one end; ``side`` is ``sender`` or ``receiver``, who may have ``more`` to say."""
    telemetry.log.error("rpc.version_rejected", **reported(facts), side=side, **more)
