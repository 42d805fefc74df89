"""A real MPD, and songs for it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mpd import MPDClient

from tests.sound.lab.studio import PATIENCE

MPD = "mpd"


def settings(folder: Path, output: str, more: str = "") -> str:
    """Its configuration file: all that it keeps, and its socket, is in a folder."""
    return f"""
bind_to_address "{folder}/socket"
log_file "{folder}/log"
audio_output {{
    name "house"
    {output}
}}
{more}
"""


async def song(file: Path, *source: str, **tags: str) -> str:
    """Made of this source, in the words of ffmpeg; as MPD adds it."""
    told = [word for name, value in tags.items() for word in ("-metadata", f"{name}={value}")]
    made = await asyncio.create_subprocess_exec(
        "ffmpeg", "-nostdin", "-loglevel", "error", *source, *told, str(file), stdin=subprocess.DEVNULL
    )
    assert await made.wait() == 0
    file.chmod(0o644)
    return str(file)


@asynccontextmanager
async def running(folder: Path, more: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """One that plays to nobody."""
    (folder / "mpd.conf").write_text(settings(folder, 'type "null"', more))
    process = await asyncio.create_subprocess_exec(
        MPD, "--no-daemon", str(folder / "mpd.conf"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def remote(folder: Path) -> AsyncIterator[Any]:
    """Somebody who tells it what to play, as soon as it answers."""
    client, where = MPDClient(), str(folder / "socket")
    async with asyncio.timeout(PATIENCE):
        while not await _answers(where):
            await asyncio.sleep(0.05)
    client.connect(where)
    try:
        yield client
    finally:
        client.disconnect()


async def _answers(where: str) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(where)
    except OSError:
        return False
    try:
        return bool(await reader.readline())
    finally:
        writer.close()
        await writer.wait_closed()
