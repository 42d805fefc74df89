"""The tutorial is true: it is played from its first command to its last, by somebody who has midflight installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.shell import Typed, fits, play, typed

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
ALONE = (
    "unshare",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "bash",
    "-c",
    "ip link set lo up; exec bash",
)
"""A machine of one's own: the page's port is free there, nothing else is reached, and what it starts ends with it."""


def environment() -> dict[str, str]:
    """That of a reader who has installed midflight, and set nothing."""
    foreign = ("MIDFLIGHT_", "MAKE", "MFLAGS")  # a make that runs these tests would let the tutorial's own say more
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTEST_ADDOPTS": "-p no:asyncio"}  # a reader has no pytest-asyncio


def test_the_tutorial_is_as_it_says(tmp_path: Path) -> None:
    """A project is made, passes its tests, and its fleet is upgraded, one host of it back and forth."""
    differences = play(TUTORIAL, tmp_path, environment(), bash=ALONE)
    assert not differences, differences[0]


def test_only_the_install_is_left_out() -> None:
    """Every other command and edit of the page is played; what is installed is this midflight."""
    text = TUTORIAL.read_text()
    everything, played = [*typed(text, install=True)], [*typed(text, install=False)]
    assert [each.command.split()[0] for each in everything if each not in played] == ["python3", ".", "pip"]
    assert len(played) == text.count("\n$ ") + text.count("```diff\n") - 3


@pytest.mark.parametrize(
    ("said", "happened", "true"),
    [
        ("one\n", "one\n", True),
        ("one\n", "two\n", False),
        ("", "one\n", False),
        ("a … c\n", "a b c\n", True),
        ("a … c\n", "a b\nc\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("a\n…\nd\n", "a\nb\n", False),
        ("a.b\n", "axb\n", False),
    ],
)
def test_an_answer_is_compared(said: str, happened: str, true: bool) -> None:
    """Word by word, but for what the page leaves open."""
    assert fits(said, happened) is true


@pytest.mark.parametrize(
    "page",
    [
        "```sh\n$ echo one\ntwo\n```\n",
        "```sh\n$ true   # exits 1\n```\n",
        "```sh\n$ false\n```\n",
        "```sh\n$ echo one > file\n```\n\n```diff\n# file\n-two\n+three\n```\n",
    ],
)
def test_a_page_that_is_not_true_is_found(page: str, tmp_path: Path) -> None:
    """By its answer, its exit code, or an edit that does not fit."""
    (tmp_path / "page.md").write_text(page)
    assert len(play(tmp_path / "page.md", tmp_path, environment())) == 1


def test_a_shell_stays_where_it_is(tmp_path: Path) -> None:
    """Folders, variables and edits are those of one session."""
    page = "```sh\n$ mkdir a && cd a && A=1\n$ echo one | cat > file\n```\n\n```diff\n# file\n-one\n+two\n```\n\n"
    (tmp_path / "page.md").write_text(f"{page}```sh\n$ cat file; echo $A\ntwo\n1\n```\n")
    assert play(tmp_path / "page.md", tmp_path, environment()) == []


def test_what_is_typed_knows_its_line() -> None:
    """For whoever has to find it."""
    assert [*typed("a\n\n```sh\n$ b\nc\n$ d  # exits 3\n```\n", install=False)] == [
        Typed(4, "sh", "b", "c\n"),
        Typed(6, "sh", "d", "", 3),
    ]
