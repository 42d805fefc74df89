"""Programs are asked what they are before they are used."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from house.sound.errors import EngineDead, NoEngine
from house.sound.pulse import fitness
from house.sound.pulse.fitness import Fitness, told


async def test_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that cannot do are asked again after a while, and those that can are not."""
    asked, refuses = list[int](), True

    async def ask() -> None:
        asked.append(1)
        if refuses:
            raise NoEngine("snapclient", "snapclient")

    fit = Fitness(ask)
    for seconds, times in ((86_400.0, 1), (86_400.0, 1), (0.0, 2)):
        monkeypatch.setattr(fitness, "REFUSED_SECONDS", seconds)
        with pytest.raises(NoEngine, match="there is no snapclient on this host: apt install snapclient"):
            await fit.check()
        assert len(asked) == times
    refuses = False
    for _ in range(2):
        await fit.check()
    assert len(asked) == 3


async def test_what_is_told() -> None:
    """What a program writes; nothing of one that ends with an error."""
    assert await told("Snapcast", "echo", "snapclient v0.26.0") == "snapclient v0.26.0\n"
    assert await told("Snapcast", "false") is None


async def test_one_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, and that is said in the name of its engine."""
    begin, begun = asyncio.create_subprocess_exec, list[asyncio.subprocess.Process]()

    async def beginning(*command: str, stdin: int, stdout: int, stderr: int) -> asyncio.subprocess.Process:
        begun.append(await begin(*command, stdin=stdin, stdout=stdout, stderr=stderr))
        return begun[0]

    (tmp_path / "python3").write_text("#!/bin/sh\nexec sleep 86397.5\n")
    (tmp_path / "python3").chmod(0o755)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", beginning)
    monkeypatch.setattr(fitness, "ANSWER_SECONDS", 0.0)
    with pytest.raises(EngineDead, match="GStreamer does not play: it has not said what it is for 0 s"):
        await told("GStreamer", str(tmp_path / "python3"))
    assert begun[0].returncode == -signal.SIGKILL
