"""What a command says: coloured tables on a terminal, plain lines elsewhere, one JSON document for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from midflight.cli.endings import NotWritten, writing
from midflight.objects.shape import CHANGED, TAG
from midflight.telemetry import printable

STYLES = {
    **dict.fromkeys(("pass", "done", "active", "ready", "proven", "yes"), "green"),
    **dict.fromkeys(("warn", "here", "draining", "asleep", "starting"), "yellow"),
    **dict.fromkeys(("fail", "lost", "outdated", "no", "failed", "stopped"), "bold red"),
    **dict.fromkeys(("unknown", "unproven"), "magenta"),
    **dict.fromkeys(("ahead", "retired", "-"), "dim"),
}
"""How a word that fills a cell, or marks a line, looks on a terminal."""


@dataclass(frozen=True)
class Table:
    """Rows under their headings; each cell is text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def lines(self) -> list[str]:
        """The table as aligned lines, two spaces between columns, for a pipe or a log."""
        everything = [[name.upper() for name in self.columns], *self._cells()]
        widths = [max(len(row[at]) for row in everything) for at in range(len(self.columns))]
        padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in everything)
        return ["  ".join(cells).rstrip() for cells in padded]

    def rich(self) -> RichTable:
        """The table for a terminal."""
        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for name in self.columns:
            table.add_column(name, overflow="fold")
        for row in self._cells():
            table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
        return table

    def _cells(self) -> list[list[str]]:
        return [[printable(cell) for cell in row] for row in self.rows]


class Page(Console):
    """Standard output for a person. Unlike its base, it ends no process when its reader has gone."""

    def print(self, *things: Any, **how: Any) -> None:
        """See Console.print. Raises NotWritten."""
        with writing():
            super().print(*things, **how)

    def on_broken_pipe(self) -> None:
        """Called while the BrokenPipeError is handled."""
        raise NotWritten from None


class Output:
    """Where one command writes. With ``json``, lines and tables are left out, and only documents are written."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self._console = Page(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)

    @property
    def terminal(self) -> Console | None:
        """Where something that moves may be shown; None where nobody would see it."""
        return self._console if self._console.is_terminal and not self.json else None

    def say(self, text: str) -> None:
        """Write a line for a person."""
        if not self.json:
            self._console.print(printable(text))

    def text(self, text: str) -> None:
        """Write lines of ours that are for a file, as they are."""
        if not self.json:
            with writing():
                sys.stdout.write(f"{text}\n")

    def mark(self, word: str, text: str, *, indent: int = 0) -> None:
        """Write ``word: text`` for a person, the word in its colour."""
        if not self.json:
            self._console.print(Text.assemble(" " * indent, (word, STYLES.get(word, "")), f": {printable(text)}"))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table for a person."""
        table = Table(columns, list(rows))
        if self.json:
            return
        if self._console.is_terminal:
            self._console.print(table.rich(), soft_wrap=False)
        else:
            self._console.print("\n".join(table.lines()))

    def document(self, content: Any) -> None:
        """Write one JSON document for a machine; nothing without ``json``."""
        if self.json:
            plain = _plain(msgspec.to_builtins(content, enc_hook=str))
            with writing():
                sys.stdout.write(msgspec.json.format(msgspec.json.encode(plain)).decode() + "\n")
                sys.stdout.flush()

    def line(self, content: Any) -> None:
        """Write one JSON document on a line of its own, for whoever reads line by line; nothing without ``json``."""
        if self.json:
            with writing():
                sys.stdout.write(
                    msgspec.json.encode(_plain(msgspec.to_builtins(content, enc_hook=str))).decode() + "\n"
                )
                sys.stdout.flush()


def _plain(content: Any) -> Any:
    """Without the marks by which versioned objects know each other on the wire."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items() if key not in (TAG, CHANGED)}
    return [_plain(item) for item in content] if isinstance(content, list | tuple) else content
