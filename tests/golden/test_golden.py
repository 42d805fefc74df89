"""What was ever released is read for ever."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from midflight.objects import wire
from midflight.objects.bodies import keys_touched
from midflight.objects.nested import kind_of_class
from midflight.objects.rewrites import TAG
from midflight.rpc import messages
from midflight.versions import Version
from tests.golden import COMMAND, Golden, kept, plain
from tests.golden.samples import ENVELOPES, OBJECTS, REGISTRY, current

KEPT = kept()
OF_OBJECTS = [golden for golden in KEPT if golden.name not in ENVELOPES]
OF_ENVELOPES = [golden for golden in KEPT if golden.name in ENVELOPES]
FILES = {golden.file for golden in KEPT}


def _file(golden: Golden) -> str:
    return golden.file


def _still_so(golden: Golden) -> dict[str, Any]:
    """What the bytes say that no forwardport has to do with, of fields that are still there."""
    shape = REGISTRY.get(golden.name).__shape__
    crossed = [function for since, function in shape.forwardports if Version.parse(golden.version) < since]
    touched = {key for function in crossed for key in keys_touched(function) or shape.fields}
    return {name: value for name, value in golden.says.items() if name in shape.fields.keys() - touched}


@pytest.mark.parametrize("golden", [*current()], ids=_file)
def test_every_version_of_today_has_its_golden_bytes(golden: Golden) -> None:
    """A new version is kept before it is released."""
    assert golden.file in FILES, (
        f"no golden bytes of {golden.name} {golden.version}: run `{COMMAND}`, and commit the file"
    )


@pytest.mark.parametrize("golden", OF_OBJECTS, ids=_file)
def test_golden_bytes_of_an_object_are_read_for_ever(golden: Golden) -> None:
    """In whatever version they were said, they are today's object with the values of then, and without changes."""
    cls = REGISTRY.get(golden.name)
    found = wire.decode(golden.data, kind_of_class(cls), path=golden.name)
    assert found.changes() == {}
    expected = cls.unset()
    for name, value in _still_so(golden).items():
        field = cls.__shape__.fields[name]
        setattr(expected, name, field.build(value, field.where, None))
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.parametrize("golden", OF_OBJECTS, ids=_file)
def test_what_is_at_rest_is_read_for_ever(golden: Golden) -> None:
    """The same object in JSON is equal to the one from the bytes."""
    cls = REGISTRY.get(golden.name)
    assert wire.from_json(golden.says, cls) == wire.decode(golden.data, kind_of_class(cls))


@pytest.mark.parametrize("golden", OF_OBJECTS, ids=_file)
def test_a_version_says_what_it_has_always_said(golden: Golden) -> None:
    """Bytes of today's version are written as they were; who changes the form raises the version."""
    cls = REGISTRY.get(golden.name)
    if golden.version == str(cls.__shape__.version):
        assert plain(wire.encode(wire.decode(golden.data, kind_of_class(cls)))) == plain(golden.data)
    else:
        assert Version.parse(golden.version) < cls.__shape__.version


@pytest.mark.parametrize("golden", OF_ENVELOPES, ids=_file)
def test_golden_bytes_of_an_envelope_are_read_for_ever(golden: Golden) -> None:
    """Field by field, and said again as they were."""
    found = ENVELOPES[golden.name](golden.data)
    assert {name: value for name, value in plain(messages.encode(found)).items() if name in golden.says} == golden.says


def test_golden_bytes_are_never_written_again(tmp_path: Path) -> None:
    """Whoever would change them has broken what is released."""
    golden = Golden("Disk", "1.1", b"\x01\x02", {"$": "Disk:1.1"})
    assert golden.write(tmp_path)
    before = (tmp_path / golden.file).read_text()
    assert not Golden("Disk", "1.1", b"\x03", {}).write(tmp_path)
    assert (tmp_path / golden.file).read_text() == before
    assert Golden.read(tmp_path / golden.file) == golden


def test_no_object_is_without_a_field_in_its_golden_bytes() -> None:
    """They hold every field that there was."""
    for golden in OF_OBJECTS:
        assert json.dumps(golden.says)
        cls = REGISTRY.get(golden.name)
        if golden.version == str(cls.__shape__.version):
            assert plain(golden.data).keys() == {TAG, *cls.__shape__.fields}
    assert {golden.name for golden in OF_OBJECTS} >= {cls.__name__ for cls in OBJECTS}
    assert msgspec.msgpack.decode(OF_ENVELOPES[0].data)["protocol"] == 1
