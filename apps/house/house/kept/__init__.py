"""What the house keeps, and what it does with it: all that needs SQLAlchemy.

Each module is imported at its first use, by the body of a remotable: that runs where the database is, and so neither
an agent nor a watcher has any of it in memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from house.kept import (
        aways,
        groups,
        histories,
        holds,
        machines,
        moves,
        patch_bays,
        patching,
        players,
        rows,
        scenes,
        streams,
        tables,
        wakes,
        wirings,
    )

__all__ = [
    "aways",
    "groups",
    "histories",
    "holds",
    "machines",
    "moves",
    "patch_bays",
    "patching",
    "players",
    "rows",
    "scenes",
    "streams",
    "tables",
    "wakes",
    "wirings",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"{__name__}.{name}")
