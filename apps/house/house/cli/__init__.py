"""The house in a terminal: ``house status``, ``wake``, ``sleep``, and all that ``house.cli.app`` lists."""

from house.cli.app import main

__all__ = ["main"]
