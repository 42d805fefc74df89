"""midflight, with an agent one additive version behind its conductor: it knows no ``hidden``, and no ``description`` of
a Flavor."""

from __future__ import annotations

import types
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.objects import ours as objects
from benchmarks.objects import payload
from benchmarks.rpc import ours
from midflight import VersionedObject

serving = ours.serving
"""The conductor is not behind."""

_TYPES: dict[str, Any] = {
    "int": int, "str": str, "bool": bool, "float": float, "uuid": UUID, "power": objects.PowerState, "time": datetime,
    "ip4": IPv4Address, "ip6": IPv6Address, "{str}": dict[str, str], "[str]": list[str],
    "SecurityGroupList": objects.SecurityGroupList,
}  # fmt: skip


def _class(name: str, version: str, without: str, **methods: Any) -> Any:
    """A class as it was before it had a field."""
    kinds = {field: short for field, short in payload.FIELDS[name].items() if field != without}
    annotations = {
        field: _TYPES[short.rstrip("?")] | None if short.endswith("?") else _TYPES[short]
        for field, short in kinds.items()
    }
    body = {"__annotations__": annotations, "__module__": __name__, **methods}
    return types.new_class(name, (VersionedObject,), {"version": version}, lambda given: given.update(body))


Flavor = _TYPES["Flavor"] = _class("Flavor", "1.1", "description")
Instance = _class("Instance", "1.4", "hidden", get=vars(ours.Instance)["get"], save=vars(ours.Instance)["save"])

project = ours.project_of(Flavor, objects.SecurityGroup, objects.SecurityGroupList, Instance)


def asking(broker: str, folder: Path) -> AbstractAsyncContextManager[dict[str, ours.Call]]:
    """The one who asks: what it can call."""
    return ours.asking(broker, folder, project, Instance)
