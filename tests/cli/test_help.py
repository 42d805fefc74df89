"""Help, completion, colours and JSON: the same of every command."""

from __future__ import annotations

import inspect
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cyclopts import App

from midflight.cli.app import NOUNS, build
from midflight.cli.examples import EXAMPLES, FIRST
from tests.cli.street import Outcome

Command = Callable[..., Outcome]
SPEAK_FOR_THEMSELVES = {"run", "console", "console token", "documents", "completion", "metrics"}
"""Commands that write no document: they serve, or what they write is for machines already."""


def _commands(app: App, name: str) -> Iterator[str]:
    if app.default_command is not None:
        yield name
    for verb in app:
        if not verb.startswith("-"):
            yield from _commands(app[verb], f"{name} {verb}")


def _every_command() -> list[str]:
    tree = build()
    return [name for noun in NOUNS for name in _commands(tree[noun], noun)]


COMMANDS = _every_command()


def _found(name: str) -> App:
    app = build()
    for word in name.split():
        app = app[word]
    return app


def test_each_command_has_examples_and_there_are_no_others() -> None:
    """One or two of each, so that a page is read at a glance."""
    assert set(EXAMPLES) == set(COMMANDS)
    assert {len(found) for found in EXAMPLES.values()} == {1, 2}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_is_a_command(name: str) -> None:
    """It is one of the command on whose page it stands, and its options and values are taken."""
    for typed in EXAMPLES[name]:
        words = shlex.split(typed.partition(" > ")[0].partition(" | ")[0])
        found, bound, _ = build().parse_args(words, exit_on_error=False, print_error=False)
        assert found is _default(name)
        assert words[: len(name.split())] == name.split()
        assert bound is not None


def _default(name: str) -> object:
    return _found(name).default_command


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_page_teaches(name: str, midflight: Command) -> None:
    """What it does, what it takes, and how it is typed; no line is filled up with blanks."""
    page = midflight(*name.split(), "--help")
    assert page.code == 0
    assert page.out.startswith(f"Usage: midflight {name}")
    for typed, why in EXAMPLES[name].items():
        assert any(line.startswith(f"    midflight {typed} ") and line.endswith(f"# {why}") for line in _lines(page))
    assert [line for line in page.out.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("noun", sorted({name.split()[0] for name in COMMANDS if " " in name} - {"console"}))
def test_a_noun_s_page_has_its_commands_in_the_order_of_the_work(noun: str, midflight: Command) -> None:
    """As they are used, and not by the alphabet: `upgrade plan` comes first, and `upgrade finalize` late."""
    shown = [line.split()[0].rstrip(":") for line in _lines(midflight(noun, "--help")) if line.startswith("  ")]
    verbs = [name.split()[1] for name in EXAMPLES if name.startswith(f"{noun} ")]
    assert [word for word in shown if word in verbs] == verbs


def test_whoever_knows_no_command_yet_is_told_the_first_ones(midflight: Command) -> None:
    """Below all nouns; each is a command, or asks for the page of one."""
    page = midflight("--help")
    assert page.code == 0
    assert [name for name in NOUNS if f"  {name}: " not in page.out] == []
    for typed in FIRST:
        assert f"    midflight {typed} " in page.out
        assert typed.removesuffix(" --help") in {each for found in EXAMPLES.values() for each in found} | {*COMMANDS}


def _lines(page: Outcome) -> list[str]:
    return page.out.splitlines()


def test_every_command_has_json_but_those_that_need_none() -> None:
    """For machines; the published schema says what they read."""
    takes = {name for name in COMMANDS if "json" in inspect.signature(_default(name)).parameters}  # type: ignore[arg-type]
    assert set(COMMANDS) - takes == SPEAK_FOR_THEMSELVES


@pytest.mark.parametrize("name", [name for name in COMMANDS if len(name) > 3])
def test_a_slip_in_a_command_is_understood(name: str, midflight: Command) -> None:
    """A letter that is missing in its last word: the right word is offered."""
    *before, last = name.split()
    wrong = midflight(*before, f"{last[:-2]}{last[-1]}")
    assert (wrong.code, wrong.out) == (64, "")
    assert "Did you mean " in wrong.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_every_command(shell: str, midflight: Command) -> None:
    """Each word that a command is made of is in the script."""
    script = midflight("completion", shell)
    assert script.code == 0
    assert {word for name in COMMANDS for word in name.split() if word not in script.out} == set()


def test_bash_completes(midflight: Command, tmp_path: Path) -> None:
    """A noun, a verb and an option, in a bash that has read the script."""
    script = tmp_path / "midflight.bash"
    script.write_text(midflight("completion", "bash").out)
    known = {"midflight upg": "upgrade", "midflight pin s": "set", "midflight db expand --dr": "--dry-run"}
    for line, word in known.items():
        words = " ".join(shlex.quote(each) for each in line.split())
        typed = (
            f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(line.split()) - 1}; COMP_LINE={line!r}; "
            f"COMP_POINT={len(line)}; _midflight; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=True)
        assert word in done.stdout.split()


def test_no_color_is_obeyed() -> None:
    """On a terminal, too, with NO_COLOR in the environment."""
    seen = {}
    for value in ("", "1"):
        environment = f"NO_COLOR={value} TERM=xterm" if value else "TERM=xterm"
        command = f"env -u NO_COLOR {environment} {sys.executable} -m midflight.cli doctor --config nowhere"
        done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=False)
        seen[value] = done.stdout
    assert ("\x1b[" in seen[""], "\x1b[3" in seen["1"]) == (True, False)
    assert "fail" in seen["1"]
