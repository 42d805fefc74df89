import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from midflight.cli import init as init_command
from midflight.cli.init import NAME_IN_TEMPLATE, TEMPLATE
from midflight.errors import UsageError
from tests.cli.street import Outcome

Command = Callable[..., Outcome]
FROZEN = {"releases/v1.toml", "schema/tables/v1.toml"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    for module in [module for module in sys.modules if module.partition(".")[0] == "bakery"]:
        del sys.modules[module]


def _template() -> set[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."]
    listed = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


def test_a_new_project_has_everything_under_its_own_name(midflight: Command) -> None:
    """Each file of the template, and the release that was frozen; nowhere is the template's name left."""
    made = midflight("init", "bakery", "--json").document
    assert set(made["written"]) == {path.replace(NAME_IN_TEMPLATE, "bakery") for path in _template()} | FROZEN
    for path in made["written"]:
        assert NAME_IN_TEMPLATE not in (Path("bakery") / path).read_text()
    assert made["next"] == ["cd bakery", "make test", "make up"]


def test_a_new_project_says_what_comes_next(midflight: Command) -> None:
    """Three commands."""
    said = midflight("init", "bakery").out.splitlines()
    assert said == ["done: bakery/ with 25 files", "next:", "  cd bakery", "  make test", "  make up"]


def test_a_new_project_is_the_release_that_it_has_frozen(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever midflight it was made by."""
    assert midflight("init", "bakery").code == 0
    monkeypatch.chdir("bakery")
    assert midflight("release", "check").out == "pass: compared with v1; unchanged since v1\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Bakery", "expected a lower-case letter, then at most 39 lower-case letters, digits and _"),
        ("../bakery", "received '../bakery' as the name of a project"),
        ("b" * 41, "at most 39"),
        ("class", "a word of Python's"),
        ("json", "a word of Python's"),
        ("bakery_", "and no _ at the end"),
        ("tests", "a file or folder that each project has"),
        ("fleet", "a file or folder that each project has"),
        ("releases", "a file or folder that each project has"),
        ("midflight", "there is a package midflight already"),
    ],
)
def test_a_name_that_could_not_work_is_refused(midflight: Command, name: str, said: str, tmp_path: Path) -> None:
    """With what a name can be, and before anything is written."""
    refused = midflight("init", name)
    assert (refused.code, refused.out, refused.err.count("\n")) == (64, "", 1)
    assert said in refused.err
    assert [*tmp_path.iterdir()] == []


def test_what_is_there_is_not_overwritten(midflight: Command, tmp_path: Path) -> None:
    """Neither a folder, nor a file, nor a link that leads nowhere."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").write_text("mine")
    (tmp_path / "three").symlink_to("nowhere")
    for name in ("one", "two", "three"):
        refused = midflight("init", name)
        assert (refused.code, f"{name} exists already, and nothing was written" in refused.err) == (64, True)
    assert ([*(tmp_path / "one").iterdir()], (tmp_path / "two").read_text()) == ([], "mine")


def test_what_is_half_made_goes_again(midflight: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was that went wrong."""
    for wrong in (OSError(28, "No space left on device"), UsageError(reason="something else")):

        def fails(*_: object, wrong: Exception = wrong) -> None:
            raise wrong

        monkeypatch.setattr(init_command, "freeze", fails)
        failed = midflight("init", "bakery")
        assert (failed.code, failed.err.count("\n")) == (64, 1)
        assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_made(midflight: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Because the user may not."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    refused = midflight("init", "bakery")
    assert (refused.code, refused.err.count("\n")) == (64, 1)
    assert refused.err.endswith("/bakery cannot be made: Permission denied.\n")
