"""What plays files and radios into streams, and what it complains of."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from house.sound.pulse.feeding import FFMPEG, Feeding
from house.sound.wanted import Feed

JAZZ = Feed("jazz", "radio", "http://a/jazz", "station", "239.255.12.4", 5004)


def complaints() -> int:
    """How many files of them this process has open."""
    return sum("memfd:complaints" in os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink())


async def ended(feeding: Feeding, feed: Feed) -> str:
    """Begin it, and wait for its end; why that was."""
    await feeding.begin(feed)
    await asyncio.to_thread(feeding._begun[feed.name].process.wait)
    return feeding.failure(feed)


def plays(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """That is what plays from now on."""
    program = folder / FFMPEG
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


async def test_why_one_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in its last words; and where it had no room for those, by its exit code, and not in earlier ones."""
    plays(tmp_path, monkeypatch, "echo odd frame >&2; echo http://a/jazz: gone >&2; exit 1")
    assert await ended(Feeding(None), JAZZ) == "ffmpeg cannot play http://a/jazz: gone"
    plays(tmp_path, monkeypatch, "yes odd frame | head -500 >&2; echo http://a/jazz: gone >&2; exit 3")
    assert await ended(Feeding(None), JAZZ) == "ffmpeg cannot play http://a/jazz: it has ended with exit code 3"


async def test_a_stream_that_comes_from_one_source_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the players of earlier ones have said is not kept, and nobody takes it for the present one's."""
    plays(tmp_path, monkeypatch, "echo gone >&2; exit 1")
    feeding, before = Feeding(None), complaints()
    for n in range(3):
        assert (await ended(feeding, msgspec.structs.replace(JAZZ, source=f"http://a/{n}"))).endswith(": gone")
    assert complaints() == before + 1
    assert feeding.failure(JAZZ) == ""
    assert not feeding.begins(JAZZ)
