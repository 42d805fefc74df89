"""Code of an application that calls exit: it has failed like any other, for the process is not its own."""

from __future__ import annotations

from types import TracebackType


class NoExit:
    """Runs somebody's code in its block. Raises RuntimeError instead of the SystemExit that would end the process.

    A class, since a generator would cost three times as much, and a call passes two of them.
    """

    __slots__ = ("_who",)

    def __init__(self, who: str) -> None:
        self._who = who

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None and isinstance(error, SystemExit):
            raise RuntimeError(f"{self._who} called exit: {error}") from error
