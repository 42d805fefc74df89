"""Code of an application that calls exit: it has failed like any other, for the process is not its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_exit(who: str) -> Iterator[None]:
    """Run somebody's code in the block. Raises RuntimeError instead of the SystemExit that would end the process."""
    try:
        yield
    except SystemExit as left:
        raise RuntimeError(f"{who} called exit: {left}") from left
