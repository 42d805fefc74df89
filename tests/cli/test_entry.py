from __future__ import annotations

import inspect
import sys

import pytest

from midflight.cli import main
from midflight.cli.app import build
from midflight.cli.run import plainly, run

PLAIN = [
    "run compute",
    "run compute --host n7",
    "run --host=n7 compute --config /etc/midflight.toml",
    "run --config=a=b.toml --host n7 compute",
]


@pytest.mark.parametrize("typed", PLAIN)
def test_a_service_is_started_by_the_same_words_with_the_command_line_and_without(typed: str) -> None:
    """What is read without the extra is what the command line reads: service, options, and their types."""
    words = typed.split()
    _, bound, _ = build().parse_args(words, exit_on_error=False, print_error=False)
    asked = plainly(words)
    assert asked is not None
    service, options = asked
    assert inspect.signature(run).bind(service, **options) == bound


@pytest.mark.parametrize(
    "words",
    [
        [], ["run"], ["run", ""], ["db", "expand"], ["run", "--help"], ["run", "a", "b"], ["run", "a", "--host"],
        ["run", "a", "--host", ""], ["run", "a", "--host="], ["run", "a", "--host", "-x"], ["run", "a", "--hots", "n7"],
        ["run", "a", "--host", "n7", "--host", "n8"], ["run", "--", "a"], ["run", "a", "--json"], ["--version"],
    ],
)  # fmt: skip
def test_whatever_needs_a_word_is_left_to_the_command_line(words: list[str]) -> None:
    """Help, slips, and all other commands."""
    assert plainly(words) is None


@pytest.mark.parametrize("words", [["fleet", "list", "--json"], ["run", "a", "--hots", "n7"], ["--help"]])
@pytest.mark.parametrize("package", ["cyclopts", "rich"])
def test_without_the_extra_one_line_says_what_to_install(
    words: list[str], package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It exits 64, like any mistake of use; with --json it is a document too."""
    for name in [name for name in sys.modules if name.startswith("midflight.cli.") or name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    code, written = main(words), capsys.readouterr()
    assert (code, written.err.count("\n"), "--json" in words) == (64, 1, bool(written.out))
    assert written.err == (
        "error: any command but `midflight run SERVICE [--host HOST] [--config FILE]` needs "
        f"{package}, which is not installed: pip install 'midflight[cli]'.\n"
    )
