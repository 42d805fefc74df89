"""The life of a field, and what guards it."""

from enum import Enum
from typing import Any

import msgspec
import pytest

from midflight.errors import InvalidValue, PinnedOut, ProjectError
from midflight.objects import wire
from midflight.objects.base import VersionedObject, Wire, forwardport
from midflight.objects.fields import field, lazy
from midflight.objects.registry import Registry
from midflight.versions import Manifest, Version


class State(Enum):
    UNKNOWN = "unknown"
    OFF = "off"
    ON = "on"
    LOST = "lost"


class Secretive(VersionedObject, version="1.1"):
    name: str
    password: str = field(sensitive=True)
    keys: dict[str, int] = field(default_factory=dict, sensitive=True)
    token: str = field(default="", since="1.1", sensitive=True)


class Light(VersionedObject, version="1.0"):
    state: State = field(
        default=State.OFF,
        transitions={State.OFF: {State.ON}, State.ON: [State.OFF, State.LOST]},
        fallback=State.UNKNOWN,
    )
    history: list[State] = field(default_factory=list, fallback=State.UNKNOWN)
    last: State | None = field(default=None, fallback=State.UNKNOWN)


class Person(VersionedObject, version="2.1"):
    """It had a name until 2.0, and has a first and a last name since; its fax is gone."""

    first: str = field(default="", since="2.0")
    last: str = field(default="", since="2.0")
    name: str = field(default="somebody", until="2.0")
    fax: str | None = field(until="2.1")
    photo: bytes = lazy(until="2.1")
    city: str = ""

    @staticmethod
    @forwardport(since="2.0")
    def name_was_one(wire: Wire) -> None:
        """Before 2.0 a name was one text."""
        wire["first"], _, wire["last"] = wire.pop("name", "").partition(" ")


REGISTRY = Registry([Secretive, Light, Person])


def received(form: dict[str, Any], cls: type) -> Any:
    """What a peer's form is read as."""
    return wire.decode(msgspec.msgpack.encode(form), REGISTRY.kind(cls), path="call")


def test_a_sensitive_value_is_masked_wherever_it_would_be_shown() -> None:
    """In reprs, in errors of assignment and of arrival, inside containers, and where a pin refuses it."""
    it = Secretive(name="a", password="hunter2", keys={"k-17": 4711}, token="t0k")
    shown = [repr(it), str(it), repr([it])]
    for act in (
        lambda: setattr(it, "password", b"hunter2"), lambda: setattr(it, "keys", {"k-17": "4711x"}),
        lambda: received({"$": "Secretive:1.0", "name": "a", "password": ["hunter2"]}, Secretive),
        lambda: received({"$": "Secretive:1.0", "name": "a", "password": "", "keys": {"k-17": "4711x"}}, Secretive),
        lambda: wire.from_row(Secretive, {"password": b"hunter2"}),
        lambda: wire.encode(it, Manifest({"Secretive": Version(1, 0)})),
    ):  # fmt: skip
        with pytest.raises((InvalidValue, PinnedOut)) as caught:
            act()
        shown += [str(caught.value), repr(caught.value), repr(caught.value.facts)]
    assert not [text for text in shown for secret in ("hunter2", "4711", "k-17", "t0k") if secret in text]
    assert repr(it).startswith("Secretive(name='a', password=***")
    assert it.changes()["password"] == "hunter2"


def test_a_state_machine_refuses_by_name() -> None:
    """The error says from where to where, and what is allowed; the value stays."""
    light = Light()
    light.state = State.ON
    light.state = State.ON
    light.state = "lost"  # type: ignore[assignment]  # coerced
    with pytest.raises(InvalidValue) as caught:
        light.state = State.ON
    assert str(caught.value) == "Light.state: received lost → on, expected lost → nothing else: it is final."
    light = Light()
    with pytest.raises(InvalidValue, match="^Light.state: received off → lost, expected off → on"):
        light.state = State.LOST
    assert light.state is State.OFF


def test_transitions_between_values_that_do_not_exist_are_refused_at_definition() -> None:
    """A typo there would forbid a transition for ever."""

    class Bad(VersionedObject, version="1.0"):
        state: State = field(default=State.OFF, transitions={"off": {"om"}})

    with pytest.raises(ProjectError, match=r"Bad.state: transitions: from 'off' to: received 'om'"):
        Registry([Bad])


def test_an_enum_that_has_grown_elsewhere_is_read_as_its_fallback() -> None:
    """Everywhere in the field, from peers and rows; an assignment of what does not exist is still refused."""
    light = received({"$": "Light:1.0", "state": "dimmed", "history": ["on", "dimmed"], "last": "new"}, Light)
    assert (light.state, light.history, light.last) == (State.UNKNOWN, [State.ON, State.UNKNOWN], State.UNKNOWN)
    assert light.changes() == {}
    assert wire.from_row(Light, {"state": "dimmed"}).state is State.UNKNOWN
    for broken in (7, None, ["on"]):
        with pytest.raises(InvalidValue, match="call.state"):
            received({"$": "Light:1.0", "state": broken, "history": [], "last": None}, Light)
    with pytest.raises(InvalidValue, match="Light.last"):
        light.last = "new"


def test_a_removed_field_is_gone_here_and_told_to_who_still_has_it() -> None:
    """Each older version gets the tombstone's default, and what was lazy stays unset."""
    person = Person(first="Ada", last="L")
    assert not hasattr(person, "fax")
    with pytest.raises(TypeError, match="Person has no field 'name'"):
        Person(name="x")  # type: ignore[call-arg]
    assert msgspec.msgpack.decode(wire.encode(person))["$"] == "Person:2.1"
    person.reset_changes()
    assert msgspec.msgpack.decode(wire.encode(person, Manifest({"Person": Version(2, 0)}))) == {
        "$": "Person:2.0~", "first": "Ada", "last": "L", "fax": None, "city": "",
    }  # fmt: skip
    assert REGISTRY.manifest.readable_from["Person"] == Version(2, 1)


def test_a_tombstone_keeps_its_name() -> None:
    """It needs what older peers are told, and nobody else takes the name."""
    with pytest.raises(ProjectError, match="Bad.size: has until='1.1' and does not say how older peers live"):

        class Bad(VersionedObject, version="1.1"):
            size: int = field(until="1.1")

    with pytest.raises(ProjectError, match=r"Child.fax: Person had a field of this name until 2.1"):

        class Child(Person, version="1.0"):
            fax: int = 0


def test_a_field_that_will_be_removed_is_there_until_then() -> None:
    """Its until says when."""

    class Leaving(VersionedObject, version="1.9"):
        old: int = field(default=3, until="2.0")

    assert Leaving(old=4).old == 4


def test_an_older_peers_change_of_a_removed_field_is_taken_in_or_refused() -> None:
    """A forwardport moves the change to what it wrote; without one, who would save it is told what would be lost."""
    older: dict[str, Any] = {"$": "Person:1.0", "name": "Ada Lovelace", "fax": None, "city": "", "~": ["name"]}
    assert received(older, Person).changes() == {"first": "Ada", "last": "Lovelace"}
    assert received(older | {"~": ["fax", "city"]}, Person).changes() == {"city": ""}
    assert received(older | {"~": [], "fax": "1"}, Person).changes() == {}
    changed = received(older | {"~": ["fax"], "fax": "1"}, Person)
    with pytest.raises(PinnedOut, match="Person.fax, which a peer changed, needs Person 1.0, or a forwardport that"):
        changed.changes()
    assert msgspec.msgpack.decode(wire.encode(changed, Manifest({"Person": Version(2, 0)})))["fax"] == "1"


def test_a_shallow_reset_leaves_nested_objects_their_account() -> None:
    """A deep one, which is usual, does not."""

    class Inner(VersionedObject, version="1.0"):
        size: int

    class Outer(VersionedObject, version="1.0"):
        inner: Inner
        tags: list[str] = field(default_factory=list)

    outer = Outer(inner=Inner(size=1), tags=["a"])
    outer.reset_changes(deep=False)
    assert outer.changes() == {"inner": Inner(size=1)}
    assert outer.inner.changes() == {"size": 1}
    outer.reset_changes()
    assert outer.changes() == {}
