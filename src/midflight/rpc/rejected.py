"""Rejections: who sent what to whom in a version that could not be served. Told at both ends by the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midflight import telemetry
from midflight.context import Caller
from midflight.errors import VersionRejected


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


def log_rejected(facts: Mapping[str, Any], side: str) -> None:
    """Log ``rpc.version_rejected`` at one end; ``side`` is ``sender`` or ``receiver``."""
    telemetry.log.error("rpc.version_rejected", **{**facts, "side": side})
