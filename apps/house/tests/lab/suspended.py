"""midflight's command line in a machine that a test suspends: its clocks have gone on meanwhile for as long as the file
SLEPT says.

Run as a program with ``python -P``, from a tree of the house: this folder is none of its packages.
"""

import os
import sys
import time
from pathlib import Path

from midflight.cli import main

_clock_gettime = time.clock_gettime


def clock_gettime(clock: int) -> float:
    """The time, with all of the machine's sleep in the clock that counts that."""
    slept = float(Path(os.environ["SLEPT"]).read_text()) if clock == time.CLOCK_BOOTTIME else 0.0
    return _clock_gettime(clock) + slept


if __name__ == "__main__":
    time.clock_gettime = clock_gettime
    sys.exit(main())
