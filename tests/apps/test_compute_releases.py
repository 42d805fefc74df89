import ast
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

COMPUTE = Path(__file__).resolve().parents[2] / "apps" / "compute"
TREES = {name: COMPUTE / name for name in ("juno", "kilo", "liberty")}
HOPS = [*itertools.pairwise(TREES)]
NAMES = re.compile("|".join(TREES), re.IGNORECASE)
SAYS = """
import sys
from pathlib import Path
from compute.project import project
from midflight.config import Config
config = Config.load(Path(sys.argv[1]))
from compute.settings import settings
given = settings(config.app)
sys.stdout.write(f"{given.http_port} {given.machines} {given.resize_seconds}")
"""


def sources(tree: Path) -> Iterator[Path]:
    """Every file that runs: not the frozen releases, not the tests, which may speak of releases."""
    yield from (path for folder in ("compute", "schema") for path in (tree / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("release", TREES)
def test_a_release_imports_nothing_of_the_others(release: str) -> None:
    """Its own package, midflight's front door, and what its pyproject.toml depends on."""
    metadata = tomllib.loads((TREES[release] / "pyproject.toml").read_text())
    depends = {re.split(r"[\[<>=]", need)[0].strip() for need in metadata["project"]["dependencies"]}
    found = {name for path in sources(TREES[release]) for name in imported(path)}
    assert found - set(sys.stdlib_module_names) - depends == {"compute"}


@pytest.mark.parametrize("release", TREES)
def test_a_release_uses_only_the_front_door_of_midflight(release: str) -> None:
    """``from midflight import …``, never one of its modules."""
    statements = re.compile(r"^\s*(?:from|import) midflight\S+.*$", re.MULTILINE)
    assert [line for path in sources(TREES[release]) for line in statements.findall(path.read_text())] == []


@pytest.mark.parametrize("release", TREES)
def test_the_code_of_a_release_does_not_ask_for_its_own_name(release: str) -> None:
    """It is the same code whatever it is called; only a data migration says to which release it belongs."""
    said = [
        line.strip()
        for path in sources(TREES[release])
        for line in path.read_text().splitlines()
        if NAMES.search(line) and "@data_migration(" not in line
    ]
    assert said == []


@pytest.mark.parametrize("release", TREES)
def test_a_release_starts_on_the_configuration_file_of_the_first(release: str) -> None:
    """Every entry of it is still understood."""
    file = TREES["juno"] / "midflight.toml"
    command = [sys.executable, "-c", SAYS, str(file)]
    told = subprocess.run(command, cwd=TREES[release], capture_output=True, text=True, timeout=60)
    assert (told.stdout, told.stderr) == ("8774 machines 0.2", "")


@pytest.mark.parametrize(("before", "after"), HOPS)
def test_the_frozen_releases_of_those_before_are_kept_unchanged(before: str, after: str) -> None:
    """A running fleet may be pinned to them, and their tables read; each release adds its own."""
    for folder in ("releases", "schema/tables"):
        frozen = {path.name: path.read_text() for path in (TREES[after] / folder).iterdir()}
        assert frozen.pop(f"{after}.toml")
        assert frozen == {path.name: path.read_text() for path in (TREES[before] / folder).iterdir()}


@pytest.mark.parametrize(("before", "after"), HOPS)
def test_a_release_has_the_schema_revisions_of_those_before_and_only_adds(before: str, after: str) -> None:
    """Whoever expanded or contracted with the one goes on with the next."""
    for path in (TREES[before] / "schema").glob("*/*.py"):
        assert (TREES[after] / "schema" / path.parent.name / path.name).read_text() == path.read_text()


@pytest.mark.parametrize(("before", "after"), HOPS)
def test_the_difference_is_what_an_upgrade_costs_its_authors(before: str, after: str) -> None:
    """Not more than a reader takes in: the lines that differ in the code are few."""
    command = ["diff", "-r", "-x", "__pycache__", str(TREES[before] / "compute"), str(TREES[after] / "compute")]
    differing = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.splitlines()
    assert 0 < len([line for line in differing if line[:1] in "<>"]) < 300


def test_the_last_release_has_forgotten_how_a_flavor_was_kept_before() -> None:
    """No migration, no form, no table of old rows, nothing for peers of the release before the last: what held the
    upgrade together goes with it."""
    words = re.compile("metadata_|system_metadata|instance_type|migrat(e_flavor|ions)|Form|adapt|revert|serves=")
    found = [path for path in (TREES["liberty"] / "compute").rglob("*.py") if words.search(path.read_text())]
    assert found == []
