"""``house watch``: one command, no set-up; and what is wrong with it is said in one line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from house.cli.app import USAGE, main
from house.lan.errors import BadAddress
from house.lan.mac import Mac
from house.watcher.alone import machine
from tests.lab.network import Network, Sleeper, network
from tests.lab.unit import HERE, PATIENCE

KNOWN = {"theobromine": Mac.parse("00:16:3e:1a:2b:3c")}


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    """A command says how its process logs; tests that come after it have a log of their own."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@asynccontextmanager
async def _house_watch(net: Network, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = "ip", "netns", "exec", net.watcher, sys.executable, "-m", "house", "watch", *arguments
    process = await asyncio.create_subprocess_exec(*command, cwd=HERE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _said(process: asyncio.subprocess.Process, event: str) -> str:
    """The line in which it says so."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        async for line in process.stderr:
            if event in (text := line.decode()):
                return text
    raise AssertionError(f"it ended without {event}")


async def test_one_command_wakes_a_machine(tmp_path: Path) -> None:
    """It finds out by itself that the machine sleeps, and that its own interface is made anew meanwhile, and says who
    woke the machine; told to end, it ends with 0."""
    sleeper = Sleeper(0)
    async with network([sleeper]) as net:
        sleeper.suspend()
        what = f"theobromine={sleeper.mac},{sleeper.four},{sleeper.six}"
        async with _house_watch(net, what, "--state", str(tmp_path)) as process:
            assert "theobromine" in await _said(process, "watcher.asleep")
            net.renew_watcher()
            assert "theobromine" in await _said(process, "watcher.interface_anew")
            await net.curl(sleeper, sleeper.four)
            said = await _said(process, "watcher.alive")
            assert "woken_by" in said
            assert "02:00:00:00:00:01 (198.18.0.1, who asks for port 22)" in said
            process.terminate()
            assert await process.wait() == 0


async def test_where_it_cannot_stand_guard_it_says_so(tmp_path: Path) -> None:
    """Without CAP_NET_RAW, and for the box that it runs on: it names the interface and the way out, in one line without
    a traceback."""
    watch = sys.executable, "-m", "house", "watch", "--state", str(tmp_path)
    async with network([]) as net:
        for command, reason in (
            (
                ("setpriv", "--bounding-set=-net_raw", *watch, "a=00:16:3e:1a:2b:3c,198.18.0.9"),
                "may not listen on eth0: packet sockets need CAP_NET_RAW. Start it as root",
            ),
            (
                (*watch, "a=00:16:3e:1a:2b:3c,198.18.0.2"),
                "a has an address of eth0, and that is this box's own: correct it",
            ),
        ):
            code, said = await net.run(*command, namespace=net.watcher, folder=HERE)
            assert (code, said.startswith(f"error: {reason}"), said.count("\n")) == (USAGE, True, 1), said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a=00:16:3e,198.18.0.9"], "received '00:16:3e', expected the MAC address of one machine, like"),
        (["a=00:16:3e:1a:2b:3c"], "received 'a=00:16:3e:1a:2b:3c', expected NAME=MAC,ADDRESS"),
        (["a=00:16:3e:1a:2b:3c,224.0.0.1"], "received '224.0.0.1', expected the address of one machine"),
        (["a=00:16:3e:1a:2b:3c,10.0.0.1", "--interface", "eth77"], "there is no Ethernet interface 'eth77'; there are"),
        (["a=0:0:0:0:0:1,10.0.0.1", "b=0:0:0:0:0:2,10.0.0.1"], "b and a both have 10.0.0.1: correct one of the two"),
        (["a=0:0:0:0:0:1,10.0.0.1", "a=0:0:0:0:0:2,10.0.0.2"], "received 'a twice', expected each NAME once"),
        (["a\n=0:0:0:0:0:1,10.0.0.1"], r"received 'a\n=0:0:0:0:0:1,10.0.0.1', expected NAME=MAC,ADDRESS"),
        (["a=0:0:0:0:0:1,10.0.0.1", "--port", "0"], "Must be >= 1"),
        (["a=0:0:0:0:0:1,10.0.0.1", "--mode", "unknown"], "Choose from"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was received, what is expected, and exit code 64."""
    assert main(["watch", *arguments, "--state", str(tmp_path)]) == USAGE
    assert said in (error := capsys.readouterr().err)
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_name_in_ethers_needs_no_mac() -> None:
    """One that is given all the same is taken; a name that is not there needs one."""
    assert machine("theobromine=10.0.0.7", KNOWN).mac == KNOWN["theobromine"]
    assert machine("theobromine=0:0:0:0:0:9,10.0.0.7", KNOWN).mac == Mac.parse("0:0:0:0:0:9")
    assert [str(a) for a in machine("theobromine=fd00::7,10.0.0.7", KNOWN).addresses] == ["fd00::7", "10.0.0.7"]
    with pytest.raises(BadAddress, match="received '10.0.0.7', expected the MAC"):
        machine("somebody=10.0.0.7", KNOWN)
