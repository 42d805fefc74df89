"""Play a page as a reader does who types it into a shell: its commands are run, its edits made, its answers compared.

It needs the standard library only, so that somebody without this repository can play a page too:
``python shell.py --install docs/tutorial.md``. How a page is written:

- ``sh`` has commands behind ``$``, and what they write. In an answer, ``…`` stands for anything within a line, and a
  line that is ``…`` alone for any number of lines. A command exits 0, or as the comment behind it says: ``# exits 2``.
- A ``diff`` that begins with ``# path/of/a/file.py`` is an edit of that file, seen from where the shell is.
- What stands under the heading *Install* is run with ``--install`` only.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PART = re.compile(r"^## (?P<title>[^\n]*)\n|^```(?P<language>\w+)\n(?P<body>.*?)^```\n", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ (?P<line>.*?)(?:\s+# exits (?P<code>\d+))?\n(?P<answer>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_END = "-- this command has ended --"
INSTALL = "Install"


@dataclass(frozen=True)
class Typed:
    """One command and its answer, or one edit, where it stands in the page."""

    line: int
    what: str
    command: str
    answer: str = ""
    code: int = 0


def typed(text: str, *, install: bool) -> Iterator[Typed]:
    """What a reader types, in its order."""
    title = ""
    for part in _PART.finditer(text):
        title = part["title"] or title
        if part["title"] or (title == INSTALL and not install):
            continue
        line = text.count("\n", 0, part.start("body")) + 1
        if part["language"] == "diff":
            yield Typed(line, "diff", part["body"])
        if part["language"] == "sh":
            for each in _COMMAND.finditer(part["body"]):
                at = line + part["body"].count("\n", 0, each.start())
                yield Typed(at, "sh", each["line"], each["answer"], int(each["code"] or 0))


class Shell:
    """One bash, which stays where a command has left it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], bash: Sequence[str]) -> None:
        self._bash = subprocess.Popen(
            [*bash], cwd=folder, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, command: str) -> tuple[str, int]:
        """What the command writes, and its exit code."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '%s %s\\n' '{_END}' $?\n")
        self._bash.stdin.flush()
        written = []
        for line in self._bash.stdout:
            before, end, code = line.partition(_END)
            written.append(before)
            if end:
                return "".join(written), int(code)
        raise AssertionError(f"the shell has ended in {command!r}: {''.join(written)}")

    def edit(self, diff: str) -> str:
        """Make an edit; what is wrong with it, or nothing."""
        name, *lines = diff.splitlines()
        path = Path(self.run("pwd")[0].strip()) / name.removeprefix("# ")
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[:1] in (sign, " ", "")) for sign in "-+")
        text = path.read_text()
        if text.count(old) != 1:
            return f"found {text.count(old)} times in {path}:\n{old}"
        path.write_text(text.replace(old, new))
        return ""

    def close(self) -> None:
        """Let it end."""
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        self._bash.wait()
        if self._bash.stdout:
            self._bash.stdout.close()


def fits(said: str, happened: str) -> bool:
    """Whether an answer is as the page says."""
    pattern = "".join(
        "(?:.*\n)*" if line.strip() == "…" else f"{'.*'.join(map(re.escape, line.rstrip().split('…')))} *\n"
        for line in said.splitlines()
    )
    return re.fullmatch(pattern, happened) is not None


def play(
    page: Path, folder: Path, environment: Mapping[str, str], *, install: bool = False, bash: Sequence[str] = ("bash",)
) -> list[str]:
    """Where the page and what happens differ; it goes no further than the first of them."""
    shell = Shell(folder, environment, bash)
    try:
        for each in typed(page.read_text(), install=install):
            begun = time.monotonic()
            if each.what == "diff":
                if wrong := shell.edit(each.command):
                    return [f"{page}:{each.line}: {wrong}"]
                continue
            happened, code = shell.run(each.command)
            if install:
                print(f"{time.monotonic() - begun:6.1f} s  {each.command}", flush=True)
            if code != each.code or not fits(each.answer, happened):
                where = f"{page}:{each.line}: {each.command}"
                return [f"{where}\n--- said ({each.code})\n{each.answer}\n--- happened ({code})\n{happened}"]
    finally:
        shell.close()
    return []


def main(arguments: list[str]) -> int:
    """Play pages, one after the other."""
    install, wrong = "--install" in arguments, 0
    for name in arguments:
        if name.startswith("--"):
            continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            differences = play(Path(name).absolute(), Path(folder), os.environ, install=install)
        minutes = (time.monotonic() - begun) / 60
        print("\n".join([f"{name}: {'differs' if differences else 'as it says'}, {minutes:.1f} min", *differences]))
        wrong += len(differences)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
