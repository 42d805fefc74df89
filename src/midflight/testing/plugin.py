"""The plugin for pytest, which loads it wherever midflight is installed: fixtures of the project that midflight.toml
names, and options for the plans of a ``MixedFleet``. Nothing else of midflight's is imported before a test asks for it.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from midflight.config import Config
    from midflight.project import Project
    from midflight.testing.local_fleet import LocalFleet

CONFIG = "midflight_config"
PLAN = "midflight_plan"
"""What such a test takes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """What happens to each fleet of several releases on its way; and where midflight.toml is."""
    group = parser.getgroup("midflight", "midflight: what happens to a MixedFleet")
    help_ = "so many random plans for each, instead of as many as its test says"
    group.addoption("--midflight-plans", type=_number(least=1), metavar="N", help=help_)
    help_ = "the seed of the first of them, instead of 1"
    group.addoption("--midflight-seed", type=_number(least=0), default=1, metavar="SEED", help=help_)
    help_ = "this plan only, in the words in which a failure tells it"
    group.addoption("--midflight-plan", metavar="PLAN", help=help_)
    parser.addini(CONFIG, "the project's configuration file, seen from pytest's rootdir", default="midflight.toml")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that ``MixedFleet.plans`` has made gets a case for each plan: its seed, or its words."""
    if PLAN not in metafunc.fixturenames:
        return
    from midflight.testing.plans import CASES

    if (found := getattr(metafunc.function, CASES, None)) is None:
        return
    options, (count, always) = metafunc.config.option, found
    first, many = options.midflight_seed, options.midflight_plans or count
    cases = [*always, *range(first, first + many)] if options.midflight_plan is None else [options.midflight_plan]
    metafunc.parametrize(PLAN, cases, ids=str)


@pytest.fixture(scope="session")
def midflight_project(pytestconfig: pytest.Config) -> Project:
    """The project that midflight.toml names."""
    from midflight.project import load_project

    config = _config(pytestconfig)
    with _told_plainly(pytestconfig):
        return load_project(config.project)


@pytest.fixture(scope="session")
def midflight_app(pytestconfig: pytest.Config) -> dict[str, Any]:
    """The ``[app]`` table of midflight.toml, for all members of ``local_fleet``. A conftest.py that wants other entries
    has a fixture by this name, too."""
    return _config(pytestconfig).app


@pytest.fixture
def local_fleet(midflight_project: Project, midflight_app: dict[str, Any], tmp_path: Path) -> LocalFleet:
    """A fleet of the project in the test's process, its rows in the test's temporary folder. It begins and ends where
    the test says so, ``async with local_fleet as fleet:``, and so in whatever event loop the test has."""
    from midflight.testing.local_fleet import LocalFleet

    return LocalFleet(midflight_project, tmp_path, app=midflight_app)


def _config(pytestconfig: pytest.Config) -> Config:
    from midflight.config import Config

    with _told_plainly(pytestconfig):
        return Config.load(pytestconfig.rootpath / pytestconfig.getini(CONFIG))


@contextmanager
def _told_plainly(pytestconfig: pytest.Config) -> Iterator[None]:
    """What is wrong with the project is told in midflight's words, without its lines."""
    from midflight.errors import ConfigError, ProjectError

    try:
        yield
    except (ConfigError, ProjectError) as wrong:
        where = f"{CONFIG} = {pytestconfig.getini(CONFIG)!r} in pytest's configuration, from {pytestconfig.rootpath}"
        pytest.fail(f"{wrong}\n{where}", pytrace=False)


def _number(*, least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"received {text!r}, expected a whole number, {least} or more")
        return int(text)

    return number
