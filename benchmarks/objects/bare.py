"""The figures of bare msgspec Structs: no version, no coercion on assignment, no changes. The practical limit."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec

from benchmarks.objects import payload


class PowerState(Enum):
    RUNNING = "running"
    SHUTDOWN = "shutdown"


_TYPES: dict[str, Any] = {
    "int": int, "str": str, "bool": bool, "float": float, "uuid": str, "power": PowerState, "time": datetime,
    "ip4": str, "ip6": str, "{str}": dict[str, str], "[str]": list[str],
}  # fmt: skip


def _type(short: str) -> Any:
    name = short.rstrip("?")
    found = _TYPES[name] if name in _TYPES else list[_TYPES[name.strip("[]")]]
    return found | None if short.endswith("?") else found


for _name, _fields in payload.FIELDS.items():
    _TYPES[_name] = msgspec.defstruct(_name, [(field, _type(short)) for field, short in _fields.items()])

_encode = msgspec.msgpack.Encoder().encode
_one = msgspec.msgpack.Decoder(_TYPES["Instance"]).decode
_many = msgspec.msgpack.Decoder(_TYPES["InstanceList"]).decode


def loaded(row: dict[str, Any]) -> Any:
    """One instance, validated from its row."""
    times = {name: value.replace(tzinfo=UTC) for name, value in row.items() if isinstance(value, datetime)}
    return msgspec.convert(row | times | {"security_groups": {"objects": row["security_groups"]}}, _TYPES["Instance"])


def figures() -> dict[str, Callable[[], object]]:
    """What is timed, by name; what a bare Struct cannot do is not there."""
    row = payload.instance()
    one, many = loaded(row), _TYPES["InstanceList"]([loaded(payload.instance(at)) for at in range(1000)])
    return {
        "round_trip": lambda: _one(_encode(one)),
        "list_1000": lambda: _many(_encode(many)),
        "read": payload.repeated("one.memory_mb", one=one),
        "from_row": lambda: loaded(row),
    }


def wire_bytes() -> int:
    """Bytes of one Instance."""
    return len(_encode(loaded(payload.instance())))


def objects(count: int) -> list[Any]:
    """Many instances, as they came over the wire."""
    return [_one(data) for data in [_encode(loaded(payload.instance(at))) for at in range(count)]]
