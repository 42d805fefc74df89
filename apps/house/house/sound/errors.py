"""What can go wrong with an engine. Each is told once, in words, and the agent tries again."""

from __future__ import annotations


class EngineError(Exception):
    """Of an engine. Its text is for whoever listens to the music."""


class NoEngine(EngineError):
    """Its program is not there."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(program, package)
        self.program, self.package = program, package

    def __str__(self) -> str:
        return f"there is no {self.program} on this host: apt install {self.package}"


class EngineDead(EngineError):
    """It does not run, or does not answer."""

    def __init__(self, engine: str, reason: str) -> None:
        super().__init__(engine, reason)
        self.engine, self.reason = engine, reason

    def __str__(self) -> str:
        return f"{self.engine} does not play: {self.reason}"


class WrongEngine(EngineError):
    """Another one answers than is needed."""

    def __init__(self, received: str, expected: str) -> None:
        super().__init__(received, expected)
        self.received, self.expected = received, expected

    def __str__(self) -> str:
        return f"received the engine {self.received}, expected {self.expected}"
