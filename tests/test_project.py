"""The documents and the project's own files are true."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

import midflight
from midflight.cli.app import build
from midflight.cli.init import TEMPLATE
from midflight.cli.output import Output
from midflight.cli.verdicts import print_verdict
from midflight.conductor.interface import State
from midflight.db.write_form import Form
from midflight.upgrade import gates
from midflight.upgrade.verdict import Status
from tests.pages import Page
from tests.upgrade.fleets import KILO, fleet, lost, member

ROOT = Path(__file__).parents[1]
PACKAGE = Path(midflight.__file__).parent
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "changelog.d/*.md", "apps/*/*.md") for path in ROOT.glob(pattern)
)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def _entries(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s<>=\[;]", line, maxsplit=1)[0] for line in requirements if line and line[0].isalpha()}


def test_the_readme_s_example_runs_as_it_stands(tmp_path: Path) -> None:
    """What the README shows runs without a warning, and what it says is printed is printed."""
    assert not (differences := Page(ROOT / "README.md", tmp_path).run(("python",))), "\n\n".join(differences)


def test_the_readme_s_example_is_a_taste() -> None:
    """It is about thirty lines of code long."""
    (example,) = _blocks("README.md", "python")
    assert 20 <= len([line for line in example.splitlines() if line.strip()]) <= 40


def test_the_readme_s_gate_is_that_of_its_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """What the README shows of a gate is what the command says of the fleet in the diagram above it."""
    control = [member("api", "web-1", "kilo"), member("conductor", "c1", "kilo"), member("conductor", "c2", "kilo")]
    kilo = [member("compute", host, "kilo") for host in ("n1", "n2")]
    juno = [member("compute", host, "juno") for host in ("n3", "n4")]
    gone = lost("compute", "n5", id="compute.n5.8c1f03d2")
    print_verdict(Output(), gates.roll(fleet(*control, *kilo, *juno, gone), KILO))
    assert f"$ midflight upgrade check roll\n{capsys.readouterr().out}" in _blocks("README.md", "text")


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Every relative link of a document names a file of the project."""
    links = re.findall(r"\]\(([^)#]+)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_documents_name_only_targets_that_exist(document: Path) -> None:
    """Every `make something` in a document is a target of the Makefile, or of that of a new project."""
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", document.read_text()))
    makefiles = "".join(path.read_text() for path in (ROOT / "Makefile", TEMPLATE / "Makefile"))
    assert named - {*re.findall(r"^([a-z-]+):", makefiles, re.MULTILINE)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_documents_name_only_commands_that_exist(document: Path) -> None:
    """Every `midflight noun verb` in a document has a help page."""
    commands = set(re.findall(r"(?:`|\$ )midflight ([a-z]+(?: [a-z]+)?)", document.read_text()))
    for command in sorted(commands):
        assert build().parse_args([*command.split(), "--help"], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_documents_name_only_tests_that_exist(document: Path) -> None:
    """Every promise that names the test which holds it, as `tests/…` or `tests/…::test_…`, names one that is there."""
    for path, test in re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", document.read_text()):
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"


def test_make_help_lists_every_target() -> None:
    """No target is missing from `make help`, and each has its sentence."""
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([a-z-]+) +\S", shown, re.MULTILINE) == phony.split()


def test_the_architecture_names_every_part() -> None:
    """ARCHITECTURE.md has each module and package of the top floor by its name."""
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert {part for part in parts - {"__init__"} if f"`{part}" not in text} == set()


def test_the_reading_order_names_files_that_exist() -> None:
    """Every module that ARCHITECTURE.md names by its file is there."""
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert [path for path in named if not ((PACKAGE / path).exists() or (ROOT / path).exists())] == []


def test_the_glossary_has_one_meaning_per_word() -> None:
    """No word is explained twice."""
    words = re.findall(r"^\*\*([^*]+)\*\*:", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert len(words) > 30
    assert len(words) == len(set(words))


@pytest.mark.parametrize("words", [State, Form, Status], ids=lambda words: words.__name__)
def test_the_glossary_has_the_words_that_an_operator_reads(words: type[StrEnum]) -> None:
    """States of members, write forms and the statuses of facts are explained."""
    text = (ROOT / "docs/glossary.md").read_text()
    assert [word.value for word in words if f"*{word.value}*" not in text and f"`{word.value}`" not in text] == []


def test_every_decision_is_listed_and_says_what_it_costs() -> None:
    """Each decision is in the index, and has its reasons and its price."""
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text()
    decisions = [path for path in folder.glob("*.md") if path.name != "README.md"]
    for path in decisions:
        assert f"({path.name})" in index
        text = path.read_text()
        assert [part for part in ("**Decided.**", "**Because.**", "**The price.**") if part not in text] == []


def test_fragments_of_the_changelog_are_of_a_known_kind() -> None:
    """Each fragment is named subject.kind.md, with a kind that the changelog has, and says something."""
    kinds = {kind["directory"] for kind in PYPROJECT["tool"]["towncrier"]["type"]}
    for path in (ROOT / "changelog.d").glob("+*"):
        assert path.name.split(".")[1:] in [[kind, "md"] for kind in kinds], path.name
        assert path.read_text().strip().endswith("."), path.name


@pytest.mark.parametrize("lock", LOCKS, ids=_name)
def test_locked_requirements_are_hashed_and_name_no_registry(lock: Path) -> None:
    """Each requirement has its hashes, and no address of a registry is written down."""
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert [each for each in requirements if "==" not in each or "--hash=sha256:" not in each] == []


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """Whatever pyproject.toml and dev.in name is locked, and both locks agree on what they share."""
    run, dev = _pins(ROOT / "requirements/run.txt"), _pins(ROOT / "requirements/dev.txt")
    project = PYPROJECT["project"]
    optional = [each for extra in project["optional-dependencies"].values() for each in extra]
    assert _entries(project["dependencies"] + optional) <= {*run, project["name"]}  # an extra may bring another
    assert _entries((ROOT / "requirements/dev.in").read_text().splitlines()) <= dev.keys()
    assert run.items() <= dev.items()


@pytest.mark.parametrize("app", ["compute", "house"])
def test_an_application_is_shipped_with_what_it_was_tested_with(app: str) -> None:
    """Its lock has whatever any of its releases asks for, in the versions of the tests."""
    shipped, tested = _pins(ROOT / f"requirements/{app}.txt"), _pins(ROOT / "requirements/dev.txt")
    asked = [
        tomllib.loads(path.read_text())["project"]["dependencies"]
        for path in (ROOT / "apps" / app).rglob("pyproject.toml")
    ]
    assert asked
    assert _entries([each for dependencies in asked for each in dependencies]) <= {*shipped, "midflight"}
    assert shipped.items() <= tested.items()


def _tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "apps").glob("**/tests/**/test_*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"{_name(path)}:{node.lineno} {node.name}", node


def test_every_test_says_its_claim() -> None:
    """Each test of the framework and of the apps has a docstring, which begins with a sentence."""
    silent = [where for where, node in _tests() if not re.match(r"[^.]+\S", ast.get_docstring(node) or "")]
    assert not silent, "\n" + "\n".join(silent)


def test_every_exception_from_a_lint_rule_says_why() -> None:
    """A noqa or a type: ignore names its rule, and its reason stands on the same line."""
    silent = [
        f"{_name(path)}:{number}"
        for path in [*PACKAGE.rglob("*.py"), *(ROOT / "apps").rglob("*.py")]
        if "tests" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"# (?:noqa|type: ignore|pyright: ignore)", line)
        and not re.search(r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[\w, -]+\]|pyright: ignore\[\w+\])\s+[#-] \S", line)
    ]
    assert not silent, "\n" + "\n".join(silent)


def test_the_package_says_that_it_is_typed() -> None:
    """py.typed lies in the package."""
    assert (PACKAGE / "py.typed").is_file()
