"""The report of a rehearsal, the digest of the code that it is for, and what a gate makes of both."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from midflight.errors import ProjectError
from midflight.project import Project, load_project
from midflight.upgrade import gates
from midflight.upgrade.aim import Aim
from midflight.upgrade.freeze import freeze
from midflight.upgrade.rehearsed import Doubt, Report, StepTaken, code_digest, doubt, read, write
from midflight.upgrade.verdict import Status
from tests.upgrade.fleets import KILO, cloud, words

BAKERY = """
from pathlib import Path
from midflight import Project, VersionedObject, field
from bakery.prices import PRICE

class Bread(VersionedObject, version="1.0"):
    price: int = PRICE

project = Project("bakery", objects=[Bread], releases=Path(__file__).parents[1] / "releases", rehearse=True)
"""

Load = Callable[[], Project]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """A project in a package of two modules, as it is in its files at that moment."""

    def fresh() -> Project:
        for module in [each for each in sys.modules if each.partition(".")[0] == "bakery"]:
            del sys.modules[module]
        return load_project("bakery.project")

    (tmp_path / "bakery").mkdir()
    for name, text in (("__init__", ""), ("prices", "PRICE = 3\n"), ("project", BAKERY)):
        (tmp_path / "bakery" / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    freeze(fresh(), "kilo")
    yield fresh
    for module in [each for each in sys.modules if each.partition(".")[0] == "bakery"]:
        del sys.modules[module]


def report(project: Project, **fields: str) -> Report:
    step = StepTaken(name="roll", seconds=1.5, back=0.25, gate="warn", because=['warn: "x"\x7f\n\\ é'])
    known = {"previous": "juno", "target": "kilo", "code": code_digest(project), "at": "2030-01-01", "data": "none"}
    return Report(**{**known, **fields}, steps=[step], translations={"Bread 1.1 1.0": 7}, lint={"0001": []})


def test_a_report_is_read_as_it_was_written(load: Load) -> None:
    """Also what has quotes and unseen characters in it; and the next rehearsal's takes its place."""
    for failed in ("", "step 5 roll: it fell over"):
        given = report(load(), failed=failed)
        path = write(load(), given)
        assert read(load(), "kilo") == given
    assert path.relative_to(Path.cwd()) == Path("releases/rehearsed/kilo.toml")
    assert [release.name for release in load().releases] == ["kilo"], "it is taken for no release"


def test_a_file_that_says_something_else_is_named(load: Load) -> None:
    """With what it lacks."""
    path = write(load(), report(load()))
    path.write_text('target = "kilo"\n')
    with pytest.raises(ProjectError, match=r"kilo\.toml: has no report of a rehearsal: .*`previous`"):
        read(load(), "kilo")


def test_the_digest_is_that_of_exactly_this_code(load: Load) -> None:
    """Of each module of the package, and of its frozen releases; not of what lies beside it, nor of where it lies."""
    before = code_digest(load())
    assert code_digest(load()) == before
    Path("tests.py").write_text("assert True\n")
    Path("bakery/page.html").write_text("hello")
    assert code_digest(load()) == before
    Path("bakery/prices.py").write_text("PRICE = 4 - 1\n")
    changed = code_digest(load())
    assert changed != before
    Path("bakery/prices.py").write_text("PRICE = 3\n")
    assert code_digest(load()) == before
    frozen = Path("releases/kilo.toml")
    frozen.write_text(frozen.read_text() + "# more\n")
    assert code_digest(load()) not in (before, changed)


def test_the_same_code_elsewhere_has_the_same_digest(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a report that was written in CI holds where the code is deployed."""
    here = code_digest(load())
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    monkeypatch.chdir(moved)
    monkeypatch.syspath_prepend(str(moved))
    assert code_digest(load()) == here
    moved.rename(tmp_path)


def test_nobody_relies_on_a_rehearsal_of_other_code(load: Load) -> None:
    """Nor on one that failed, or never was."""
    assert doubt(load(), "kilo", ["juno"]) == Doubt("was never rehearsed")
    write(load(), report(load()))
    assert doubt(load(), "kilo", ["juno"]) == Doubt()
    Path("bakery/more.py").write_text("\n")
    assert doubt(load(), "kilo", ["juno"]) == Doubt("was rehearsed at 2030-01-01, and the code has changed since")
    write(load(), report(load(), failed="step 5 roll: it fell over"))
    failed = Doubt("failed when it was rehearsed: step 5 roll: it fell over", failed=True)
    assert doubt(load(), "kilo", ["juno"]) == failed


def test_nobody_relies_on_a_rehearsal_of_another_road(load: Load) -> None:
    """Production does not go that one."""
    write(load(), report(load(), previous="icehouse"))
    assert doubt(load(), "kilo", ["juno", "juno.1"]) == Doubt("was rehearsed from icehouse, not from juno or juno.1")


def test_a_report_that_cannot_be_read_is_an_unknown_fact(load: Load) -> None:
    """A merge that went wrong stops nobody in the midst of an upgrade."""
    path = write(load(), report(load()))
    path.write_text(f"<<<<<<< ours\n{path.read_text()}")
    found = Aim.of(load(), "kilo").rehearsed
    assert found is not None
    assert not found.failed
    assert found.words.startswith(f"may have been rehearsed or not: {path.absolute()}: has no report of a rehearsal")


def test_a_project_without_a_folder_for_releases_keeps_no_report() -> None:
    """There is nothing to rehearse either."""
    with pytest.raises(ProjectError, match="project p: has no folder for releases"):
        read(Project("p"), "kilo")


@pytest.mark.parametrize(
    ("doubted", "status", "said"),
    [
        (Doubt(), Status.PASS, "the upgrade to kilo was rehearsed with exactly this code"),
        (Doubt("was never rehearsed"), Status.UNKNOWN, "the upgrade to kilo was never rehearsed"),
        (Doubt("failed in May", failed=True), Status.FAIL, "the upgrade to kilo failed in May"),
    ],
)
def test_the_gate_of_a_project_that_wants_rehearsals(doubted: Doubt, status: Status, said: str) -> None:
    """It says how that stands, and what to do."""
    verdict = gates.prepare(cloud(), replace(KILO, rehearsed=doubted))
    assert said in words(verdict, status)
    assert verdict.status is status
    way_out = ("midflight upgrade rehearse --from juno --to kilo",) if doubted.words else ()
    assert verdict.way_out == way_out
    assert "rehearsed" in [fact.name for fact in verdict.because]


def test_the_gate_of_a_project_that_wants_none_says_nothing(load: Load) -> None:
    """By the project's word alone, whatever lies in its folder."""
    assert Aim.of(load(), "kilo").rehearsed == Doubt("was never rehearsed")
    Path("bakery/project.py").write_text(BAKERY.replace(", rehearse=True", ""))
    aim = Aim.of(load(), "kilo")
    assert aim.rehearsed is None
    assert "rehearsed" not in [fact.name for fact in gates.prepare(cloud(), aim).because]
