"""Bytes in every version: native, backported, brought forward, read by skipping, refused."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import telemetry
from midflight.context import Context
from midflight.errors import CannotBackport, InvalidValue, MalformedMessage, NotReadable, PinnedOut, UnknownField
from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.versions import Manifest, Version
from tests.objects.sample import Disk, Instance, InstanceList, Power

REGISTRY = Registry([Instance, Disk, InstanceList])
KIND = REGISTRY.kind(Instance)
OLD = Manifest({"Instance": Version(2, 0), "Disk": Version(1, 0), "InstanceList": Version(1, 0)})


def saved(**values: Any) -> Instance:
    """A clean instance."""
    instance = Instance(uuid=UUID(int=7), **values)
    instance.reset_changes()
    return instance


def plain(data: bytes) -> Any:
    """What the bytes say, without any type."""
    return msgspec.msgpack.decode(data)


def test_what_is_sent_is_what_arrives_with_the_context_of_the_receiver() -> None:
    """Every type of the sample survives exactly."""
    sent = saved(
        launched_at=datetime(2026, 1, 1, 2, 3, 4, 56, tzinfo=UTC), address="10.0.0.9", disks=[Disk(gigabytes=1)]
    )
    context = Context()
    received = wire.decode(wire.encode(sent), KIND, context=context)
    assert received == sent
    assert received.disks[0].context is context


def test_an_incomplete_object_stays_incomplete() -> None:
    """Unset fields are not sent, and unset at the receiver."""
    received = wire.decode(wire.encode(saved()), KIND)
    assert not received.is_set("disks")
    assert received.changes() == {}


def test_for_an_older_peer_newer_fields_are_left_out_and_backports_rewrite() -> None:
    """The peer finds exactly its own version, in nested objects and containers too."""
    sent = saved(power="paused", disks=[], spares={"a": Disk(gigabytes=1, encrypted=False)}, zone="there")
    sent.reset_changes()
    form = plain(wire.encode(sent, OLD))
    assert form["$"] == "Instance:2.0"
    assert form["power"] == "on"
    assert form["spares"] == {"a": {"$": "Disk:1.0", "gigabytes": 1}}
    assert not {"disks", "boot", "created_at", "zone"} & form.keys()


def test_each_backport_is_counted_by_object_versions_peer_and_place() -> None:
    """The counts feed the console, the metrics and the forecast."""
    before = telemetry.counted()
    wire.encode([saved(), saved()], OLD, where="reply", peer="compute@host-1")
    added = [entry for entry in telemetry.counted() if entry not in before]
    assert added == [
        {"name": "objects.backport", "value": 2, "object": "Instance", "from_version": "2.3", "to_version": "2.0",
         "where": "reply", "peer": "compute@host-1"},
    ]  # fmt: skip


def test_a_lossy_backport_never_counts_as_a_change() -> None:
    """What the backport rewrote is not in the changes at the receiver, so a save there does not write it."""
    received = wire.decode(wire.encode(saved(power="paused"), OLD), KIND)
    assert received.power is Power.ON
    assert received.changes() == {}


def test_a_changed_field_that_the_peer_cannot_take_is_refused() -> None:
    """Dropping it would lose an acknowledged save: also one to the default, since the row holds something else."""
    sent = saved()
    for zone in ("there", "here"):
        sent.zone = zone
        with pytest.raises(PinnedOut) as caught:
            wire.encode(sent, OLD)
        assert str(caught.value).startswith(
            f"Instance.zone = '{zone}' needs Instance 2.3; the peer understands Instance 2.0."
        )


def test_a_new_object_may_leave_out_what_is_at_its_default() -> None:
    """Nothing is kept of it yet that could stay as it was."""
    assert "zone" not in plain(wire.encode(Instance(uuid=UUID(int=7), zone="here"), OLD))
    with pytest.raises(PinnedOut):
        wire.encode(Instance(uuid=UUID(int=7), zone="there"), OLD)


def test_a_reply_leaves_out_what_the_caller_does_not_know() -> None:
    """An answer says what is: an object made for it goes to an older caller without its newer fields."""
    answer = Instance(uuid=UUID(int=7), zone="there")
    assert "zone" not in plain(wire.encode(answer, OLD, where=wire.REPLY))


def test_an_object_that_the_peer_does_not_know_cannot_be_sent() -> None:
    """The error names the object and the reason."""
    with pytest.raises(CannotBackport, match="Disk 1.1 cannot be said in any version"):
        wire.encode(Disk(gigabytes=1), Manifest({"Instance": Version(2, 0)}))


def test_another_major_needs_a_named_backport() -> None:
    """Leaving fields out is sound within a major only."""
    with pytest.raises(CannotBackport, match="no backport leads to that major version"):
        wire.encode(Disk(gigabytes=1), Manifest({"Disk": Version(0, 9)}))


def test_what_an_older_peer_sent_is_brought_forward() -> None:
    """Forwardports rewrite, new fields take their defaults, lazy ones stay unset."""
    form = {"$": "Instance:2.0", "uuid": str(UUID(int=7)), "host": "NODE", "~": ["host"], "boot": None}
    received = wire.decode(msgspec.msgpack.encode(form), KIND)
    assert (received.host, received.zone, received.is_set("disks")) == ("node", "here", False)
    assert received.changes() == {"host": "node"}


def test_a_newer_version_is_read_by_skipping_where_its_sender_says_so() -> None:
    """The frozen readable_from travels in the sender's manifest; without it, reading would be a guess."""
    form = msgspec.msgpack.encode({"$": "Disk:1.2", "gigabytes": 1, "encrypted": True, "speed": 9})
    newer = Manifest({"Disk": Version(1, 2)}, {"Disk": Version(1, 0)})
    assert wire.decode(form, REGISTRY.kind(Disk), sender=newer) == Disk(gigabytes=1, encrypted=True)
    with pytest.raises(NotReadable, match=r"a.b: received Disk 1.2, understand up to 1.1"):
        wire.decode(form, REGISTRY.kind(Disk), path="a.b")
    strict = Manifest({"Disk": Version(1, 2)}, {"Disk": Version(1, 2)})
    with pytest.raises(NotReadable):
        wire.decode(form, REGISTRY.kind(Disk), sender=strict)


def test_a_list_of_objects_goes_down_with_its_items() -> None:
    """Items inside lists are backported as alone."""
    form = plain(wire.encode(InstanceList(objects=[saved()]), OLD))
    assert [item["$"] for item in form["objects"]] == ["Instance:2.0"]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"$": "Instance:2.3", "uuid": "x"}, "call.uuid: received 'x' (str), expected UUID."),
        ({"$": "Disk:1.1"}, "call: received object Disk, expected object Instance."),
        ({"$": "Instance:two"}, "call: received Instance:two, expected received version 'two'"),
        ({"uuid": 3}, "call: received dict of 1, expected Instance object."),
        (
            {"$": "Instance:2.3", "disks": [{"$": "Disk:1.1", "gigabytes": "x"}]},
            "call.disks[0].gigabytes: received 'x'",
        ),
        ({"$": "Instance:2.3", "~": 3}, "call.~: received 3 (int), expected names of changed fields."),
    ],
)
def test_a_wrong_form_is_refused_with_the_path_to_it(form: Any, message: str) -> None:
    """One typed error each."""
    with pytest.raises(InvalidValue) as caught:
        wire.decode(msgspec.msgpack.encode(form), KIND, path="call")
    assert message in str(caught.value)


@given(st.binary(max_size=300) | st.builds(lambda n: b"\x91" * n, st.integers(1, 5000)))
def test_no_bytes_can_do_more_than_be_refused(data: bytes) -> None:
    """Random and deeply nested bytes raise one of the typed errors."""
    try:
        wire.decode(data, KIND)
    except (InvalidValue, NotReadable, MalformedMessage):
        return
    raise AssertionError("random bytes were taken for an Instance")


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_mutated_message_is_read_or_refused(at: int, byte: int) -> None:
    """One changed byte never raises another error."""
    data = bytearray(wire.encode(saved(disks=[Disk(gigabytes=1)], tags=["a"])))
    data[at % len(data)] = byte
    try:
        assert isinstance(wire.decode(bytes(data), KIND), VersionedObject)
    except (InvalidValue, NotReadable, MalformedMessage):
        pass


def test_named_arguments_are_read_each_by_its_kind() -> None:
    """Unknown names are refused, missing ones left out."""
    kinds = {"disk": REGISTRY.kind(Disk), "hard": REGISTRY.kind(bool)}
    data = wire.encode({"disk": Disk(gigabytes=1)})
    assert wire.decode_fields(data, kinds, path="reboot") == {"disk": Disk(gigabytes=1)}
    with pytest.raises(UnknownField, match="reboot has no field 'hart'; it has disk, hard"):
        wire.decode_fields(wire.encode({"hart": True}), kinds, path="reboot")


def test_an_unopened_part_is_passed_on_whatever_version_surrounds_it() -> None:
    """Who forwards an object need not understand it."""

    class Parcel(VersionedObject, version="1.1"):
        content: msgspec.Raw
        weight: int = field(since="1.1", default=0)

    kind = Registry([Parcel]).kind(Parcel)
    inner = wire.encode({"a": [1, 2]})
    for sent in (
        wire.encode(Parcel(content=msgspec.Raw(inner))),
        msgspec.msgpack.encode({"$": "Parcel:1.0", "content": {"a": [1, 2]}}),
    ):
        assert bytes(wire.decode(sent, kind).content) == inner


def test_at_rest_an_object_is_plain_json_with_its_version() -> None:
    """No changes in it; older forms are brought forward on load."""
    disk = Disk(gigabytes=1)
    assert wire.to_json(disk) == {"$": "Disk:1.1", "gigabytes": 1, "encrypted": False}
    assert wire.to_json(disk, OLD) == {"$": "Disk:1.0", "gigabytes": 1}
    loaded = wire.from_json({"$": "Disk:1.0", "gigabytes": 1}, Disk)
    assert (loaded, loaded.changes()) == (disk, {})
    assert wire.from_json(wire.to_json(saved(launched_at=datetime.now(UTC))), Instance).changes() == {}


def test_a_table_at_rest_may_have_any_keys() -> None:
    """Also those by which a wire form says what it is and what has changed."""

    class Notes(VersionedObject, version="1.0"):
        by_name: dict[str, str]

    notes = Notes(by_name={"$": "dollars", "~": "about", "+": "more"})
    assert wire.to_json(notes) == {"$": "Notes:1.0", "by_name": notes.by_name}
    assert wire.to_row(notes) == {"by_name": notes.by_name}


def test_a_row_becomes_a_clean_object() -> None:
    """Columns are coerced, naive times of rows are UTC, what has no column stays unset."""
    row = {"uuid": str(UUID(int=7)), "memory_mb": "5", "launched_at": datetime(2026, 1, 1), "other": 1}
    instance = wire.from_row(Instance, row, boot=Disk(gigabytes=1))
    assert (instance.memory_mb, instance.launched_at) == (5, datetime(2026, 1, 1, tzinfo=UTC))
    assert instance.changes() == {}
    assert not instance.is_set("host")
