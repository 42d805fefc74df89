"""The file in which an agent keeps what its host is to play and to send, so that the next one need not ask first."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import structlog

from house.sound.wanted import Wanted

log = structlog.get_logger("sound")


class WantedFile:
    """The file. It is replaced as a whole, so a crash leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Wanted]:
        """By engine; nothing where there is no file, or one that cannot be read: the house tells anew."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=dict[str, Wanted])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, ValueError) as wrong:
            log.warning("sound.file_unreadable", file=str(self.path), reason=str(wrong))
            return {}

    def write(self, wanted: dict[str, Wanted]) -> None:
        """Keep this from now on."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(wanted))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
