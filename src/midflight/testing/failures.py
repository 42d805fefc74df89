"""What a failed round trip says."""

from __future__ import annotations

import traceback
from pathlib import Path

import midflight

_OURS = Path(midflight.__file__).parent


class RoundTripFailed(AssertionError):
    """Which object did not come through, between which versions, at which field, and what to do."""

    def __init__(self, between: str, path: str, found: str, do: str) -> None:
        super().__init__(f"{between}\n  where  {path}\n  found  {found}\n  do     {do}")
        self.between, self.path, self.found, self.do = between, path, found, do


def crashed(error: BaseException) -> str:
    """``KeyError: 'power' in paused_was_called_on (shop/objects.py:31)``: the last line that is not midflight's."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not Path(frame.filename).is_relative_to(_OURS)]
    frame = (theirs or frames)[-1]
    return f"{type(error).__name__}: {error} in {frame.name} ({frame.filename}:{frame.lineno})"


def shown(value: object) -> str:
    """A value in one short line."""
    text = repr(value)
    return text if len(text) <= 120 else text[:119] + "…"
