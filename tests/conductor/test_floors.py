"""The manifest under which a member sends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from midflight.conductor.contract import FRAMEWORK
from midflight.conductor.floors import PinFloors
from midflight.conductor.interface import FleetView
from midflight.versions import Manifest, Version


def manifest(**versions: str) -> Manifest:
    own = {name: Version.parse(version) for name, version in versions.items()}
    return Manifest({**FRAMEWORK, **own}, {name: Version.parse("1.0") for name in own if name[0].isupper()})


JUNO = manifest(compute="3.35", Machine="1.0")
KILO = manifest(compute="4.0", Machine="1.2", Disk="1.0")
LIMA = manifest(compute="4.1", Machine="1.3", Disk="1.1")
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def view(epoch: int = 1, pins: dict[str, Manifest] | None = None, **peers: dict[str, Manifest]) -> FleetView:
    pins = pins or {}
    named = [*pins.values(), *(each for hosts in peers.values() for each in hosts.values())]
    return FleetView(
        id=f"{epoch}-{pins}-{peers}",
        epoch=epoch,
        at=NOW,
        pins=dict.fromkeys(pins, "some"),
        pinned={topic: each.digest for topic, each in pins.items()},
        peers={topic: {host: each.digest for host, each in hosts.items()} for topic, hosts in peers.items()},
        manifests={each.digest: each.to_wire() for each in named},
    )


def floors(own: Manifest, seen: FleetView, **overrides: Manifest | None) -> PinFloors:
    made = PinFloors(own, {("*" if topic == "all" else topic): pin for topic, pin in overrides.items()})
    made.take(seen)
    return made


def test_auto_is_the_lowest_of_the_topic() -> None:
    """Without a pin, a topic gets what all its members understand, and a host what it understands itself."""
    seen = floors(KILO, view(compute={"h1": JUNO, "h2": KILO, "h3": LIMA}, other={"h4": LIMA}))
    assert seen.manifest_for("compute") == JUNO
    assert seen.manifest_for("compute", "h1") == JUNO
    assert seen.manifest_for("compute", "h2") == KILO
    assert seen.manifest_for("compute", "h3") == KILO  # never more than we understand ourselves
    assert seen.manifest_for("compute", "stranger") == JUNO
    assert seen.manifest_for("other") == KILO


def test_nobody_there() -> None:
    """A topic on which nobody is gets our own manifest, with or without a view."""
    assert PinFloors(KILO).manifest_for("compute", "h1") == KILO
    assert floors(KILO, view()).manifest_for("compute") == KILO


def test_order_of_pins() -> None:
    """An override wins over the fleet's pin for the topic, that over the pin for all, and that over auto."""
    everywhere = view(compute={"h1": LIMA}, network={"h1": LIMA}, pins={"compute": JUNO, "*": KILO})
    assert floors(LIMA, everywhere).manifest_for("compute") == JUNO
    assert floors(LIMA, everywhere).manifest_for("network") == KILO
    assert floors(LIMA, everywhere, compute=KILO).manifest_for("compute") == KILO
    assert floors(LIMA, everywhere, all=JUNO).manifest_for("network") == JUNO
    assert floors(LIMA, everywhere, compute=None).manifest_for("compute") == LIMA
    assert floors(LIMA, everywhere, compute=None).manifest_for("network") == KILO


def test_never_more_than_we_understand() -> None:
    """A pin above our own release lets us send our own, and what the pinned release lacks is not there to send."""
    assert floors(JUNO, view(pins={"*": LIMA})).manifest_for("compute") == JUNO
    assert "Disk" not in floors(KILO, view(pins={"*": JUNO})).manifest_for("compute")


def test_a_pin_without_our_own_words() -> None:
    """A release that a project froze need not know midflight's own objects: they can be sent under it all the same."""
    frozen = Manifest({name: version for name, version in JUNO.items() if name not in FRAMEWORK}, JUNO.readable_from)
    found = floors(KILO, view(pins={"*": frozen})).manifest_for("conductor")
    assert found == JUNO


def test_a_pin_is_not_about_our_own_words() -> None:
    """A release may be frozen anew with a later midflight than that of the conductors that are there."""
    earlier = Manifest({**JUNO, "conductor": Version.parse("1.0")}, JUNO.readable_from)
    seen = view(conductor={"c1": earlier}, compute={"h1": JUNO}, pins={"*": JUNO})
    assert str(floors(KILO, seen).manifest_for("conductor")["conductor"]) == "1.0"
    assert floors(KILO, seen).manifest_for("compute") == JUNO


def test_unknown_release_is_obeyed() -> None:
    """A pin counts by the manifest in the view: its release's name need not be known here."""
    pinned = floors(LIMA, view(pins={"*": KILO}))
    assert pinned.view.pins == {"*": "some"}
    assert pinned.manifest_for("compute") == KILO


def test_fanouts() -> None:
    """A fanout goes out once for each kind of member, under a pin once for all."""
    seen = view(compute={"h1": JUNO, "h2": KILO, "h3": LIMA})
    mixed = floors(KILO, seen)
    assert {each.digest for each in mixed.manifests_of("compute")} == {JUNO.digest, KILO.digest}
    assert mixed.audience("compute", JUNO) == [JUNO.digest]
    assert set(mixed.audience("compute", KILO)) == {KILO.digest, LIMA.digest}
    assert floors(KILO, seen, compute=JUNO).manifests_of("compute") == [JUNO]
    assert PinFloors(KILO).manifests_of("compute") == [KILO]


def test_hosts() -> None:
    """New work goes to the hosts that are neither lost nor draining."""
    seen = view(compute={"h3": JUNO, "h1": JUNO, "h2": JUNO})
    seen.away = {"compute": ["h2"]}
    assert floors(JUNO, seen).hosts("compute") == ["h1", "h3"]
    assert floors(JUNO, seen).hosts("nothing") == []


def test_older_views() -> None:
    """A view of an earlier epoch, or of an earlier moment of the same epoch, does not precede the obeyed one."""
    seen = floors(KILO, view(epoch=3))
    later, earlier, newer = view(epoch=3), view(epoch=3), view(epoch=4)
    later.at, earlier.at, newer.at = NOW + timedelta(1), NOW - timedelta(1), NOW - timedelta(1)
    assert [seen.precedes(each) for each in (later, earlier, newer, view(epoch=2))] == [True, False, True, False]
