import io
import json
import sys

import pytest

from midflight.cli.output import Output, Table
from tests.upgrade.fleets import member


class Terminal(io.StringIO):
    """A place to write that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_table_is_aligned_lines_for_a_pipe() -> None:
    """Without trailing blanks, so that it can be compared and cut."""
    table = Table(("service", "is"), [("api", "active"), ("conductor", "-")])
    assert table.lines() == ["SERVICE    IS", "api        active", "conductor  -"]


def test_a_terminal_gets_colours_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The word that marks a line, and the word that fills a cell."""
    written = []
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        out = Output()
        out.mark("fail", "somebody [bold] is missing", indent=2)
        out.table(["is"], [["lost"]])
        written.append(stream.getvalue())
    assert written[0].startswith("  \x1b[1;31mfail\x1b[0m: somebody [bold] is missing\n")
    assert "\x1b[1;31mlost\x1b[0m" in written[0]
    assert written[1] == "  fail: somebody [bold] is missing\nIS\nlost\n"


def test_what_a_peer_says_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters and the ends of lines are shown, and not obeyed, in lines, marks and tables."""
    out, evil = Output(), "e\x1b[2Jv\nil\u202e\ud800"
    out.say(evil)
    out.mark("done", evil)
    out.table(("name", "rest"), [(evil, "x"), ("a", "b")])
    shown = r"e\x1b[2Jv\nil\u202e\ud800"
    assert capsys.readouterr().out.splitlines() == [
        shown, f"done: {shown}", f"NAME{' ' * (len(shown) - 2)}REST", f"{shown}  x", f"a{' ' * (len(shown) + 1)}b",
    ]  # fmt: skip


def test_with_json_only_documents_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Versioned objects among them are plain: no marks of the wire."""
    out = Output(json=True)
    out.say("nothing")
    out.mark("pass", "nothing")
    out.table(["nothing"], [["nothing"]])
    out.document({"members": [member("api", "web", overrides={"compute": "juno"})]})
    (written,) = json.loads(capsys.readouterr().out)["members"]
    assert (written["service"], written["overrides"], written["state"]) == ("api", {"compute": "juno"}, "active")
    assert not {"$", "~"} & set(written)


def test_without_json_no_document_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads lines."""
    Output().document({"a": 1})
    assert capsys.readouterr().out == ""
