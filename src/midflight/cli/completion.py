"""``midflight completion``: what completes the commands and their options in a shell."""

from __future__ import annotations

import sys
from typing import Literal

from midflight.cli.app import build
from midflight.cli.endings import writing


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the script by which a shell completes the commands of midflight and their options.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    with writing():
        sys.stdout.write(build().generate_completion(prog_name="midflight", shell=shell))
    return 0
