"""What an operator can do in a browser; each act has a module here, or shares one with its opposite."""

from midflight.console.act import Act
from midflight.console.acts.data import BRAKE, STEER
from midflight.console.acts.finalizing import FINALIZE
from midflight.console.acts.members import RETIRE
from midflight.console.acts.parked import DISCARD, REPLAY
from midflight.console.acts.pins import CLEAR_PIN, SET_PIN
from midflight.console.acts.risks import ACKNOWLEDGE, WITHDRAW

ACTS: dict[str, Act] = {
    act.name: act
    for act in (SET_PIN, CLEAR_PIN, RETIRE, ACKNOWLEDGE, WITHDRAW, FINALIZE, REPLAY, DISCARD, *STEER, BRAKE)
}
"""By name."""
