"""What a person reads of a benchmark."""

from __future__ import annotations

import sys

from rich.console import Console

WIDE = 160
"""Columns of a file or a pipe, which cuts no name short."""


def paper() -> Console:
    """As wide as the terminal, or as wide as it takes."""
    return Console(width=None if sys.stdout.isatty() else WIDE)
