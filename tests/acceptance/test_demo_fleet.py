from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from demo import fleet, operator, proc, raw
from demo.fleet import Fleet, FleetBroken
from demo.http import ask
from demo.operator import Operator, Refused
from demo.raw import Journal
from demo.size import parse

SERVICE = """#!{python}
import json, os, signal, socket, sys, time
def say(event, **facts): print(json.dumps(dict(event=event, **facts)), file=sys.stderr, flush=True)
if sys.argv[1] != "run":
    print("received", *sys.argv[1:-2], "in", os.path.basename(os.getcwd()))
    sys.exit(int(sys.argv[2]))
mood = open(sys.argv[6]).read()
signal.signal(signal.SIGTERM, lambda *_: (say("service.stopped"), os._exit(3 if mood == "unclean" else 0)))
say("service.starting", release=os.path.basename(os.getcwd()), code=os.getcwd() + "/compute")
if mood == "broken":
    sys.exit("it will not start")
if sys.argv[2] != "api":
    say("service.ready")
    time.sleep(60)
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid())
listening = socket.socket(fileno=3)
say("service.ready")
while True:
    connection, _ = listening.accept()
    connection.recv(10000)
    body = str(os.getpid()).encode()
    connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body) + body)
    connection.close()
"""
"""Stands in for the midflight command: a service that starts, serves and stops as one does, and a command that
exits with the code that is its second word."""


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    program = tmp_path / "midflight"
    program.write_text(SERVICE.replace("{python}", sys.executable))
    program.chmod(0o755)
    for module in (fleet, operator):
        monkeypatch.setattr(module, "midflight", lambda: program)
    for release in ("juno", "kilo"):
        (tmp_path / release).mkdir()
    return {release: tmp_path / release for release in ("juno", "kilo")}


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.jsonl")
    yield journal
    journal.close()


@pytest.fixture
async def supervisor(
    tmp_path: Path, trees: dict[str, Path], listening: socket.socket, journal: Journal
) -> AsyncIterator[Fleet]:
    (tmp_path / "config").mkdir()
    for name in ("api-1", "agent-1"):
        (tmp_path / "config" / f"{name}.toml").write_text("")
    supervisor = Fleet(trees, tmp_path, journal, listening)
    yield supervisor
    await supervisor.end()


async def test_start_and_stop(supervisor: Fleet, tmp_path: Path) -> None:
    """A process is ready when it says so, ends on SIGTERM, and the raw file tells both, with what /proc showed."""
    running = await supervisor.start("agent-1", "compute", "juno")
    assert supervisor.described() == "agent-1 juno"
    assert proc.working_directory(running.pid) == str(tmp_path / "juno")
    await supervisor.stop(running)
    assert not proc.alive(running.pid)
    events = list(raw.lines(tmp_path / "journal.jsonl"))
    assert [event["event"] for event in events] == ["started", "ready", "sigterm", "exited"]
    assert events[1]["cwd"] == events[1]["tree"] == str(tmp_path / "juno")


async def test_replaced_on_one_port(supervisor: Fleet, listening: socket.socket) -> None:
    """Old and new share the inherited socket; when the old one has gone, the port was never closed."""
    port = listening.getsockname()[1]
    old = await supervisor.start("api-1", "api", "juno")
    first = await ask(port, "GET", "/")
    new = await supervisor.start("api-1", "api", "kilo")
    await supervisor.stop(old)
    second = await ask(port, "GET", "/")
    assert (first.body, second.body) == (old.pid, new.pid)
    assert supervisor.members["api-1"] is new


@pytest.mark.parametrize(("mood", "said"), [("broken", "exited with 1 before it was"), ("unclean", "exited with 3")])
async def test_a_process_that_fails(supervisor: Fleet, mood: str, said: str) -> None:
    """Who is not ready, or does not leave cleanly, stops the road, and its last words are shown."""
    supervisor.config("agent-1").write_text(mood)
    with pytest.raises(FleetBroken, match=said) as failed:
        await supervisor.stop(await supervisor.start("agent-1", "compute", "kilo"))
    assert "service.starting" in str(failed.value)


async def test_kill(supervisor: Fleet, tmp_path: Path) -> None:
    """SIGKILL takes effect at once and is no clean exit in the raw file."""
    running = await supervisor.start("agent-1", "compute", "juno")
    await supervisor.kill(running)
    assert not proc.alive(running.pid)
    assert [event["event"] for event in raw.lines(tmp_path / "journal.jsonl")][-1] == "killed"
    assert supervisor.members == {}


async def test_nothing_stays_behind(supervisor: Fleet) -> None:
    """The end takes everything with it: members, and whoever was about to become or to stop being one."""
    await supervisor.start("agent-1", "compute", "juno")
    await supervisor.start("api-1", "api", "juno")
    pids = [running.pid for running in supervisor.members.values()]
    await supervisor.end()
    assert not any(map(proc.alive, pids))


async def test_commands(trees: dict[str, Path], journal: Journal, tmp_path: Path) -> None:
    """A command runs in its release's tree, and is said with it; what it said is heard and kept, and whether it failed;
    some exit codes are not acceptable."""
    heard: list[str] = []
    person = Operator(trees, tmp_path / "operator.toml", journal, heard.append)
    said = await person.command("data", "1", release="kilo", accept=(0, 1))
    assert said.lines == ["received data 1 in kilo"]
    with pytest.raises(Refused, match="midflight plan 2 exited with 2"):
        await person.command("plan", "2", release="juno")
    assert heard == [
        "kilo$ midflight data 1",
        "  received data 1 in kilo",
        "  exit code 1",
        "juno$ midflight plan 2",
        "  received plan 2 in juno",
        "  exit code 2",
    ]
    assert [line["code"] for line in raw.lines(tmp_path / "journal.jsonl")] == [1, 2]


def test_services_see_their_own_tree_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the caller's own settings leaks into a service."""
    monkeypatch.setenv("MIDFLIGHT_CONFIG", "elsewhere.toml")
    seen = fleet.environment(tmp_path)
    assert seen["PYTHONPATH"] == str(tmp_path)
    assert not [name for name in seen if name.startswith("MIDFLIGHT_")]
    assert seen["PATH"] == os.environ["PATH"]


def test_sizes() -> None:
    """An argument goes before the environment, which goes before the default."""
    size = parse(["--instances", "24", "--break", "kill"], {"SOAK": "7.5", "BREAK": "lose", "DB": "postgresql"})
    assert (size.instances, size.soak, size.break_, size.agents, size.db) == (24, 7.5, "kill", 4, "postgresql")
    assert size.hosts == ["agent-1", "agent-2", "agent-3", "agent-4"]


@pytest.mark.parametrize("wrong", [["--break", "everything"], ["--instances", "many"], ["--colour"], ["--db", "mysql"]])
def test_wrong_sizes(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake on the command line exits with 64 and names it."""
    with pytest.raises(SystemExit, match="64"):
        parse(wrong, {})
    assert wrong[0] in capsys.readouterr().err


def test_a_wrong_break_in_the_environment() -> None:
    """BREAK=… is checked like the argument."""
    with pytest.raises(SystemExit, match="64"):
        parse([], {"BREAK": "everything"})
