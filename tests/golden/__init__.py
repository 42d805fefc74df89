"""Golden bytes: what each released version of an object, and each protocol of the envelopes, has sent.

A file is written once, by ``python -m tests.golden --write``, and never again: its bytes must be read for ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

FOLDER = Path(__file__).parent / "files"
COMMAND = "python -m tests.golden --write"
_WIDTH = 100


@dataclass(frozen=True)
class Golden:
    """``says`` is what the bytes say: an object as it is at rest, or an envelope with its arguments unpacked."""

    name: str
    version: str
    data: bytes
    says: dict[str, Any]

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}.json"

    @classmethod
    def read(cls, path: Path) -> Self:
        kept = json.loads(path.read_text())
        return cls(kept["name"], kept["version"], bytes.fromhex("".join(kept["bytes"])), kept["says"])

    def write(self, folder: Path) -> bool:
        """Whether it was written: one that is there stays as it is."""
        digits = self.data.hex()
        lines = [digits[at : at + _WIDTH] for at in range(0, len(digits), _WIDTH)]
        content = {"name": self.name, "version": self.version, "says": self.says, "bytes": lines}
        try:
            with (folder / self.file).open("x") as file:
                file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        except FileExistsError:
            return False
        return True


def kept() -> list[Golden]:
    """All that has ever been released."""
    return [Golden.read(path) for path in sorted(FOLDER.glob("*.json"))]


def plain(data: bytes) -> Any:
    """What bytes say, without any type."""
    return msgspec.msgpack.decode(data)
