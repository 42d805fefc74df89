"""A field typed by a base class holds its subclasses, and older peers get what they know."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any, Optional

import msgspec
import pytest

from midflight.errors import CannotBackport, InvalidValue, PinnedOut, ProjectError
from midflight.objects import wire
from midflight.objects.base import VersionedObject, Wire, backport
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.versions import Manifest, Version


class Port(VersionedObject, version="1.1"):
    number: int
    speed: str = "slow"

    @backport(before="1.1")
    def speed_was_a_letter(self, wire: Wire) -> None:
        """Before 1.1 a speed was s or f."""
        wire["speed"] = wire["speed"][0]


class FastPort(Port, version="1.0"):
    lanes: int = 1


class Switch(VersionedObject, version="1.0"):
    main: Port
    more: list[Port] = field(default_factory=list)
    named: dict[str, Port] = field(default_factory=dict)


class Node(VersionedObject, version="1.0"):
    name: str
    parent: Optional["Node"] = None
    children: list["Node"] = field(default_factory=list)


class Loner(Port, version="1.0"):
    pass


REGISTRY = Registry([Port, FastPort, Switch, Node])
KIND = REGISTRY.kind(Switch)
ONLY_BASE = Manifest({"Port": Version(1, 1), "Switch": Version(1, 0)})


def switch() -> Switch:
    """A clean switch with a fast port in every place."""
    made = Switch(
        main=FastPort(number=1, lanes=4), more=[Port(number=2), FastPort(number=3)], named={"a": FastPort(number=4)}
    )
    made.reset_changes()
    return made


def test_a_subclass_arrives_as_itself() -> None:
    """Natively, with its fields, wherever the base may stand."""
    received = KIND.decoder.decode(wire.encode(switch()))
    assert received == switch()
    assert [type(port).__name__ for port in (received.main, *received.more)] == ["FastPort", "Port", "FastPort"]
    assert received.named["a"].lanes == 1


def test_a_subclass_arrives_as_itself_on_the_slow_road_too() -> None:
    """An older form, here without its version's fields in order, is read field by field."""
    form = {"$": "Switch:1.0", "main": {"$": "FastPort:1.0~", "number": 1}, "more": [], "named": {}}
    received = wire.decode(msgspec.msgpack.encode(form), KIND)
    assert received.main.__shape__.name == "FastPort"
    assert not received.main.is_set("lanes")


def test_a_peer_that_does_not_know_the_subclass_gets_the_base() -> None:
    """With the base's fields, in the base's version, by the base's own backports."""
    form = msgspec.msgpack.decode(wire.encode(switch(), ONLY_BASE))
    assert form["main"] == {"$": "Port:1.1", "number": 1, "speed": "slow"}
    older = msgspec.msgpack.decode(wire.encode(switch(), Manifest({"Port": Version(1, 0), "Switch": Version(1, 0)})))
    assert older["more"][1] == {"$": "Port:1.0", "number": 3, "speed": "s"}


def test_a_peer_that_knows_neither_cannot_be_told() -> None:
    """CannotBackport names the subclass."""
    with pytest.raises(CannotBackport, match="FastPort 1.0 cannot be said in any version"):
        wire.encode(switch(), Manifest({"Switch": Version(1, 0)}))


def test_a_change_that_the_base_cannot_say_is_refused() -> None:
    """The peer would acknowledge a save that lost a part."""
    changed: Any = switch()
    changed.main.lanes = 8
    with pytest.raises(PinnedOut, match=r"FastPort.lanes = 8 needs FastPort 1.0; the peer understands Port, not"):
        wire.encode(changed, ONLY_BASE)


def test_changes_inside_a_subclass_are_tracked() -> None:
    """As inside any nested object."""
    changed: Any = switch()
    changed.more[1].lanes = 2
    received = wire.decode(wire.encode(changed), KIND)
    assert (list(received.changes()), received.more[1].changes()) == (["more"], {"lanes": 2})


def test_a_subclass_that_the_project_does_not_list_is_refused() -> None:
    """The error says where to add it."""
    with pytest.raises(
        InvalidValue, match=r"Switch.main: .*Loner.*expected Port object or a subclass that Project\(objects"
    ):
        Switch(main=Loner(number=1))


def test_an_inherited_since_must_be_said_anew() -> None:
    """It counts the versions of the base class, which are not those of the subclass."""

    class Base(VersionedObject, version="1.1"):
        size: int = field(default=0, since="1.1")

    with pytest.raises(
        ProjectError, match="Sub.size: is inherited, and its since='1.1' counts the versions of the base"
    ):

        class Sub(Base, version="1.0"):
            pass

    class Mended(Base, version="1.0"):
        size: int = 0

    assert wire.clone(Mended(size=2)).size == 2


def test_an_object_may_hold_its_own_kind() -> None:
    """To any depth, in fields and containers, tracked and sent."""
    tree = Node(name="root", children=[Node(name="leaf", parent=Node(name="other"))])
    tree.reset_changes()
    received = wire.decode(wire.encode(tree), REGISTRY.kind(Node))
    assert received == tree
    leaf = received.children[0]
    assert leaf.parent is not None
    leaf.parent.name = "new"
    assert list(received.changes()) == ["children"]
    older = wire.encode([tree], Manifest({"Node": Version(1, 0)}))
    assert wire.decode(older, REGISTRY.kind(list[Node])) == [tree]


def test_a_subclass_inherits_fields_of_every_type() -> None:
    """Also those that msgspec decodes as something else, whatever was compiled first."""

    class Hub(VersionedObject, version="1.0"):
        main: Port | None = None
        address: IPv4Address | IPv6Address | None = None
        nearest: "Hub | None" = None

    class BigHub(Hub, version="1.0"):
        size: int = 1

    Hub.__annotations__["nearest"] = Hub | None
    kind = Registry([Port, FastPort, Hub, BigHub]).kind(BigHub)
    sent = BigHub(main=FastPort(number=1), address="::1", nearest=BigHub(size=2))
    assert wire.decode(wire.encode(sent), kind) == sent
