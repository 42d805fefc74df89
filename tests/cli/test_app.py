import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from midflight.cli import main
from midflight.cli.app import NOUNS
from midflight.transports.embedded import EmbeddedBroker
from tests.cli.street import COMMAND, Outcome, Shop

Command = Callable[..., Outcome]


def test_help_lists_every_noun_and_imports_none(midflight: Command) -> None:
    """In the order of an operator's day; and it exits 0."""
    outcome = midflight("--help")
    listed = [line.split(":")[0].strip() for line in outcome.out.splitlines() if line.startswith("  ")]
    assert (outcome.code, listed[: len(NOUNS)]) == (0, list(NOUNS))


def test_every_noun_explains_itself(midflight: Command) -> None:
    """Its commands are listed, with what they do."""
    for noun in NOUNS:
        outcome = midflight(noun, "--help")
        assert outcome.code == 0
        assert f"Usage: midflight {noun}" in outcome.out


def test_the_version_is_the_packages(midflight: Command) -> None:
    """As it was installed."""
    assert midflight("--version").out.strip()[0].isdigit()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["flet"], 'Unknown command "flet". Did you mean "fleet"? Available commands: init, doctor, run, db, data,'),
        (["explode"], "fleet, parked and others. See --help"),
        (["db", "expnd"], 'Unknown command "expnd". Did you mean "expand"? Available commands: expand'),
        (["db", "expand", "--jason"], "Unknown option: --jason. Did you mean --json?"),
        (["db", "expand", "now"], "received 'now', which is more than the command takes"),
        (["run"], "run needs SERVICE, like: midflight run conductor. See --help"),
        (["data", "run", "-n", "ten"], "Invalid value for -n: received 'ten', expected a whole number of rows"),
        (["upgrade", "check", "soak", "--wait", "-5s"], "received '-5s', expected a duration like 10s, 30m or 2h"),
        (["data", "run", "-n", "-3"], "received '-3', expected a whole number of rows"),
        (["data", "run", "-n", "1.5"], "Invalid value for -n: received '1.5', expected a whole number of rows"),
        (["data", "run", "-n", "9" * 23], "expected a whole number of rows from 1 to 999999999"),
        (["upgrade", "check", "soak", "--wait", "often"], "received 'often', expected a duration like 10s, 30m or 2h"),
    ],
)
def test_wrong_usage_exits_64_and_says_what_was_meant(midflight: Command, arguments: list[str], said: str) -> None:
    """In one line, without a traceback."""
    outcome = midflight(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (64, "", 1)
    assert outcome.err.startswith("error: ")
    assert said in outcome.err
    assert outcome.err.endswith(" See --help.\n")


@pytest.mark.parametrize("noun", [[], ["db"], ["upgrade"], ["fleet"]])
def test_a_noun_alone_is_no_command(midflight: Command, noun: list[str]) -> None:
    """In a script an unset variable does not pass for a check that passed."""
    outcome = midflight(*noun)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (64, "", 1)
    assert outcome.err.startswith(f"error: {' '.join(['midflight', *noun])} needs a command: ")


def test_help_through_a_pipe_is_not_folded(midflight: Command) -> None:
    """Each entry is one line, with its description, whoever reads it folds it."""
    outcome = midflight("db", "--help")
    lines = [line.strip() for line in outcome.out.splitlines()]
    assert "sync: The same as expand." in lines
    assert any(line.startswith("expand: ") and line.endswith("the code that will be deployed.") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [(["fleet", "list"], "NoConductor", 75), (["data", "run", "-n", "0"], "UsageError", 64),
     (["db", "expnd"], "UsageError", 64)],
)  # fmt: skip
def test_an_error_is_a_document_too(midflight: Command, shop: Shop, arguments: list[str], kind: str, code: int) -> None:
    """With --json a machine reads on standard output what a person reads on standard error."""
    outcome = midflight(*arguments, "--json")
    error = outcome.document["error"]
    assert (outcome.code, error["kind"], error["exit_code"]) == (code, kind, code)
    assert outcome.err == f"error: {error['message']}\n"


def test_an_error_of_a_peer_s_making_moves_no_cursor(midflight: Command, shop: Shop) -> None:
    """It is one line on the terminal, whatever is in it."""
    outcome = midflight("release", "diff", "\x1b[2J\nno")
    assert (outcome.code, outcome.err.count("\n"), "\x1b" in outcome.err) == (64, 1, False)


def _written_to(where: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = " ".join([*COMMAND, *arguments, where])
    bash = ["bash", "-o", "pipefail", "-c", command]
    return subprocess.run(bash, env={**os.environ, **environment}, capture_output=True, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["release", "list"], ["release", "list", "--json"]])
def test_output_that_nobody_takes(shop: Shop, arguments: list[str]) -> None:
    """A full disk is one line and 75; a reader who has gone is 141 in silence, like any other command's."""
    shop.configure()
    full = _written_to("> /dev/full", *arguments)
    said = b"error: standard output cannot be written: No space left on device.\n"
    assert (full.returncode, full.stderr) == (75, said)
    gone = _written_to("| true", *arguments, PYTHONUNBUFFERED="1")
    assert (gone.returncode in (0, 141), gone.stderr) == (True, b"")


def test_a_poor_locale_is_no_reason_to_say_nothing(shop: Shop) -> None:
    """What cannot be written in it is written in escapes."""
    shop.configure()
    poor = _written_to("", "release", "diff", "nöne", PYTHONIOENCODING="ascii")
    assert (poor.returncode, b"n\\xf6ne" in poor.stderr, b"Traceback" in poor.stderr) == (64, True, False)


@pytest.mark.parametrize("arguments", [["pin", "set", "\udcff"], ["run", "shop", "--host", "\udcff"]])
def test_what_is_no_text_is_refused(midflight: Command, shop: Shop, arguments: list[str]) -> None:
    """A byte of another encoding is nobody's name."""
    outcome = midflight(*arguments)
    assert (outcome.code, outcome.err) == (64, "error: received '\\udcff', expected text in UTF-8.\n")


def test_an_error_of_midflight_is_one_line_with_its_own_exit_code(midflight: Command, shop: Shop) -> None:
    """Nobody listens on this broker."""
    outcome = midflight("fleet", "list")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (75, "", 1)
    assert outcome.err.startswith("error: No conductor of project shop answers at memory:nobody: ")
    assert "midflight run conductor" in outcome.err


def test_a_broker_that_is_not_there_exits_75(midflight: Command, tmp_path: Path, shop: Shop) -> None:
    """For an operator's command and for a service; the port is one on which nothing listens."""
    Shop(tmp_path, "nats://127.0.0.1:9").configure()
    for command in (["fleet", "list"], ["run", "shop", "--host", "n1"]):
        outcome = midflight(*command)
        assert outcome.code == 75
        assert outcome.err.splitlines()[-1].startswith("error: No broker answers at nats://127.0.0.1:9: ")


def test_credentials_that_are_not_there_exit_64(midflight: Command, tmp_path: Path, shop: Shop) -> None:
    """For an operator's command and for a service, which look for them beside the configuration file."""
    configured = Shop(tmp_path, "tls://127.0.0.1:9").configure()
    configured.write_text(configured.read_text() + '[credentials]\nca = "tls/ca.pem"\n')
    for command in (["fleet", "list"], ["run", "shop", "--host", "n1"]):
        outcome = midflight(*command)
        assert outcome.code == 64
        expected = f"error: configuration: [credentials] ca: {tmp_path}/tls/ca.pem cannot be read: No such file"
        assert outcome.err.splitlines()[-1].startswith(expected)


def test_a_broker_s_password_is_not_told(
    midflight: Command, tmp_path: Path, broker: EmbeddedBroker, shop: Shop
) -> None:
    """Neither where there is no conductor, nor where there is no broker."""
    for address in (broker.url.partition("//")[2], "127.0.0.1:9"):
        for secret in ("u:cr-et", "u:p@cr-et", "u:se%2Fcr-et"):
            Shop(tmp_path, f"nats://{secret}@{address}").configure()
            outcome = midflight("fleet", "list")
            assert (outcome.code, "cr-et" in outcome.err) == (75, False), outcome.err


def test_a_bug_exits_70_with_one_line_and_its_traceback_in_the_log(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log goes to standard error, one event a line."""

    def broken(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("midflight.cli.release.release_of", broken)
    outcome = midflight("release", "list")
    logged, said = outcome.err.splitlines()
    assert outcome.code == 70
    assert '"event": "cli.crashed"' in logged
    assert "Traceback (most recent call last)" in logged
    assert said == "error: this is a bug in midflight or in the project: KeyError('lost'); the log has its traceback."


def test_an_impossible_log_level_is_refused(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the possible ones are named."""
    monkeypatch.setenv("MIDFLIGHT_LOG", "loud")
    outcome = midflight("release", "list")
    assert outcome.code == 64
    assert "MIDFLIGHT_LOG=loud, expected one of debug, info" in outcome.err
    monkeypatch.setenv("MIDFLIGHT_LOG", "waring")
    assert 'critical. Did you mean "warning"?' in midflight("fleet", "list").err


def test_an_interrupted_command_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says nothing."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cyclopts.App.__call__", interrupted)
    assert main(["fleet", "list"]) == 130


WAITING = """
import time
from midflight.cli import main, release
release.release_of = lambda project: print("waiting", flush=True) or time.sleep(60)
raise SystemExit(main(["release", "list"]))
"""


def test_control_c_ends_a_command_without_a_traceback(shop: Shop) -> None:
    """As a shell expects it: 130, and nothing on standard error."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=shop.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"")


def test_it_runs_as_a_module(shop: Shop) -> None:
    """With the exit code of the command."""
    environment = {**os.environ, "MIDFLIGHT_CONFIG": "nowhere.toml"}
    done = subprocess.run([*COMMAND, "fleet", "list"], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 64
    assert done.stderr.startswith("error: nowhere.toml: ")


@pytest.mark.parametrize(("closed", "said"), [("2>&-", b""), (">&-", b"error: nowhere.toml: "), (">&- 2>&-", b"")])
def test_a_command_whose_streams_were_closed_before_its_start(closed: str, said: bytes) -> None:
    """It ends as it would else, and what is for standard error is found nowhere else."""
    script = f'exec "$@" fleet list --json --config nowhere.toml {closed}'
    done = subprocess.run(["sh", "-c", script, "sh", *COMMAND], capture_output=True, check=False)
    assert done.returncode == 64
    assert done.stderr.startswith(said)
    assert b"error: " not in done.stdout
    assert b"Traceback" not in done.stderr
