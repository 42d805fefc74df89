"""The fleet in a terminal: ``midflight run|db|data|pin|fleet|upgrade|release``."""

from midflight.cli.entry import main

__all__ = ["main"]
