"""The figures of oslo.versionedobjects, in an environment of its own.

Its serialiser makes primitives; the bytes are made of them as oslo.messaging's drivers do it (``serialize_msg``): the
message as JSON, inside an envelope that is JSON again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import netaddr
from oslo_versionedobjects import base, fields

from benchmarks.objects import payload

_MADE: dict[str, Any] = {
    "int": fields.IntegerField, "str": fields.StringField, "bool": fields.BooleanField, "float": fields.FloatField,
    "uuid": fields.UUIDField, "time": fields.DateTimeField, "ip4": fields.IPV4AddressField,
    "ip6": fields.IPV6AddressField, "{str}": fields.DictOfStringsField, "[str]": fields.ListOfStringsField,
    "power": partial(fields.EnumField, ["running", "shutdown"]),
}  # fmt: skip
_VERSIONS = {"Instance": "1.5", "Flavor": "1.2", "SecurityGroup": "1.1"}
_OLDER = {
    "Instance": "1.4", "Flavor": "1.1", "SecurityGroup": "1.1", "SecurityGroupList": "1.0", "InstanceList": "1.0",
}  # fmt: skip
_NEW = {"Instance": "hidden", "Flavor": "description"}


def _field(short: str) -> Any:
    name, nullable = short.rstrip("?"), short.endswith("?")
    if name.startswith("[") and name != "[str]":
        return fields.ListOfObjectsField(name.strip("[]"), nullable=nullable)
    if name in payload.FIELDS:
        return fields.ObjectField(name, nullable=nullable)
    return _MADE[name](nullable=nullable)


def _compatible(self: Any, primitive: dict[str, Any], target: str) -> None:
    base.VersionedObject.obj_make_compatible(self, primitive, target)
    if target != self.VERSION:
        primitive.pop(_NEW.get(type(self).__name__, ""), None)


def _class(name: str) -> Any:
    bases = (
        (base.ObjectListBase, base.VersionedObject) if "objects" in payload.FIELDS[name] else (base.VersionedObject,)
    )
    body = {
        "VERSION": _VERSIONS.get(name, "1.0"),
        "fields": {field: _field(short) for field, short in payload.FIELDS[name].items()},
        "obj_make_compatible": _compatible,
    }
    return base.VersionedObjectRegistry.register(type(name, bases, body))


CLASSES = {name: _class(name) for name in payload.FIELDS}


def _from_row(name: str, row: dict[str, Any]) -> Any:
    obj = CLASSES[name]()
    for field, value in row.items():
        setattr(obj, field, value)
    obj.obj_reset_changes()
    return obj


def loaded(row: dict[str, Any]) -> Any:
    """One instance from its row, every value coerced, clean."""
    groups = [_from_row("SecurityGroup", group) for group in row["security_groups"]]
    flavor = _from_row("Flavor", row["flavor"])
    groups = _from_row("SecurityGroupList", {"objects": groups})
    return _from_row("Instance", row | {"flavor": flavor, "security_groups": groups})


def _bytes(obj: Any, **older: Any) -> bytes:
    message = json.dumps({"result": obj.obj_to_primitive(**older)}, default=_plain)
    return json.dumps({"oslo.version": "2.0", "oslo.message": message}).encode()


def _plain(value: Any) -> str:
    if isinstance(value, netaddr.IPAddress):
        return str(value)
    raise TypeError(type(value).__name__)


def _read(data: bytes) -> Any:
    return base.VersionedObject.obj_from_primitive(json.loads(json.loads(data)["oslo.message"])["result"])


def figures() -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    row = payload.instance()
    one, other = loaded(row), loaded(row)
    many = _from_row("InstanceList", {"objects": [loaded(payload.instance(at)) for at in range(1000)]})
    assigned = {**payload.ASSIGNED, "flavor": _from_row("Flavor", payload.flavor())}
    return {
        "round_trip": lambda: _read(_bytes(one)),
        "list_1000": lambda: _read(_bytes(many)),
        "read": payload.repeated("one.memory_mb", one=one),
        "from_row": lambda: loaded(row),
        "what_changed": one.obj_what_changed,
        "what_changed_looked_at": one.obj_what_changed,
        "clone": one.obj_clone,
        "backport": lambda: _bytes(one, target_version="1.4", version_manifest=_OLDER),
        **{
            f"assign_{name}": payload.repeated(f"other.{name} = value", other=other, value=value)
            for name, value in assigned.items()
        },
    }


def wire_bytes() -> int:
    """Bytes of one Instance."""
    return len(_bytes(loaded(payload.instance())))


def objects(count: int) -> list[Any]:
    """Many instances, as they came over the wire."""
    return [_read(data) for data in [_bytes(loaded(payload.instance(at))) for at in range(count)]]
