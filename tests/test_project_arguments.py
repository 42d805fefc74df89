"""What a Project takes, and what it refuses with the argument's name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject
from midflight.project import Project, Runtime, Service, load_project
from midflight.rpc.interface import Interface
from midflight.versions import Version


@asynccontextmanager
async def run(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield []


class Thing(VersionedObject, version="1.0"):
    name: str


class Fleet(VersionedObject, version="1.0"):
    name: str


class Conducting(Interface, Protocol, topic="conductor", version="1.0"):
    pass


PLAIN = Service("plain", run)
ANY: Any = 3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Project(ANY), r"Project(name=…): received 3, expected letters, digits"),
        (lambda: Project("p", rehearse=ANY), "Project(rehearse=…): received 3, expected True or False"),
        (lambda: Project("p", schema=ANY), "Project(schema=…): received 3, expected the Path of a folder"),
        (lambda: Project("p", releases=ANY), "Project(releases=…): received 3, expected the Path of a folder"),
        (lambda: Project("p", tables=ANY), "Project(tables=…): received 3, expected a MetaData"),
        (lambda: Project("p", tables="a path"), "Project(tables=…): received 'a path', expected a MetaData"),
        (lambda: Project("p", objects=ANY), "Project(objects=…): received 3, expected a list of objects"),
        (lambda: Project("p", objects=Thing), "Project(objects=…): received Thing, expected a list of objects"),  # type: ignore[arg-type]
        (lambda: Project("p", objects=[Thing, Thing]), "Project(objects=…): received Thing, expected each"),
        (lambda: Project("p", objects=[ANY]), "Project(objects=…3…): is no versioned object"),
        (lambda: Project("p", interfaces=[ANY]), "3: is no interface"),
        (lambda: Project("p", services="x"), "Project(services=…): received 'x', expected a list of Service(…)"),  # type: ignore[arg-type]
        (lambda: Project("p", services=["x"]), "Project(services=…): received 'x', expected Service(…)"),  # type: ignore[list-item]
        (lambda: Project("p", services=[Service(ANY, run)]), "Project(services=…): received 3, expected letters"),
        (lambda: Project("p", services=[Service("a/../b c", run)]), "received 'a/../b c', expected letters"),
        (lambda: Project("p", services=[Service("plain", ANY)]), "service plain: run must be an @asynccontextmanager"),
        (lambda: Project("p", services=[Service("plain", "a path")]), "service plain: run must be an @async"),
        (lambda: Project("p", services=[PLAIN, PLAIN]), "expected each of them once"),
        (lambda: Project("p", services=[PLAIN, Service("plain", run)]), "service plain: two of this name"),
        (lambda: Project("p", migrations=[ANY]), "received 3, expected functions with @data_migration"),
        (lambda: Project("p", errors=[ANY]), "Project(errors=…3…): is no class of exceptions"),
        (lambda: Project("p", skew_window="x"), "Project(skew_window=…): received 'x', expected 0 or more"),  # type: ignore[arg-type]
        (lambda: Project("p", skew_window=1.5), "received 1.5, expected 0 or more"),  # type: ignore[arg-type]
        (lambda: Project("p", skew_window=True), "received True, expected 0 or more"),
        (lambda: Project("p", objects=[Fleet]), f"{__name__}.Fleet: Fleet is a name of midflight's own"),
        (lambda: Project("p", interfaces=[Conducting]), f"{__name__}.Conducting: conductor is a name of midflight's"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_was_expected(make: Callable[[], Project], said: str) -> None:
    """Each is refused where the project is built, and not later by what works with it."""
    with pytest.raises(ProjectError) as refused:
        make()
    assert said in str(refused.value)


def test_folders_may_be_given_as_text(tmp_path: Path) -> None:
    """A text is as good as a Path."""
    made = Project("p", releases=str(tmp_path / "releases"), schema=str(tmp_path / "schema"))
    assert (made.releases_dir, made.schema) == (tmp_path / "releases", tmp_path / "schema")


def test_tables_that_are_named_are_imported_when_somebody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before, and once; what is wrong with them is told then, with its place."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "kept_here.py").write_text("from sqlalchemy import MetaData\nmetadata, other = MetaData(), 3\n")
    made = Project("p", tables="kept_here:metadata")
    assert "kept_here" not in sys.modules
    assert made.tables is made.tables is importlib.import_module("kept_here").metadata
    for named, said in (
        ("kept_here:other", "Project(tables=…): received 3, expected that kept_here:other is a MetaData"),
        (
            "kept_here:third",
            "Project(tables='kept_here:third'): AttributeError: module 'kept_here' has no attribute 'third'",
        ),
        ("nowhere_at_all", "Project(tables='nowhere_at_all'): ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ):
        with pytest.raises(ProjectError) as refused:
            assert Project("p", tables=named).tables
        assert said in str(refused.value)


def test_a_run_that_is_named_is_imported_by_who_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project is built without it; what is no run is refused with the service's name."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "runs_here.py").write_text("from tests.test_project_arguments import run\nother = 3\n")
    made = Project("p", services=[Service("a", "runs_here:run"), Service("b", "runs_here:other"), Service("c", "gone")])
    assert "runs_here" not in sys.modules
    assert made.service("a").load_run().__name__ == "run"
    for name, said in (("b", "service b: runs_here:other: run must be an"), ("c", "service c: ModuleNotFoundError")):
        with pytest.raises(ProjectError) as refused:
            made.service(name).load_run()
        assert said in str(refused.value)


def test_a_version_is_text() -> None:
    """A number is refused: 1.10 would be 1.1."""
    with pytest.raises(ValueError, match=r"received version 1.0, expected major.minor"):
        Version.parse(1.0)  # type: ignore[arg-type]
    with pytest.raises(ProjectError, match=r"received version 1.0, expected major.minor"):

        class _(Interface, Protocol, topic="x", version=1.0):  # type: ignore[arg-type]
            pass


def test_a_clash_with_our_names_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file and line where the project is built."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "clashing.py").write_text(
        "from midflight import Project, VersionedObject\n"
        "class Member(VersionedObject, version='1.0'):\n"
        "    name: str\n"
        "project = Project('p', objects=[Member])\n"
    )
    with pytest.raises(ProjectError, match=r"clashing.py:4: clashing.Member: Member is a name of midflight's own"):
        load_project("clashing")


def test_a_project_says_which_services_open_the_database_and_which_are_agents() -> None:
    """Of a conductor as well, which every project has; who is none of its services is named."""
    project = Project("p", services=[PLAIN, Service("rows", run, database=True), Service("agent", run, agent=True)])
    names = ["conductor", "plain", "rows", "agent"]
    assert [name for name in names if project.opens_database(name)] == ["conductor", "rows"]
    assert [name for name in names if project.is_agent(name)] == ["agent"]
    with pytest.raises(ProjectError, match="has no service 'else'"):
        project.is_agent("else")
