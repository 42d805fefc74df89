"""Counters whose labels peers may choose, and bad input that is told seldom."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from midflight import telemetry
from midflight.telemetry import BadInput


class Clock:
    """Stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def counted(name: str) -> dict[str, int]:
    """The values of a counter by its labels."""
    found = {}
    for entry in telemetry.counted():
        if entry.pop("name") == name:
            value = entry.pop("value")
            found[" ".join(f"{label}={said}" for label, said in entry.items())] = value
    return found


def test_bad_input_is_counted_each_time_and_logged_once_a_minute_for_each_sender() -> None:
    """A thousand from each of two senders are two lines; the next line says what was passed over, by kind."""
    clock, before = Clock(), counted("test.bad")
    bad_input = BadInput(clock)
    with capture_logs() as logs:
        for _ in range(1000):
            bad_input.note("test.bad", "Garbage", "api@a", reason="it is none")
            bad_input.note("test.bad", "TooLarge", "api@b")
        clock.now = 59.9
        bad_input.note("test.bad", "TooLarge", "api@a")
        clock.now = 60.0
        bad_input.note("test.bad", "TooLarge", "api@a")
    lines = [(line["sender"], line["error"], line.get("passed_over")) for line in logs]
    assert lines == [
        ("api@a", "Garbage", None),
        ("api@b", "TooLarge", None),
        ("api@a", "TooLarge", {"Garbage": 999, "TooLarge": 1}),
    ]
    assert logs[0]["reason"] == "it is none"
    assert before == {}
    assert counted("test.bad") == {"kind=Garbage": 1000, "kind=TooLarge": 1002}


def test_ten_thousand_senders_are_a_thousand_lines_and_one_for_the_others() -> None:
    """Whoever makes up a name for each message fills neither the log nor the memory; a minute later all may speak."""
    clock = Clock()
    bad_input = BadInput(clock)
    with capture_logs() as logs:
        for number in range(10_000):
            bad_input.note("test.many", "Garbage", f"api@{number}")
    assert len(logs) == BadInput.MOST_SENDERS + 1
    assert len(bad_input._said) == BadInput.MOST_SENDERS + 1
    clock.now = 61.0
    with capture_logs() as logs:
        bad_input.note("test.many", "Garbage", "api@new")
    assert [line["sender"] for line in logs] == ["api@new"]
    assert len(bad_input._said) == 1


def test_what_peers_call_things_does_not_fill_the_counters() -> None:
    """Beyond a thousand sets of labels, a counter counts the others together; none is lost."""
    for number in range(3_000):
        telemetry.count("test.labels", method=f"m{number}")
    found = counted("test.labels")
    assert len(found) == telemetry.MOST_LABELS + 1
    assert found["labels=others"] == 3_000 - telemetry.MOST_LABELS
    telemetry.count("test.labels", method="m0")
    assert counted("test.labels")["method=m0"] == 2


@pytest.fixture
def configured() -> Iterator[None]:
    """Logging as a process sets it up; afterwards as it was."""
    before = structlog.get_config()
    telemetry.configure()
    yield
    structlog.configure(**before)


def test_a_line_that_cannot_be_written_harms_nobody(configured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is closed, a pipe without a reader, or a full disk: who logs goes on, and the lost lines are
    counted. Once it can be written to again, lines arrive."""
    closed = io.StringIO()
    closed.close()
    reader, writer = os.pipe()
    os.close(reader)
    before = counted("log.lost")
    with suppress(OSError), os.fdopen(writer, "w") as unread, Path("/dev/full").open("w") as full:
        for stderr in (closed, unread, full):
            monkeypatch.setattr(sys, "stderr", stderr)
            telemetry.log.warning("test.lost")
    assert before == {}
    assert counted("log.lost") == {"kind=ValueError": 1, "kind=BrokenPipeError": 1, "kind=OSError": 1}
    monkeypatch.setattr(sys, "stderr", mended := io.StringIO())
    telemetry.log.warning("test.written")
    assert "test.written" in mended.getvalue()


def test_a_process_whose_standard_error_was_closed_before_its_start() -> None:
    """It goes on too, and its lines are lost: they do not end up in its standard output."""
    lines = (
        "from midflight import telemetry",
        "telemetry.configure()",
        "telemetry.log.warning('test.lost')",
        "print(*(entry['value'] for entry in telemetry.counted() if entry['name'] == 'log.lost'))",
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, "; ".join(lines)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n")
