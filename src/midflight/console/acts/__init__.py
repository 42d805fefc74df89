"""What an operator can do in a browser; each act has a module here, or shares one with its opposite."""

from collections.abc import Sequence

from midflight.console.acts.data import BRAKE, STEER
from midflight.console.acts.finalizing import FINALIZE
from midflight.console.acts.members import DRAIN, RETIRE, UNDO_DRAIN
from midflight.console.acts.parked import DISCARD, REPLAY
from midflight.console.acts.pins import CLEAR_PIN, SET_PIN
from midflight.console.acts.risks import ACKNOWLEDGE, WITHDRAW
from midflight.console.scene import FleetAct

ACTS: Sequence[FleetAct] = (
    SET_PIN, CLEAR_PIN, DRAIN, UNDO_DRAIN, RETIRE, ACKNOWLEDGE, WITHDRAW, FINALIZE, REPLAY, DISCARD, *STEER, BRAKE,
)  # fmt: skip
