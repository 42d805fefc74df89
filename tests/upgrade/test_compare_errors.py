"""The errors that cross from a callee to its caller are part of what a release says."""

from pathlib import Path

import pytest

from midflight.errors import MidflightError
from midflight.project import Project
from midflight.upgrade.check import Check, check
from midflight.upgrade.chronicle import chronicle
from midflight.upgrade.freeze import freeze
from midflight.upgrade.reading import said
from midflight.upgrade.wording import project_in_words
from tests.upgrade.two_codes import only


class NotFound(Exception):
    def __init__(self, what: str, key: str = "") -> None:
        super().__init__(what, key)


FIRST = NotFound


class NotNow(MidflightError):
    """{machine} is {state}."""

    machine: str
    state: str


class Plain(Exception):
    pass


def project(folder: Path, *errors: type[Exception]) -> Project:
    """A project with these errors only."""
    return Project("shop", errors=errors, releases=folder)


def checked(folder: Path, then: list[type[Exception]], now: list[type[Exception]]) -> Check:
    """The first frozen as r1, the second checked."""
    freeze(project(folder, *then), "r1")
    return check(project(folder, *now))


def test_each_error_is_frozen_with_what_it_is_made_from(tmp_path: Path) -> None:
    """Facts, or arguments: the caller's own class must take them."""
    written = freeze(project(tmp_path, NotNow, NotFound, Plain), "r1").path.read_text()
    assert '\n[errors]\nNotFound = "(what, key=\'\')"\nNotNow = "(machine, state)"\nPlain = "(*args)"\n' in written


def test_an_error_that_no_longer_crosses_is_found(tmp_path: Path) -> None:
    """Whoever catches it meets another one."""
    finding = only(checked(tmp_path, [NotFound, Plain], [Plain]))
    assert (finding.category, finding.path, finding.change) == ("rpc", "NotFound", "error no longer crosses")
    assert finding.breaks == "a caller that catches NotFound meets RemoteError"


def test_an_error_that_is_made_from_something_else_is_found(tmp_path: Path) -> None:
    """It has no version that could be raised."""

    class NotFound(Exception):
        def __init__(self, what: str) -> None:
            super().__init__(what)

    finding = only(checked(tmp_path, [FIRST], [NotFound]))
    assert (finding.path, finding.change) == ("NotFound", "is made from (what), and was from (what, key='')")


@pytest.mark.parametrize("then", [[], [Plain]])
def test_another_error_is_no_change_for_anybody(tmp_path: Path, then: list[type[Exception]]) -> None:
    """Who does not know it meets RemoteError, as before."""
    assert not checked(tmp_path, then, [*then, NotFound]).findings


def test_the_chronicle_tells_of_errors_last(tmp_path: Path) -> None:
    """Came, went, and made from something else."""
    old, new = (said(project_in_words(project(tmp_path, *errors))) for errors in ([NotFound], [Plain]))
    (chapter,) = chronicle(old, new)
    assert (chapter.title, chapter.lines) == (
        "errors",
        ("Plain(*args) crosses to callers now", "NotFound no longer crosses"),
    )
