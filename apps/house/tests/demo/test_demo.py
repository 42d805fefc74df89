"""What somebody sees who tries the house out."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from demo import figures

from tests.lab.unit import HERE

FIGURES = {
    "asked": 5, "missed": 0, "wakes": 5, "noise": 138, "false": 0, "stopped": None,
    "rooms_listened_to": 12, "listened_seconds": 60.5, "wrong_rooms": 0, "gaps_in_upgrade": 0,
    "slept_through_upgrade": ["attic"], "releases": {"watcher@box": "birch"},
}  # fmt: skip

SLEPT = "slept from before the first step of the upgrade until after the last"


@asynccontextmanager
async def _demo(report: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo", "--short", "--report", str(report), cwd=HERE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


def _left_behind(process: asyncio.subprocess.Process) -> list[str]:
    """Its namespaces, whose names begin with its number."""
    return [each.name for each in Path("/run/netns").glob(f"hl{process.pid}x*")]


async def test_a_house_sleeps_wakes_and_is_not_disturbed(tmp_path: Path) -> None:
    """In short: two machines move in and sleep, one is woken by who asks, noise wakes none, it is woken again, and the
    other one is woken for the music of its room. Each room plays what it should, and nothing else. It exits with 0, has
    said where the page is, and leaves nothing behind."""
    async with _demo(tmp_path / "house.json") as process:
        output, _ = await process.communicate()
    said = output.decode()
    assert process.returncode == 0, said
    assert "the house in a browser: http://127.0.0.1:" in said
    found = json.loads((tmp_path / "house.json").read_text())
    expected = {
        "asked": 2, "answered": 2, "missed": 0, "wakes": 3, "noise": 92, "false": 0, "rooms_listened_to": 7,
        "wrong_rooms": 0,
    }  # fmt: skip
    assert found | expected == found, said
    assert _left_behind(process) == []


async def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whenever it comes, processes and networks go, and the exit code says so."""
    async with _demo(tmp_path / "house.json") as process:
        assert process.stdout
        async for line in process.stdout:
            if b"box$ midflight db expand" in line:
                break
        assert _left_behind(process) != []
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130
    assert _left_behind(process) == []
    assert not (tmp_path / "house.json").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"missed": 1}, "missed is 1, not 0"),
        ({"false": 2}, "false is 2, not 0"),
        ({"wrong_rooms": 1}, "wrong_rooms is 1, not 0"),
        ({"gaps_in_upgrade": 2}, "gaps_in_upgrade is 2, not 0"),
        ({"noise": 0}, "noise is 0, so nothing was shown"),
        ({"slept_through_upgrade": []}, f"no machine {SLEPT}"),
        ({"releases": {"watcher@box": "alder"}}, "not all members ended as birch: {'watcher@box': 'alder'}"),
        ({"stopped": "upgrade: it took too long"}, "the story ended early: upgrade: it took too long"),
    ],
)  # fmt: skip
def test_a_figure_that_is_not_as_promised_is_named(changed: dict[str, object], words: str | None) -> None:
    """Each of them alone, and nothing else is."""
    assert figures.wrong(FIGURES | changed) == ([words] if words else [])
