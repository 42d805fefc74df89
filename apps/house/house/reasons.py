"""Why a machine is as it is, in words for people."""

from __future__ import annotations

from collections.abc import Iterator

from house.objects.look import Look
from house.objects.machine import Machine
from house.objects.wake import Wake
from house.operator import AWAKE
from house.states import State


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
