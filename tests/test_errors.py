"""The family of errors: messages, facts, built-in relatives."""

import inspect
import pickle

import pytest

from midflight import errors
from midflight.errors import Conflict, MidflightError, NotDelivered, StepBlocked, Unknown, UsageError, VersionRejected

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MidflightError)]
REJECTED = VersionRejected(
    interface="compute", method="build", requested="4.0", understood="3.35", sender="api@api-1 (kilo)",
    callee="compute@agent-1 (juno)", pin_epoch=3,
)  # fmt: skip


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_fact_of_an_error_is_in_its_message(kind: type[MidflightError]) -> None:
    """Nobody has to guess what was received, expected, or where."""
    facts = {name: f"<{name}>" for name in kind.fact_names()}
    message = str(kind(**facts))
    assert [name for name in facts if f"<{name}>" not in message] == []
    assert message[0] != " "
    assert message.endswith((".", ">"))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_stands_in_the_tree_at_the_top(kind: type[MidflightError]) -> None:
    """The module's first page is its table of contents."""
    assert kind.__name__ in (errors.__doc__ or "")


def test_an_error_keeps_its_facts() -> None:
    """As attributes, and over pickling."""
    assert REJECTED.facts["method"] == "build"
    copy = pickle.loads(pickle.dumps(REJECTED))
    assert (copy.facts, str(copy)) == (REJECTED.facts, str(REJECTED))


def test_the_message_reads_as_a_sentence() -> None:
    """The one that operators see most."""
    assert str(REJECTED) == (
        "compute@agent-1 (juno) serves compute 3.35 and cannot serve build of version 4.0, sent by api@api-1 (kilo) "
        "(pin epoch 3). Suspect the sender's pin."
    )


def test_errors_are_the_built_in_ones_that_they_resemble() -> None:
    """So that code which knows only Python catches the right thing."""
    assert issubclass(NotDelivered, ConnectionError)
    assert issubclass(Unknown, TimeoutError)


def test_a_wrong_fact_is_a_type_error() -> None:
    """An error with a hole in its message is never raised."""
    with pytest.raises(TypeError, match="Conflict takes object, field, actual, expected; received object"):
        Conflict(object="Instance")  # type: ignore[call-arg]


def test_a_message_ends_once() -> None:
    """A fact that is a sentence itself brings its own full stop; what is no end of a sentence stays."""
    assert str(UsageError(reason="Give it up.")) == "Give it up."
    assert (
        str(StepBlocked(step="Rolling", reason="it is (so to say) mad!"))
        == "Rolling is refused: it is (so to say) mad!"
    )
    assert str(UsageError(reason="and so on…")) == "and so on…."
    assert str(UsageError(reason="look in ../x")) == "look in ../x."
