"""The port: what every engine can do. Its contract is in ``tests/sound/test_contract.py``."""

from __future__ import annotations

from typing import Protocol

from house.sound.heard import Heard
from house.sound.wanted import Wanted


class Driver(Protocol):
    """One host's engine. It plays on when the driver ends, and a new driver takes it over as it is.

    Nothing here is called twice at once, and ``need`` at any time. Every other method raises EngineError where the
    engine does not answer; what goes wrong with one room or one stream is no error, but a word of ``look`` about that
    one, and the others play on.
    """

    async def ready(self, *, start: bool = True) -> bool:
        """Have an engine that answers, and start it where none runs, unless it is not to be started. True where it is
        not the one of the last time, and so knows of nothing any more. Raises NoEngine, EngineDead, WrongEngine."""
        ...

    def need(self, wanted: Wanted) -> None:
        """This is going to be applied: from now on no engine of the host takes away what it takes. All of them are told
        before one is applied, for the first may be one of which nothing is wanted any more."""
        ...

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        """Make it play and send what is wanted, and nothing else of the house's; what is somebody else's stays. Done
        twice it does nothing the second time, and undoes all for a ``Wanted`` that is empty. Answers with what was
        done, in words, or with what would be where it is rehearsed."""
        ...

    async def look(self, wanted: Wanted) -> Heard:
        """How all that stands which was applied last."""
        ...

    async def listen(self, room: str, seconds: float) -> list[float]:
        """For so long, the peaks of what a room plays of its stream, of each tenth of a second: 1 is full scale, and
        how loud the room is set does not count. None where it plays nothing. Other methods may be called meanwhile."""
        ...

    async def stirred(self) -> None:
        """Wait until something has changed by itself: it has ended, or a sound card was unplugged or plugged in. Other
        methods may be called meanwhile."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...
