"""As much of JSON Schema as the published ones use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}

Said = Mapping[str, Any]


def mistakes(value: Any, said: Said, root: Said, path: str = "$") -> list[str]:
    """What is wrong with a value by one schema; ``root`` has the definitions."""
    if "$ref" in said:
        return mistakes(value, root["$defs"][said["$ref"].rpartition("/")[2]], root, path)
    if "anyOf" in said:
        found = [mistakes(value, each, root, path) for each in said["anyOf"]]
        return [] if [] in found else [f"{path} is none of {said['anyOf']}"]
    if "enum" in said:
        return [] if value in said["enum"] else [f"{path}: {value!r}"]
    if said.get("type") == "null" or value is None:
        return [] if value is None and said.get("type", "null") == "null" else [f"{path}: {value!r}"]
    if "type" in said and not isinstance(value, _TYPES[said["type"]]):
        return [f"{path}: {value!r} is no {said['type']}"]
    return _inside(value, said, root, path)


def _inside(value: Any, said: Said, root: Said, path: str) -> list[str]:
    parts: list[tuple[Any, Said, str]] = []
    lacks: list[str] = []
    if isinstance(value, list):
        parts = [(item, said.get("items", {}), f"{path}[{at}]") for at, item in enumerate(value)]
    elif isinstance(value, dict):
        known = said.get("properties", {})
        lacks = [f"{path} lacks {name}" for name in said.get("required", ()) if name not in value]
        parts = [(value[name], known[name], f"{path}.{name}") for name in known.keys() & value.keys()]
    return lacks + [mistake for item, schema, where in parts for mistake in mistakes(item, schema, root, where)]
