"""The house in a terminal: ``house status|wake|sleep|hold|away|ignore|rule|test-wake|history|page``."""

from house.cli.app import main

__all__ = ["main"]
