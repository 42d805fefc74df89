"""How errors cross the wire, and which do not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import errors
from midflight.errors import (
    Conflict,
    InvalidValue,
    MidflightError,
    NotDelivered,
    PinnedOut,
    ProjectError,
    RemoteError,
    Unknown,
)
from midflight.rpc.faults import Faults, text_of
from midflight.rpc.messages import Fault


class Overloaded(Exception):
    """A project's error."""


class Quota(MidflightError):
    """{user} may have {limit}."""

    user: str
    limit: int


class Picky(Exception):
    """One that cannot be made again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)


class Broken(Exception):
    """One whose text cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError


class Stranger(InvalidValue):
    """{path}: received {received}, expected {expected}."""


FAULTS = Faults((Overloaded, Quota, Picky))


def crossed(error: BaseException, *, ran: bool = True, here: Faults = FAULTS) -> Exception:
    """What a caller raises for what its callee raised."""
    sent = msgspec.msgpack.encode(FAULTS.fault(error, ran=ran))
    return here.error(msgspec.msgpack.decode(sent, type=Fault), "compute.reboot", "compute@h1 (juno)")


@pytest.mark.parametrize(
    "error",
    [
        InvalidValue(path="Instance.memory_mb", received="'x'", expected="int"),
        Conflict(object="Instance", field="state", actual="a", expected="b"),
        Unknown(what="compute.reboot", reason="no answer"),
        PinnedOut(what="a", needs="b", pinned="c"),
        Quota(user="ada", limit=3),
    ],
)
def test_midflights_errors_and_errors_made_like_them_cross_with_their_facts(error: MidflightError) -> None:
    """Class, facts and text are the same on the other side."""
    there: Any = crossed(error)
    assert (type(there), there.facts, str(there)) == (type(error), error.facts, str(error))


def test_the_projects_errors_cross_with_plain_arguments() -> None:
    """Text, numbers, booleans and None come through as they are."""
    there = crossed(Overloaded("h1", 3, 0.5, True, None))
    assert type(there) is Overloaded
    assert there.args == ("h1", 3, 0.5, True, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (KeyError("x"), "KeyError: 'x'"),
        (Overloaded(object), "Overloaded: <class 'object'>"),
        (Overloaded(2**70), f"Overloaded: {2**70}"),
        (Broken(), "Broken: (Broken, whose text cannot be shown)"),
        (Picky(1, 2), "Picky: 1"),
        (ValueError("\udcff"), "ValueError: ?"),
        (type("Overloaded", (Exception,), {})("another one of that name"), "Overloaded: another one of that name"),
        (Stranger(path="a", received="b", expected="c"), "Stranger: a: received b, expected c."),
        (ValueError("x" * 9_999), "ValueError: " + "x" * 2_000 + "…"),
    ],
)
def test_anything_else_becomes_remote(error: BaseException, told: str) -> None:
    """RemoteError says what failed, where, and what its callee called it."""
    there = crossed(error)
    assert type(there) is RemoteError
    assert str(there) == f"compute.reboot failed at compute@h1 (juno) with {told}"


def test_a_nested_call_that_was_not_delivered_does_not_say_so_of_the_outer_one() -> None:
    """The handler ran; only a refusal before it began is NotDelivered for the caller."""
    nested = NotDelivered(what="image.get", reason="nobody listens")
    assert type(crossed(nested)) is RemoteError
    assert type(crossed(nested, ran=False)) is NotDelivered


def test_a_name_that_is_on_no_list_is_never_looked_up_elsewhere() -> None:
    """Built-ins, modules and names that are not classes of errors become RemoteError."""
    for family in ("midflight", "project", "builtins", ""):
        for kind in ("SystemExit", "os.system", "Any", "inspect", "_rebuild", "MidflightError.__subclasses__", ""):
            there = FAULTS.error(Fault(family=family, kind=kind, args=("x",)), "compute.reboot", "h1")
            assert type(there) is RemoteError


def test_facts_that_do_not_fit_are_told_as_they_came() -> None:
    """A peer whose error has other facts than ours is quoted."""
    there = FAULTS.error(Fault(family="midflight", kind="InvalidValue", facts={"place": "x"}), "compute.reboot", "h1")
    assert str(there) == "compute.reboot failed at h1 with InvalidValue: place='x'"
    assert str(FAULTS.error(None, "compute.reboot", "h1")) == (
        "compute.reboot failed at h1 with Fault: it did not say why"
    )


def test_a_project_without_the_error_gets_a_remote_one() -> None:
    """An error that only the callee's release lists still arrives, by name and text."""
    there = crossed(Overloaded("h1"), here=Faults())
    assert str(there) == "compute.reboot failed at compute@h1 (juno) with Overloaded: h1"


def test_wrong_lists_are_refused() -> None:
    """What is no exception, and two of one name, are mistakes in the project file."""
    with pytest.raises(ProjectError, match=r"Project\(errors=…3…\): is no class of exceptions"):
        Faults((3,))  # type: ignore[arg-type]
    with pytest.raises(ProjectError, match=r"Project\(errors=…Overloaded…\): two errors of one name"):
        Faults((Overloaded, type("Overloaded", (Exception,), {})))


def test_every_error_of_midflight_can_be_told() -> None:
    """Each class's text is made from its facts, and comes through unchanged."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MidflightError)]
    for kind in kinds:
        error = kind(
            **{name: 7 if name in ("size", "limit", "pin_epoch") else f"<{name}>" for name in kind.fact_names()}
        )
        there = crossed(error, ran=False)
        assert (type(there), str(there)) == (kind, str(error))


@given(st.text(), st.lists(st.one_of(st.none(), st.integers(), st.text(), st.floats(), st.binary()), max_size=3))
def test_no_text_or_argument_makes_it_fail(text: str, args: list[Any]) -> None:
    """Whatever an error says, something arrives."""
    assert isinstance(crossed(Overloaded(*args)), Exception)
    assert isinstance(crossed(ValueError(text)), RemoteError)
    assert isinstance(text_of(ValueError(text)), str)
