"""The command line in front of a fleet: what it asks, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from house import clock, operator
from house.cli import main
from house.cli.app import COMMANDS
from house.objects.machine import Machine
from tests.cli.conftest import Fleet

LAPTOP = "52:54:00:aa:00:01"


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    """What was answered in JSON."""
    return json.loads(capsys.readouterr().out)


def test_the_status_says_how_each_machine_stands_and_why(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """As a table for a person, and as one document."""
    assert fleet.run("status") == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].split() == ["MACHINE", "STATE", "FOR", "WHY"]
    assert "dead     unknown  -    neither its agent nor its watcher has spoken of it" in said
    assert fleet.run("status", "dead", "--json") == 0
    (told,) = document(capsys)["machines"]
    assert (told["machine"]["name"], told["machine"]["mac"], told["machine"]["state"]) == (
        "dead", "52:54:00:00:00:01", "unknown",
    )  # fmt: skip


def test_a_machine_is_woken_and_tested(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """By its watcher, whose wakes are in the history."""
    assert [fleet.run("wake", "desk"), fleet.run("test-wake", "desk")] == [0, 0]
    assert "desk is awake, after 1.5 s and 1 try" in capsys.readouterr().out
    assert fleet.asked == ["asked desk", "test desk"]
    assert fleet.run("history", "desk", "--days", "7", "--json") == 0
    past = document(capsys)
    assert [wake["cause"] for wake in past["wakes"][:2]] == ["test", "asked"]
    assert len(past["machines"][0]["days"]) == 7
    assert fleet.run("history") == 0
    assert "somebody asked for it by name" in capsys.readouterr().out


def test_a_machine_that_does_not_wake_needs_a_person(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """That is its exit code, too, and its output is empty."""
    assert fleet.run("wake", "dead") == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: dead has not woken after 4 tries: look whether it is plugged in")


def test_a_machine_sleeps_unless_something_speaks_against_it(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """What does is told in one line, as blocked."""
    assert fleet.run("sleep", "desk", "--reason", "bed") == 0
    assert fleet.run("sleep", "desk", "--reason", "bad") == 2
    assert capsys.readouterr().err == "error: desk stays awake: ada holds it awake\n"
    assert fleet.asked == ["sleep: bed", "sleep: bad"]


def test_a_machine_that_cannot_be_let_sleep_says_why(
    fleet: Fleet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without an agent, and one that sleeps already: nobody is asked then."""
    monkeypatch.setattr(operator, "SLEEP_SECONDS", 1.0)
    assert fleet.run("add", "tv=52:54:00:00:00:70,10.0.0.70") == 0
    assert fleet.run("sleep", "tv") == 75
    assert capsys.readouterr().err == "error: tv: no agent of it has answered, and only that one lets it sleep\n"
    fleet.do(lambda context: Machine.note_seen(context, "tv", False, clock.now()))
    assert fleet.run("sleep", "tv") == 75
    assert capsys.readouterr().err == "error: tv: it is asleep\n"
    assert fleet.run("forget", "tv") == 0


def test_a_hold_is_made_and_let_go(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one machine, or of the whole house; agents are told of each."""
    assert fleet.run("hold", "desk", "--until", "2h", "--reason", "film", "--json") == 0
    held = document(capsys)
    assert (held["machine"], held["reason"]) == ("desk", "film")
    assert fleet.run("hold", "--all", "--until", "1d") == 0
    assert "the whole house stays awake until" in capsys.readouterr().out
    assert fleet.run("status", "--json") == 0
    for hold in document(capsys)["holds"]:
        assert fleet.run("hold", "--undo", str(hold["id"])) == 0
    assert fleet.run("hold", "--undo", str(held["id"])) == 64
    assert f"the house has no hold '{held['id']}'" in capsys.readouterr().err


def command(fleet: Fleet, *words: str) -> subprocess.Popen[str]:
    """``house`` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "house", "hold", "desk", "--config", str(fleet.config), "--", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def held(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """For what desk is held."""
    capsys.readouterr()
    assert fleet.run("status", "desk", "--json") == 0
    return [hold["reason"] for hold in document(capsys)["holds"]]


def test_a_machine_is_held_while_a_command_runs(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """The command's words are its own, its exit code is ours, and a signal to us is for it; then nothing is held."""
    running = command(fleet, "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done", "--json", "--", "x")
    until = time.monotonic() + 60
    while not held(fleet, capsys):
        assert running.poll() is None
        assert time.monotonic() < until
    assert held(fleet, capsys)[0].startswith("sh -c trap")
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (7, "", "")
    assert held(fleet, capsys) == []


@pytest.mark.parametrize(
    ("words", "code"), [(["no-such-command"], 127), (["/"], 126), (["sh", "-c", "kill -9 $$"], 137)], ids=str
)
def test_a_command_that_does_not_run_ends_as_in_a_shell(fleet: Fleet, words: list[str], code: int) -> None:
    """With the shell's exit codes; the machine is not held afterwards."""
    assert fleet.run("hold", "desk", "--", *words) == code


def test_a_house_is_left_and_somebody_comes_back(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """The status says so meanwhile, and agents are told of both."""
    before = fleet.told.count("sleepers")
    assert fleet.run("away", "--until", "3d") == 0
    assert fleet.run("status") == 0
    assert "nobody is at home until" in capsys.readouterr().out
    assert fleet.run("away", "--undo", "--json") == 0
    assert document(capsys) == {"away_until": None}
    fleet.hears("sleepers", before, 2)


def test_a_requester_is_ignored_and_listened_to_again(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """However its MAC address is written; ignoring it twice is ignoring it. Watchers are told each time."""
    before = fleet.told.count("watchers")
    for written in (LAPTOP, LAPTOP.upper().replace(":", "-")):
        assert fleet.run("ignore", written, "--machine", "desk", "--name", "laptop") == 0
    assert fleet.run("ignore", LAPTOP, "--machine", "desk", "--undo") == 0
    assert fleet.run("ignore", LAPTOP, "--machine", "desk", "--undo") == 64
    assert f"the house has no ignored requester '{LAPTOP}'" in capsys.readouterr().err
    fleet.hears("watchers", before, 3)


def test_rules_are_added_listed_and_dropped(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """By their number."""
    assert fleet.run("rule", "desk", "--days", "Mon-Fri", "--begins", "8:00", "--ends", "18:30", "--note", "work") == 0
    assert "desk stays awake Mon-Fri 08:00 to 18:30 UTC" in capsys.readouterr().out
    assert fleet.run("rule", "--json") == 0
    (rule,) = document(capsys)["rules"]
    assert fleet.run("rule", "--undo", str(rule["id"])) == 0
    assert fleet.run("rule", "--undo", str(rule["id"])) == 64


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["wake", "nobody"], "the house has no machine 'nobody'"),
        (["wake", "desk\n"], "the house has no machine 'desk\\n'. Did you mean \"desk\"?"),
        (["status", "deks"], "the house has no machine 'deks'. Did you mean \"desk\"?"),
        (["history", "deks"], "the house has no machine 'deks'. Did you mean \"desk\"?"),
        (["hold", "deks", "--until", "2h"], "the house has no machine 'deks'. Did you mean \"desk\"?"),
        (["hold", "desk"], "house hold: received neither, expected --until TIME, or -- COMMAND"),
        (["hold", "desk", "--until", "2h", "--", "make"], "house hold: received both, expected --until TIME"),
        (["hold", "desk", "--until", "soon"], "until: received 'soon', expected a time to come like 45m"),
        (["hold", "desk", "--until", "2h", "x"], "x"),
        (["away"], "house away: received nothing, expected --until"),
        (["ignore", "52:54"], "mac: received '52:54', expected a MAC address like"),
        (["rule", "--days", "Mon", "--zone", "Moon"], "expected a time zone like Europe/Berlin"),
        (["history", "--days", "0"], "0"),
        (["explode"], "ignore, rule and others. See --help."),
        (["patch", "kitchn", "radio"], 'Unknown command "patch". Did you mean "house sound patch"? See --help.'),
    ],
)
def test_a_mistake_is_told_in_one_line(
    fleet: Fleet, capsys: pytest.CaptureFixture[str], words: Sequence[str], reason: str
) -> None:
    """On standard error, with the exit code for usage; nobody is told to do anything."""
    assert fleet.run(*words) == 64
    said = capsys.readouterr().err
    assert (said.startswith("error: "), reason in said, said.count("\n")) == (True, True, 1), said
    assert fleet.asked == []


def test_without_a_configuration_or_a_broker_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with --json in a document, too; a command that is to run runs all the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIDFLIGHT_CONFIG", raising=False)
    assert main(["status", "--json"]) == 64
    said = capsys.readouterr()
    assert "midflight.toml" in said.err
    assert json.loads(said.out)["error"]["exit_code"] == 64
    assert main(["hold", "desk", "--", "true"]) == 0
    assert capsys.readouterr().err.startswith("warning: desk is not held: ")


def test_every_command_has_a_page_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    """And so has the house, which is shown to whoever asks for nothing."""
    assert main([]) == 0
    said = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in said] == []
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        assert f"house {name}" in capsys.readouterr().out
