from __future__ import annotations

import io

import pytest
from rich.console import Console

from midflight.cli.progress import shown
from midflight.conductor.data_objects import SweepResult


def chunk(looked: int, held: str = "") -> SweepResult:
    """A chunk of a pass over a thousand rows."""
    return SweepResult(
        name="prices", line="", exit_code=1, matched=0, completed=0, more=True, state="sweeping", looked=looked,
        of=1_000, held=held,
    )  # fmt: skip


def test_a_bar_on_a_terminal() -> None:
    """It says what is done of how much, and why nothing happens."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200)
    with shown(console, lambda text: None, "prices") as bar:
        bar.chunk(chunk(250))
        bar._bar[0].refresh()  # type: ignore[index]
        bar.chunk(chunk(250, held="replica lag 12 s, at most 10 s"))
        bar._bar[0].refresh()  # type: ignore[index]
    drawn = file.getvalue()
    assert "sweeping 250 of about 1,000 rows, 0/s, ? left" in drawn
    assert "held: replica lag 12 s, at most 10 s" in drawn


def test_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then one; and each new reason."""
    said: list[str] = []
    monkeypatch.setattr("midflight.cli.progress.LINE_SECONDS", 0.0)
    with shown(None, said.append, "prices") as bar:
        bar.chunk(chunk(250))
        bar.chunk(chunk(250, held="busy"))
    assert said == ["prices: sweeping 250 of about 1,000 rows, 0/s, ? left", "prices: held: busy"]
