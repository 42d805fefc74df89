"""Run the pages of the documents as a reader would, and compare what they say with what happens.

It needs the standard library and an installed midflight only, so that the built wheel is held to the pages too:
``python pages.py README.md docs/reference/*.md``. How a page is written:

- ``python`` is typed in, statement by statement, as into ``python -m asyncio``. The comment behind a ``print(…)`` is
  what is printed; the comment ``# SomeError: …`` behind a statement is what it raises. A comment goes on in the next
  lines where these begin with three blanks. A ``text`` block that follows is the whole output of a block.
- A block that begins with the comment ``# cloud.py`` is that file; a ``diff`` that begins so is an edit of it.
- ``console`` has commands behind ``$``, and what they write.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import inspect
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import tokenize
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

import midflight
from midflight import errors
from midflight.cli import main as command

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w./]+\.(?:py|toml))\b.*\n")
RUN = ("python", "diff", "console", "toml")


@dataclass(frozen=True)
class Block:
    """One fenced block; ``output`` is that of the text block which follows it."""

    line: int
    language: str
    body: str
    output: str | None

    @property
    def file(self) -> str | None:
        """The file that it is, or edits."""
        named = _FILE.match(self.body)
        return named[1] if named else None


def blocks_of(text: str) -> Iterator[Block]:
    """All blocks of a page in their order."""
    for found in _FENCE.finditer(text):
        yield Block(text.count("\n", 0, found.start()) + 1, found[1], found[2], found[3])


class Page:
    """One page, run in a folder of its own, in which the files beside ``examples`` lie too."""

    def __init__(self, path: Path, folder: Path, examples: Path | None = None) -> None:
        self.path, self.folder = path, folder.resolve()
        self.differences: list[str] = []
        self._module = types.ModuleType("page")
        self._code = 0
        for example in examples.iterdir() if examples else ():
            if example.is_file():
                shutil.copy(example, folder)

    def run(self, languages: tuple[str, ...] = RUN) -> list[str]:
        """Where the page and the facts differ; none for a page that is true."""
        with _as_a_reader(self.folder, self._module), asyncio.Runner() as self._runner:
            for block in blocks_of(self.path.read_text()):
                if block.language in languages:
                    getattr(self, f"_{block.language}")(block)
        return self.differences

    def compare(self, block: Block, said: str, happened: str, what: str = "") -> None:
        """Note a difference."""
        if said != happened:
            place = f"{self.path}:{block.line}" + (f": {what}" if what else "")
            self.differences.append(f"{place}\n--- said\n{said}\n--- happened\n{happened}")

    def _toml(self, block: Block) -> None:
        if block.file:
            self._write(block.file, block.body)

    def _write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def _diff(self, block: Block) -> None:
        """The lines that stay and those that go must be in the file, once."""
        name = block.file or ""
        lines = block.body.splitlines()[1:]
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[:1] in (sign, " ", "")) for sign in "-+")
        text = (self.folder / name).read_text()
        self.compare(block, "once", {1: "once"}.get(text.count(old), f"{text.count(old)} times"), f"found in {name}")
        self._write(name, text.replace(old, new))

    def _console(self, block: Block) -> None:
        happened = "".join(f"$ {line}\n{self._command(line)}" for line in re.findall(r"^\$ (.*)$", block.body, re.M))
        self.compare(block, block.body, happened)

    def _command(self, line: str) -> str:
        word, *arguments = shlex.split(line, comments=True)
        if line == "echo $?":
            return f"{self._code}\n"
        if word == "cp":
            shutil.copy(*arguments)
            return ""
        if word == "head":
            lines = Path(arguments[1]).read_text().splitlines(keepends=True)
            return "".join(lines[: int(arguments[0].removeprefix("-"))])
        assert word == "midflight", f"{self.path}: only midflight, cp, head and echo $? are run, not {line}"
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            self._code = command(arguments)
        _forget_modules(self.folder)
        return out.getvalue().replace(f"{self.folder}/", "")

    def _python(self, block: Block) -> None:
        if block.file:
            self._write(block.file, block.body.removeprefix(_FILE.match(block.body)[0]).lstrip("\n"))  # type: ignore[index]
            return
        comments = _comments(block.body)
        written = ""
        for node in ast.parse(block.body).body:
            printed, raised = self._statement(node)
            written += printed
            error = _expected_error(node, comments, vars(self._module))
            self.compare(block, error, raised, ast.unparse(node))
            if block.output is None:
                said = "".join(f"{comments[line]}\n" for line in _prints(node) if line in comments)
                self.compare(block, said, printed, ast.unparse(node))
        if block.output is not None:
            self.compare(block, block.output, written)

    def _statement(self, node: ast.stmt) -> tuple[str, str]:
        """What one statement prints, and what it raises."""
        code = compile(ast.Module([node], []), "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        raised = ""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                if code.co_flags & inspect.CO_COROUTINE:
                    self._runner.run(eval(code, vars(self._module)))
                else:
                    exec(code, vars(self._module))
            except Exception as wrong:  # noqa: BLE001  # whatever the page says that it raises
                raised = f"{type(wrong).__name__}: {wrong}"
        return out.getvalue(), raised


@contextlib.contextmanager
def _as_a_reader(folder: Path, module: types.ModuleType) -> Iterator[None]:
    """In the folder, with its modules at hand, and warnings as errors. What was changed in this process is put back."""
    here, path, bytecode = Path.cwd(), list(sys.path), sys.dont_write_bytecode
    sys.modules["page"], sys.dont_write_bytecode = module, True  # two edits within a second are two files
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        os.chdir(here)
        sys.path[:], sys.dont_write_bytecode = path, bytecode
        del sys.modules["page"]
        _forget_modules(folder)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


def _forget_modules(folder: Path) -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).resolve().is_relative_to(folder):
            del sys.modules[name]


def _comments(body: str) -> dict[int, str]:
    """By line, with those lines in which they go on."""
    lines = body.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(body).readline)
    found = {token.start[0]: token.string[2:] for token in tokens if token.type == tokenize.COMMENT}
    for line in found:
        for more in filter(None, lines[line:]):
            if not re.match(r" *#   ", more):
                break
            found[line] += " " + more.strip(" #")
    return found


def _prints(node: ast.stmt) -> list[int]:
    """The lines in which calls of print end."""
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    return sorted(call.end_lineno or 0 for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print")


def _expected_error(node: ast.stmt, comments: dict[int, str], names: dict[str, Any]) -> str:
    comment = comments.get(node.end_lineno or 0, "")
    name = comment.partition(":")[0]
    places = (names, vars(midflight), vars(errors), vars(builtins))
    kind = next((place[name] for place in places if name in place), None)
    return comment if isinstance(kind, type) and issubclass(kind, Exception) else ""


def main(paths: list[Path]) -> int:
    """Run pages; of a README, only Python, since its commands set up the machine."""
    wrong = 0
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            examples = path.parent.parent / "examples"
            page = Page(path.resolve(), Path(folder), examples.resolve() if examples.is_dir() else None)
            differences = page.run(("python",) if path.name == "README.md" else RUN)
        print("\n".join([f"{path}: {'differs' if differences else 'as it says'}", *differences]))
        wrong += len(differences)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
