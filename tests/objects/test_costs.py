"""What an object costs, in counts that hold on every machine: bytes, calls, and what is kept beside the fields."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.objects import bare, ours, payload
from benchmarks.rpc import rows
from midflight.objects import wire

KIND = ours.KIND(ours.Instance)


def received() -> Any:
    """An instance of 43 fields with all that belongs to it, as it came over the wire."""
    return ours.objects(1)[0]


def calls(work: Any) -> int:
    """How many Python functions a piece of work runs, once it has been done before."""
    work()
    counted: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, _: counted.update([event]))
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted["call"]


def test_bytes_on_the_wire() -> None:
    """Eight objects say what they are, and of which version: that is all that they need above bare Structs."""
    tags = len("$Instance:1.5") + len("$Flavor:1.2") + 5 * len("$SecurityGroup:1.1") + len("$SecurityGroupList:1.0")
    assert ours.wire_bytes() - bare.wire_bytes() <= tags + 2 * 8


def test_who_only_reads_keeps_nothing_beside_the_fields() -> None:
    """No snapshot, no account: a received object whose lists and dicts nobody has read is but its Struct."""
    one = received()
    assert (one.memory_mb, one.host, one.flavor.name) == (8192, "compute-017.example.org", "m1.large")
    assert one._snapshots is None
    assert vars(one) == {}
    assert one.tags == ["prod", "web", "eu-west", "blue"]
    assert list(one._snapshots) == ["tags"]


def test_calls_do_not_grow_with_the_number_of_fields() -> None:
    """What is done natively is done in a few calls, whatever there is to do."""
    one, row = received(), payload.instance()
    data = wire.encode(one)
    assert calls(lambda: one.memory_mb) <= 1
    assert calls(lambda: wire.decode(data, KIND)) <= 10
    assert calls(lambda: wire.encode(one)) <= 10
    assert calls(one.changes) <= 5
    assert calls(lambda: wire.clone(one)) <= 15
    assert calls(lambda: wire.encode(one, ours.OLDER)) <= 22
    assert calls(lambda: ours.loaded(row)) <= 20


def test_a_row_of_sqlalchemy_s_is_read_natively_too(tmp_path: Path) -> None:
    """Its names are no plain text, which must not make it cost a call for each field."""
    rows.fill(tmp_path / "rows.db")
    with rows.opened(tmp_path / "rows.db").connect() as connection:
        row = rows.find(connection, payload.uuid(1))
    assert {type(name) for name in row} != {str}
    assert calls(lambda: ours.loaded(row)) <= 50


def test_a_list_costs_in_proportion_to_its_length() -> None:
    """Ten times as many items take at most ten times as many calls."""

    def encoded(length: int) -> int:
        many = wire.from_rows(ours.InstanceList, [])
        many.objects.extend(ours.objects(length))
        many.reset_changes()
        return calls(lambda: wire.encode(many))

    assert encoded(100) <= 10 * encoded(10)
