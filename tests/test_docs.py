"""The pages to do and to look up are true: what they show is run as it stands, and what they say is compared."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from midflight.cli.app import build
from midflight.db.journal import KINDS
from midflight.db.write_form import Form
from tests.pages import Block, Page, blocks_of
from tests.test_operating import PLAYED

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    path for kind in ("reference/*", "how-to/*", "explanation/*", "from-*") for path in DOCS.glob(f"{kind}.md")
)
ADDRESS = re.compile(r"\]\(([^)#:]+\.md)(?:#([^)]+))?\)")
CHANGES = [DOCS / "how-to" / link for link, _ in ADDRESS.findall((DOCS / "how-to/README.md").read_text())]
FORMS = DOCS / "explanation" / "write-forms.md"
SHOWN = {"python", "console", "diff", "toml", "text"}


def _name(path: Path) -> str:
    return str(path.relative_to(DOCS))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_page_is_as_it_says(path: Path, tmp_path: Path) -> None:
    """Its code runs, prints and raises what it says, and its commands write what stands below them."""
    assert not (differences := Page(path, tmp_path, DOCS / "examples").run()), "\n\n".join(differences)


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_page_has_only_blocks_that_are_looked_at(path: Path) -> None:
    """Every fence names a language that is run or compared, and none is left open."""
    text = path.read_text()
    played = {"sh"} if path in PLAYED else set()
    assert set(re.findall(r"^```(\S*)$", text, re.MULTILINE)) <= SHOWN | played | {""}
    compared = [block for block in blocks_of(text) if block.output is not None]
    assert text.count("```") == 2 * (len(list(blocks_of(text))) + len(compared))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_page_is_read_in_five_minutes(path: Path) -> None:
    """It has at most 1,000 words beside its blocks, and no line of its code is wider than a screen."""
    text = path.read_text()
    assert len(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE).split()) <= 1000
    code = [line for block in blocks_of(text) if block.language == "python" for line in block.body.splitlines()]
    assert [line for line in code if len(line) > 120] == []


def test_every_page_is_in_the_index() -> None:
    """A reader finds each page from docs/README.md, or from the index of its folder, where there is one."""
    listed = {
        (index.parent / link).resolve()
        for index in (DOCS / "README.md", *DOCS.glob("*/README.md"))
        for link, _ in ADDRESS.findall(index.read_text())
    }
    assert [page for page in PAGES if page not in listed] == []
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", CHANGES, ids=_name)
def test_a_how_to_goes_the_whole_way(path: Path) -> None:
    """From a frozen release over the forgotten step and the right one to the day when the marks may go."""
    commands = [
        command
        for block in blocks_of(path.read_text()) if block.language == "console"
        for command in re.findall(r"^\$ (midflight \S+ \S+(?: \w+)?)", block.body, re.MULTILINE)
    ]  # fmt: skip
    way = ["release freeze juno", "release check", "release check", "release freeze kilo", "release retire juno"]
    assert _in_order(way, [command.removeprefix("midflight ") for command in commands])
    assert "import juno, kilo" in path.read_text()


def _in_order(wanted: list[str], found: list[str]) -> bool:
    """Whether these come in this order, whatever stands between."""
    rest = iter(found)
    return all(each in rest for each in wanted)


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_page_names_commands_that_there_are(path: Path) -> None:
    """Also where they are only shown: the command line takes their words and options."""
    shown = [block.body for block in blocks_of(path.read_text()) if block.language == "text"]
    for typed in re.findall(r"^midflight (.*)$", "\n".join(shown), re.MULTILINE):
        words = shlex.split(re.split(r"\s{2,}|\s+[#>]|…", typed)[0])
        _, _, bound = build().parse_args(words, exit_on_error=False, print_error=False)[:3]
        assert bound is not None, typed


def test_the_truth_table_is_that_of_the_code() -> None:
    """For each write form, what the page says is written and read, and what is true."""
    said = re.findall(
        r"^\| ([a-z, ]+) \| (yes|no) \| (yes|no) \| (old|new) \| (old|new) \|$", FORMS.read_text(), re.MULTILINE
    )
    yes_no, old_new = {True: "yes", False: "no"}, {True: "new", False: "old"}
    assert said == [
        (
            form.value,
            yes_no[form.writes_old],
            yes_no[form.writes_new],
            old_new[form.reads_new],
            old_new[not form.writes_old],
        )
        for form in Form
    ]


def test_the_kinds_of_entries_are_those_of_the_code() -> None:
    """The page of the journal names each of them, and no other; behind `pin.set`, `.cleared` is `pin.cleared`."""
    said = list[str]()
    for row in re.findall(r"^\| (`.*?) \|", (DOCS / "reference/journal.md").read_text(), re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            said.append(f"{said[-1].partition('.')[0]}{name}" if name.startswith(".") else name)
    assert sorted(said) == sorted(KINDS)


def run(text: str, folder: Path) -> list[str]:
    """The differences of a page that says this."""
    page = folder / "page.md"
    page.write_text(text)
    return Page(page, folder / "there", None).run()


@pytest.fixture(autouse=True)
def _there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()


@pytest.mark.parametrize(
    "block",
    [
        "```python\nprint(1)  # 2\n```\n",
        "```python\nprint(1)\n```\n",
        "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "```python\n1 / 0\n```\n",
        "```python\n1 / 1  # ZeroDivisionError: division by zero\n```\n",
        "```python\n1 / 0  # ZeroDivisionError: of another kind\n```\n",
        "```python\n# a.py\nx = 1\n```\n\n```diff\n# a.py\n-x = 2\n+x = 3\n```\n",
        "```console\n$ midflight --version\n0.0.0\n```\n",
    ],
)
def test_a_page_that_is_not_true_is_found(block: str, tmp_path: Path) -> None:
    """Whatever it is that differs, or is not said."""
    assert len(run(block, tmp_path)) == 1


def test_a_true_page_has_no_differences(tmp_path: Path) -> None:
    """Printed, awaited, raised, over several lines, in files and their edits."""
    text = """\
```python
# a.py
x = 1
```

```diff
# a.py
-x = 1
+x = 2
```

```python
import asyncio, a
print(a.x)  # 2
print(await asyncio.sleep(0, "awaited"))  # awaited
print("one two")  # one
#   two
raise ValueError(3)  # ValueError: 3
for number in range(2):
    print(number)
```

```text
2
awaited
one two
0
1
```
"""
    assert run(text, tmp_path) == []


def test_blocks_know_their_lines_and_files() -> None:
    """For whoever has to find them."""
    assert list(blocks_of("a\n\n```python\n# b.py\nx\n```\n")) == [Block(3, "python", "# b.py\nx\n", None)]
    assert Block(1, "diff", "# b.py\n+x\n", None).file == "b.py"
    assert Block(1, "python", "x\n# b.py\n", None).file is None
