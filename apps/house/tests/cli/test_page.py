"""The page as it is served by ``house page``, in front of a fleet."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Fleet

TOKEN = """
[[console.tokens]]
name = "ada"
role = "operator"
sha256 = "{digest}"
expires = 2999-01-01
"""


@pytest.fixture
def page(fleet: Fleet, tmp_path: Path) -> Iterator[str]:
    """Its address. It ends when it is told to, with nothing to complain of."""
    config = tmp_path / "midflight.toml"
    config.write_text(fleet.config.read_text() + TOKEN.format(digest=sha256(b"secret").hexdigest()))
    serving = subprocess.Popen(
        [sys.executable, "-m", "house", "page", "--listen", "127.0.0.1:0", "--config", str(config)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert serving.stdout is not None
    said = serving.stdout.readline()
    assert said.startswith("page: http://127.0.0.1:"), serving.communicate()
    yield said.removeprefix("page: ").strip()
    serving.send_signal(signal.SIGTERM)
    assert (*serving.communicate(timeout=60), serving.returncode) == ("", "", 0)


async def done(web: httpx.AsyncClient, act: str, **fields: str) -> None:
    """Do it, and wait until it is done."""
    answer = await web.post(f"/act/{act}", data=fields)
    while 'data-status="working"' in answer.text:
        await asyncio.sleep(0.05)
        answer = await web.get(answer.url)
    assert 'data-status="done"' in answer.text, answer.text


async def test_what_is_done_on_the_page_is_done_in_the_house(fleet: Fleet, page: str) -> None:
    """A test by its watcher, and a hold in the name of who signed in, which the next look shows under its title."""
    async with httpx.AsyncClient(
        base_url=page, headers={"Authorization": "Bearer secret"}, follow_redirects=True, timeout=60
    ) as web:
        await done(web, "test-wake", machine="desk")
        await done(web, "hold", machine="desk", until="2h", reason="a film")
        seen = (await web.get("/machines")).text
        while "a film" not in seen:
            await asyncio.sleep(0.05)
            seen = (await web.get("/machines")).text
        (number,) = re.findall(r"/act/let-go\?hold=(\d+)", seen)
        assert "by ada: a film" in seen
        assert "<title>Machines · house</title>" in seen
        assert "a test" in (await web.get("/history")).text
        await done(web, "let-go", hold=number)
    async with httpx.AsyncClient(base_url=page) as stranger:
        assert (await stranger.get("/machines")).status_code == 401
    assert fleet.asked == ["test desk"]
