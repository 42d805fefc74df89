"""Why a machine is as it is, and what somebody should see to, in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from house.objects.look import Look
from house.objects.machine import Machine
from house.objects.wake import Wake
from house.operator import AWAKE
from house.states import Mode, State

SILENT = timedelta(minutes=12)
"""An agent that has said nothing for so long is missed: it speaks every five minutes."""
SLOW = timedelta(seconds=30)
"""A wake that takes longer has failed."""


def why(machine: Machine, look: Look | None, last: Wake | None) -> Iterator[str]:
    """Why it is as it is. An agent that can be asked knows best; ``last`` is its latest wake."""
    if machine.state is State.AWAKE and look is not None:
        yield from look.because or ["nothing speaks against its sleep; it waits for a while"]
    elif machine.because:
        yield from machine.because
    elif machine.state in AWAKE and last is not None:
        yield woken_by(last)
    elif machine.state is State.UNKNOWN:
        yield "neither its agent nor its watcher has spoken of it"
    else:
        yield "nobody has said why"


def woken_by(wake: Wake) -> str:
    """``laptop asked for port 22``."""
    who = wake.requester_name or (wake.requester_address and str(wake.requester_address)) or wake.requester_mac
    match wake.cause.value:
        case "demand":
            return f"{who or 'somebody'} asked for {f'port {wake.port}' if wake.port else 'it'}"
        case "asked":
            return f"{who or 'somebody'} asked for it by name"
        case "planned":
            return "it was planned"
        case "test":
            return "a test"
        case "itself":
            return "it woke by itself"
        case _:
            return "nobody knows what for"


def warnings(machine: Machine, look: Look | None, last: Wake | None, now: datetime) -> Iterator[str]:
    """What somebody should see to. One without an agent gives no reason for being awake."""
    if machine.flag_armed is False:
        yield "Its network card is not armed: it would not wake for a magic packet."
    if last is not None and last.awake_at is None and last.asked_at < now - SLOW and machine.state not in AWAKE:
        yield f"It has not woken when it was asked for last, after {last.tries} tries."
    spoke_at = machine.seen_at if machine.state in AWAKE and machine.because else None
    if look is None and spoke_at is not None and spoke_at < now - SILENT:
        yield "Its agent has said nothing for a while."
    if machine.mode is Mode.UNKNOWN:
        yield "It is guarded in a way that this release does not know: upgrade whoever says this."
