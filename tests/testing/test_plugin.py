"""What a project's tests get of pytest: fixtures of the project where they are run, and options for plans."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from midflight.testing import local_fleet, mixed_fleet

pytest_plugins = ["pytester"]
LOADED = local_fleet, mixed_fleet
"""A run of pytest in this process takes away again what it imports first. Of midflight's, that must be nothing: later
tests would meet a second one."""

PROJECT = """
from contextlib import asynccontextmanager
from typing import Protocol

from midflight import Context, Interface, Project, Service, endpoint


class ClerkAPI(Interface, Protocol, topic="clerk", version="1.0"):
    @endpoint(since="1.0")
    async def greet(self, context: Context, name: str) -> str: ...


class Clerk(ClerkAPI):
    def __init__(self, word):
        self.word = word

    async def greet(self, context: Context, name: str) -> str:
        return f"{self.word} {name}"


@asynccontextmanager
async def clerk(runtime):
    yield [Clerk(runtime.settings["word"])]


project = Project("shop", interfaces=[ClerkAPI], services=[Service("clerk", clerk, agent=True)])
"""

TOML = """
[midflight]
project = "store:project"
broker = "nats://127.0.0.1:4222"

[app]
word = "hello"
"""

TESTS = """
import asyncio

import pytest

from midflight import Client, telemetry
from store import ClerkAPI

telemetry.configure(level="error")


async def greeted(local_fleet):
    async with local_fleet as fleet:
        conductor = await fleet.start("conductor")
        await fleet.start("clerk")
        return await Client(ClerkAPI).call(ClerkAPI.greet, conductor.context(), "ada")


def test_in_a_loop_of_its_own(local_fleet):
    assert asyncio.run(greeted(local_fleet)) == "hello ada"


@pytest.mark.asyncio
async def test_in_the_loop_of_pytest_asyncio(local_fleet):
    assert await greeted(local_fleet) == "hello ada"


@pytest.mark.anyio
async def test_in_the_loop_of_anyio(local_fleet, anyio_backend):
    assert await greeted(local_fleet) == "hello ada"


class TestOtherSettings:
    @pytest.fixture
    def midflight_app(self, midflight_app):
        return {**midflight_app, "word": "good day"}

    def test_an_app_of_its_own(self, local_fleet):
        assert asyncio.run(greeted(local_fleet)) == "good day ada"


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

FLEET = """
from store import project
from midflight.testing import MixedFleet


class Shop(MixedFleet):
    project, reference = project, "store:project"
    releases, members = {"juno": "v1", "kilo": "v2"}, {"conductor": 1, "clerk": 1}


test_upgrade = Shop.plans(2, always=["kilo pinned: kill clerk-1"])
test_quickly = Shop.plans(1)
"""


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project, seen as its author's pytest sees it."""
    pytester.makepyfile(store=PROJECT)
    pytester.makefile(".toml", midflight=TOML)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def test_pytest_finds_it() -> None:
    """Where midflight is installed, by its own name, with which it can be left out: ``-p no:midflight``."""
    (found,) = entry_points(group="pytest11", name="midflight")
    assert found.value == "midflight.testing.plugin"


def test_it_costs_nothing_where_nobody_uses_it() -> None:
    """To load it is to load three small modules: none of the database's or of Hypothesis', no service and no object."""
    code = "import sys, pytest; before = {*sys.modules}; import midflight.testing.plugin; print(*{*sys.modules}-before)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*ran.stdout.split()} == {"midflight", "midflight.testing", "midflight.testing.plugin"}


def test_a_fleet_of_the_project_lives_in_any_loop(shop: pytest.Pytester) -> None:
    """That of pytest-asyncio, of anyio or of the test itself, also in a worker of xdist's; with the project and the
    settings of midflight.toml, unless the tests have others."""
    shop.makepyfile(TESTS)
    shop.runpytest_subprocess("-n", "1").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        (None, "midflight.toml: file: No such file or directory"),
        ("[midflight]\nproject = 'store'\n", "missing required field `broker`"),
        (TOML.replace("store:project", "nowhere:project"), "No module named 'nowhere'"),
    ],
)
def test_what_is_wrong_with_a_project_is_told_without_lines_of_ours(
    shop: pytest.Pytester, toml: str | None, told: str
) -> None:
    """And where the file was looked for."""
    shop.makepyfile("def test_it(local_fleet): pass")
    (shop.path / "midflight.toml").unlink()
    if toml is not None:
        (shop.path / "midflight.toml").write_text(toml)
    ran = shop.runpytest_inprocess()
    ran.assert_outcomes(errors=1)
    said = ran.stdout.str()
    assert told in said
    assert f"midflight_config = 'midflight.toml' in pytest's configuration, from {shop.path}" in said
    assert "plugin.py" not in said


def cases(shop: pytest.Pytester, *options: str) -> list[str]:
    """Those of the tests of the shop's fleets."""
    shop.makepyfile(test_shop=FLEET)
    ran = shop.runpytest_inprocess("--collect-only", "--quiet", *options)
    return [line.partition("::")[2] for line in ran.outlines if "::" in line]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["test_upgrade[kilo pinned: kill clerk-1]", "test_upgrade[1]", "test_upgrade[2]", "test_quickly[1]"]),
        (
            ["--midflight-seed=17", "--midflight-plans=2", "-k", "quickly"],
            ["test_quickly[17]", "test_quickly[18]"],
        ),
        (["--midflight-plan=x", "-k", "upgrade"], ["test_upgrade[x]"]),
    ],
)  # fmt: skip
def test_options_say_which_plans_are_tried(shop: pytest.Pytester, options: list[str], expected: list[str]) -> None:
    """How many, from which seed on, or one in words; else those that the test says."""
    assert cases(shop, *options) == expected


@pytest.mark.parametrize("option", ["--midflight-plans=0", "--midflight-plans=x", "--midflight-seed=-1"])
def test_a_number_that_is_none_is_refused(shop: pytest.Pytester, option: str) -> None:
    """With what was received and expected, and before anything is collected."""
    ran = shop.runpytest_inprocess(option)
    name, _, value = option.partition("=")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    assert f"argument {name}: received '{value}', expected a whole number" in ran.stderr.str()


def test_a_fleet_without_a_project_is_of_the_one_of_its_newest_release(shop: pytest.Pytester) -> None:
    """As midflight.toml in its folder names it."""
    without = FLEET.replace('    project, reference = project, "store:project"\n', "").replace('"v2"', "Path.cwd()")
    shop.makepyfile(test_shop=f"from pathlib import Path\n{without}\ndef test_it(): assert Shop.project is project\n")
    shop.runpytest_inprocess("-k", "test_it").assert_outcomes(passed=1, deselected=4)
