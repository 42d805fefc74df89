"""Every mistake that a round trip is there to find is found, and said so that one knows what to do."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import strategies as st

from midflight.conductor.contract import OBJECTS
from midflight.errors import CannotBackport, ProjectError
from midflight.objects.base import VersionedObject, Wire, backport, forwardport
from midflight.objects.fields import field
from midflight.objects.types import Codec
from midflight.project import Project
from midflight.testing import roundtrip
from midflight.upgrade.freeze import freeze
from tests.testing.shops import Disk, Powers, disk, failures, machine, shop

POWERS = (Powers, Powers.OFF)


@backport(before="1.1", lossy=True)
def paused_was_called_on(self: Any, wire: Wire) -> None:
    """Before 1.1 there was only on and off."""
    if wire.get("power") == "paused":
        wire["power"] = "on"


def test_a_sound_upgrade_passes(tmp_path: Path) -> None:
    """A new field, a new nested field, an enum that grew with a backport: no case fails."""
    newer = machine(paused_was_called_on, power=POWERS, zone=(str, field(default="here", since="1.1")))
    assert failures(shop(tmp_path, Disk, newer)) == {}


def test_a_forgotten_backport_fails(tmp_path: Path) -> None:
    """The text has the object, both versions, the path, what was sent, what the release takes, and the way out; the
    example is minimal."""
    found = failures(shop(tmp_path, Disk, machine(power=POWERS)))
    assert [*found] == ["Machine-to-juno"]
    text = found["Machine-to-juno"]
    assert text.startswith(
        "Machine 1.1 here, and 1.0 in release juno\n"
        "  where  Machine.power\n"
        "  found  'paused' (str) is sent; juno takes one of 'off', 'on'\n"
        '  do     write or mend a `@backport(before="1.1")` that says it in the older type'
    )
    assert re.search(r"obj=Machine\(.*power=<Powers.PAUSED: 'paused'>", text)
    assert re.search(r"the form for juno: {.*'power': 'paused'", text)


@backport(before="1.1")
def notes_were_short(self: Any, wire: Wire) -> None:
    """It takes notes for granted, which are lazy."""
    wire["notes"] = wire["notes"][:1]


@backport(before="1.1")
def paused_is_on(self: Any, wire: Wire) -> None:
    """It does not say that it is lossy."""
    paused_was_called_on(self, wire)


def test_a_backport_that_nothing_undoes_fails_unless_it_says_that_it_is_lossy(tmp_path: Path) -> None:
    """What an older peer is not told is for a reviewer to see."""
    text = failures(shop(tmp_path, Disk, machine(paused_is_on, power=POWERS)))["Machine-to-juno"]
    assert (
        "where  Machine.power\n  found  <Powers.PAUSED: 'paused'> went out, and came back as <Powers.ON: 'on'>" in text
    )
    assert "say lossy=True of a backport" in text


def test_a_crashing_backport_fails(tmp_path: Path) -> None:
    """The text names the function, its file and line, and why it may have crashed."""
    text = failures(shop(tmp_path, Disk, machine(notes_were_short)))["Machine-to-juno"]
    assert re.search(
        r"a backport crashed: .*KeyError: 'notes'.* in notes_were_short \(.*test_round_trip\.py:\d+\)", text
    )
    assert "no keys for fields that are unset" in text


@backport(before="1.1")
def no_cores(self: Any, wire: Wire) -> None:
    """Juno needs them."""
    wire.pop("cores", None)


def test_a_backport_that_drops_what_the_older_release_needs_fails(tmp_path: Path) -> None:
    """The peer would find the field unset."""
    text = failures(shop(tmp_path, Disk, machine(no_cores)))["Machine-to-juno"]
    assert "where  Machine.cores\n  found  nothing is sent; juno needs int" in text


@backport(before="1.1")
def cores_were_text(self: Any, wire: Wire) -> None:
    """They were not; though a reader would take the text for a number."""
    if "cores" in wire:
        wire["cores"] = str(wire["cores"])


def test_a_backport_that_says_another_type_fails(tmp_path: Path) -> None:
    """Even where the reader would coerce it."""
    text = failures(shop(tmp_path, Disk, machine(cores_were_text)))["Machine-to-juno"]
    assert "where  Machine.cores\n  found  '0' (str) is sent; juno takes int" in text


def test_a_retyped_field_fails(tmp_path: Path) -> None:
    """To the last element of its type."""
    newer = machine(notes=(list[int], field(default_factory=list)))
    assert "found  0 (int) is sent; juno takes list[str]" in failures(shop(tmp_path, Disk, newer))["Machine-to-juno"]


def test_a_retyped_field_of_a_nested_object_fails_in_all_that_hold_it(tmp_path: Path) -> None:
    """With the path to it."""
    newer = disk("1.1", str)
    found = failures(shop(tmp_path, newer, machine(disks=(list[newer], field(default_factory=list)))))
    assert {"Disk-to-juno", "Machine-to-juno"} <= found.keys()
    assert "where  Machine.disks[0].gigabytes\n  found  '' (str) is sent; juno takes int" in found["Machine-to-juno"]


def test_a_new_field_without_since_fails_both_ways(tmp_path: Path) -> None:
    """An older peer would lose it, and what an older peer sends arrives without it."""
    found = failures(shop(tmp_path, Disk, machine(zone=(str, "here"))))
    assert (
        "where  Machine.zone\n  found  '' is sent; juno has no such field, and would lose it\n"
        in found["Machine-to-juno"]
    )
    assert 'do     say since="1.1" of the field' in found["Machine-to-juno"]
    assert "where  Machine.zone\n  found  juno does not say it, and it arrives unset" in found["Machine-from-juno"]


def test_a_removed_field_without_a_tombstone_fails(tmp_path: Path) -> None:
    """Peers of the older release need it."""
    text = failures(shop(tmp_path, Disk, machine(without="cores")))["Machine-to-juno"]
    assert "where  Machine.cores\n  found  nothing is sent; juno needs int" in text
    assert "keeps a tombstone with a default" in text


def test_a_removed_field_with_a_tombstone_passes(tmp_path: Path) -> None:
    """The peers are told its default."""
    newer = machine(cores=(int, field(default=1, until="1.1")))
    assert failures(shop(tmp_path, Disk, newer)) == {}


class Size(StrEnum):
    ONE = "one"
    MANY = "many"


@backport(before="1.1")
def cores_were_numbers(self: Any, wire: Wire) -> None:
    """One, or eight."""
    if "cores" in wire:
        wire["cores"] = 1 if wire["cores"] == "one" else 8


def test_a_forgotten_forwardport_fails(tmp_path: Path) -> None:
    """What the older release sends is not read."""
    found = failures(shop(tmp_path, Disk, machine(cores_were_numbers, cores=(Size, Size.ONE))))
    assert "found  juno sends 0 (int); our code takes one of 'one', 'many'" in found["Machine-from-juno"]
    assert 'do     write or mend a `@forwardport(since="1.1")`' in found["Machine-from-juno"]


@staticmethod
@forwardport(since="1.1")
def cores_become_words(wire: Wire) -> None:
    """One, or many."""
    if "cores" in wire:
        wire["cores"] = "one" if wire["cores"] == 1 else "many"


def test_a_field_that_is_rewritten_both_ways_passes(tmp_path: Path) -> None:
    """What a rewrite loses is its own affair."""
    newer = machine(cores_were_numbers, cores_become_words, cores=(Size, Size.ONE))
    assert failures(shop(tmp_path, Disk, newer)) == {}


@staticmethod
@forwardport(since="1.1")
def the_first_note_is_the_name(wire: Wire) -> None:
    """It takes notes for granted."""
    wire["name"] = wire["notes"][0]


@staticmethod
@forwardport(since="1.1")
def the_name_is_new(wire: Wire) -> None:
    """It says that the name was changed, and nobody did."""
    wire["~"] = ["name"]


def test_a_crashing_forwardport_fails(tmp_path: Path) -> None:
    """Its function is named."""
    text = failures(shop(tmp_path, Disk, machine(the_first_note_is_the_name)))["Machine-from-juno"]
    assert re.search(r"a forwardport crashed: .* in the_first_note_is_the_name \(.*test_round_trip\.py:\d+\)", text)


def test_a_change_that_nobody_made_fails(tmp_path: Path) -> None:
    """A save would write it."""
    text = failures(shop(tmp_path, Disk, machine(the_name_is_new)))["Machine-to-juno"]
    assert "where  Machine.name\n  found  counts as changed, and nobody changed it" in text


@backport(before="1.1")
def nothing_is_like_paused(self: Any, wire: Wire) -> None:
    """And so a paused machine cannot be said."""
    if wire.get("power") == "paused":
        raise CannotBackport("nothing is like paused")


def test_a_refusal_fails_unless_it_is_declared(tmp_path: Path) -> None:
    """One that is meant is among ``refusing``; whatever is sent must still be understood."""
    newer = machine(nothing_is_like_paused, power=POWERS)
    project = shop(tmp_path, Disk, newer)
    text = failures(project)["Machine-to-juno"]
    assert "found  Machine 1.1 cannot be said in 1.0: nothing is like paused." in text
    assert "roundtrip(…, refusing=[Machine])" in text
    assert failures(project, refusing=[newer]) == {}


def test_an_object_of_which_the_release_has_never_heard_fails_where_it_must_be_sent(tmp_path: Path) -> None:
    """By itself it is never sent there, and there is no such case."""

    class Crate(VersionedObject, version="1.0"):
        weight: int

    found = failures(shop(tmp_path, Disk, Crate, machine(disks=(list[Crate], field(default_factory=list)))))
    assert not {"Crate-to-juno", "Crate-from-juno"} & found.keys()
    assert "where  Crate\n  found  Crate 1.0 cannot be said in any version" in found["Machine-to-juno"]


def test_a_codec_that_loses_something_fails(tmp_path: Path) -> None:
    """By itself, before any older release is asked."""

    class Money:
        def __init__(self, cents: int) -> None:
            self.cents = cents

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Money) and other.cents == self.cents

        __hash__ = None  # type: ignore[assignment]

    class Offer(VersionedObject, version="1.0"):
        price: Annotated[Money, Codec(lambda v: v, lambda money: money.cents // 100, lambda euros: Money(euros * 100))]

    project = Project("offers", objects=[Offer])
    found = failures(project, strategies={Money: st.builds(Money, st.integers(0, 1000))})
    assert "Offer 1.0, by itself\n  where  Offer.price\n" in found["Offer-itself"]
    assert "mend how the field is coerced and said: its type, its Codec" in found["Offer-itself"]


def test_a_converter_of_rows_that_loses_something_fails() -> None:
    """What is written must be what is read."""

    class Offer(VersionedObject, version="1.0"):
        price: int = field(column="euros", to_column=lambda cents: cents // 100, from_column=lambda euros: euros * 100)

    text = failures(Project("offers", objects=[Offer]))["Offer-itself"]
    assert "where  Offer.price\n  found  1 is 0 after a row" in text


def test_a_type_that_hypothesis_cannot_make_is_asked_for() -> None:
    """The error says how to give a strategy."""

    class Handle:
        def __init__(self, secret):  # type: ignore[no-untyped-def]  # of what, nobody knows
            self.secret = secret

    class Door(VersionedObject, version="1.0"):
        handle: Annotated[Handle, Codec(lambda v: v, str, Handle)]

    with pytest.raises(ProjectError, match=r"roundtrip\(project, strategies=\{Handle: st.builds\(…\)\}\)"):
        failures(Project("doors", objects=[Door]))


def test_an_object_that_cannot_end_is_refused() -> None:
    """One that needs another of its kind can never be made."""

    class Node(VersionedObject, version="1.0"):
        next: "Node"

    Node.__annotations__["next"] = Node
    with pytest.raises(ProjectError, match="Node: holds one of its own kind without an end"):
        failures(Project("chains", objects=[Node]))


def test_whatever_a_release_meets_has_a_case(tmp_path: Path) -> None:
    """Itself, to and from each release in the window, by name; a release before the window is no peer any more."""
    for name in ("juno", "kilo", "lima"):
        freeze(Project("shop", objects=[Disk], releases=tmp_path), name)
    test: Any = roundtrip(Project("shop", objects=[Disk], releases=tmp_path))
    assert [str(case) for case in test.pytestmark[0].args[1]] == [
        "Disk-itself", "Disk-to-kilo", "Disk-to-lima", "Disk-from-kilo", "Disk-from-lima",
    ]  # fmt: skip


test_midflight_s_own_objects = roundtrip(Project("midflight", objects=OBJECTS), examples=30)
