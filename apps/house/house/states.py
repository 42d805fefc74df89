"""What a machine can be, how it is guarded, and why it wakes.

These grow from release to release, so each has a word for what a later release may say.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """How a machine stands. It is *falling* from the word that it may sleep until it does."""

    AWAKE = "awake"
    FALLING = "falling"
    ASLEEP = "asleep"
    WAKING = "waking"
    UNKNOWN = "unknown"


NEXT: Mapping[State, set[State]] = {
    State.AWAKE: {State.FALLING, State.ASLEEP, State.UNKNOWN},
    State.FALLING: {State.AWAKE, State.ASLEEP, State.UNKNOWN},
    State.ASLEEP: {State.WAKING, State.AWAKE, State.UNKNOWN},
    State.WAKING: {State.AWAKE, State.ASLEEP, State.UNKNOWN},
    State.UNKNOWN: {State.AWAKE, State.FALLING, State.ASLEEP, State.WAKING},
}
"""What each state may become. Somebody may press the button of a machine, or pull its plug, so little is ruled out."""


class Mode(StrEnum):
    """What the watcher does for a sleeper: wake it for any ARP request; answer those as well; or have its address
    meanwhile, and wake it for chosen ports."""

    SNIFF = "sniff"
    ANSWER = "answer"
    PROXY = "proxy"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a machine woke, or was woken."""

    DEMAND = "demand"
    ASKED = "asked"
    PLANNED = "planned"
    TEST = "test"
    ITSELF = "itself"
    UNKNOWN = "unknown"


class Finding(StrEnum):
    """What a check has found. What it could not find out counts as busy."""

    IDLE = "idle"
    BUSY = "busy"
    UNKNOWN = "unknown"
