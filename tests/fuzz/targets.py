"""What is fed with bad input, and what may come of it: a value that can be sent on, or one error of midflight's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from midflight.errors import InvalidValue, MidflightError
from midflight.objects import wire
from midflight.objects.nested import kind_of_class
from midflight.objects.registry import Registry
from midflight.rpc import messages
from midflight.versions import Manifest, Version
from tests.objects.sample import Disk, Instance, InstanceList
from tests.testing.everything import EVERYTHING

OBJECTS = (*EVERYTHING, Disk, Instance, InstanceList)
REGISTRY = Registry(OBJECTS, "fuzz")
NEWER = Manifest(
    {name: Version(version.major, version.minor + 1) for name, version in REGISTRY.manifest.items()},
    {name: Version(version.major, 0) for name, version in REGISTRY.manifest.items()},
)
"""Of a sender whose versions may all be read by skipping."""
LONGEST = 4_000
"""Characters of an error, which is logged and sent back."""
PATH = re.compile(r"\w+([.\[(].*)?", re.DOTALL)


def read_object(data: bytes, cls: Any) -> None:
    """As it arrives, from a sender that is unknown or newer; what was read can be sent on."""
    for sender in (None, NEWER):
        found = only_typed(partial(wire.decode, data, kind_of_class(cls), sender=sender, path=cls.__name__))
        if found is not None:
            only_typed(partial(wire.encode, found))


def read_json(data: bytes, cls: Any) -> None:
    """As it lies at rest."""
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError):
        return  # that is the database's or the file's affair
    if (found := only_typed(partial(wire.from_json, plain, cls))) is not None:
        only_typed(partial(wire.to_json, found))


def read_arguments(data: bytes) -> None:
    """Named arguments of an endpoint."""
    kinds = {"instance": kind_of_class(Instance), "hard": REGISTRY.kind(bool), "when": REGISTRY.kind(dict[str, float])}
    only_typed(partial(wire.decode_fields, data, kinds, path="compute.reboot"))


def read_request(data: bytes) -> None:
    """The envelope of a request."""
    only_typed(partial(messages.decode_request, data))


def read_reply(data: bytes) -> None:
    """The envelope of a reply."""
    only_typed(partial(messages.decode_reply, data))


def _classes_in(data: bytes) -> list[Any]:
    """Those that the bytes name, and one more: for most bytes the others all do the same."""
    return [cls for cls in OBJECTS if cls.__name__.encode() in data] or [Instance]


def feed(data: bytes) -> None:
    """To every decoder that could receive it."""
    read_request(data)
    read_reply(data)
    read_arguments(data)
    for cls in _classes_in(data):
        read_object(data, cls)
        read_json(data, cls)


def only_typed(read: Callable[[], Any]) -> Any:
    """What was read, or None where it was refused. Whatever else is raised is a bug."""
    try:
        return read()
    except MidflightError as error:
        _check(error)
        return None


def _check(error: MidflightError) -> None:
    """It is short, and a path begins with what was read."""
    if len(text := str(error)) > LONGEST:
        raise AssertionError(f"{len(text)} characters: {text[:200]}")
    if isinstance(error, InvalidValue) and not PATH.fullmatch(error.path):
        raise AssertionError(f"no path: {error.path}")
