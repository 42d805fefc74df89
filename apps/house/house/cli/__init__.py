"""The house in a terminal: ``house status|wake|sleep|hold|away|ignore|rule|test-wake|history|page|watch``."""

from house.cli.app import main

__all__ = ["main"]
