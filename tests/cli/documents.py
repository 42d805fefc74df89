"""What was written with --json, beside the schema that is published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "documents.schema.json"
OPEN = "HistoryDocument"
"""Other facts stand beside its own, as it says."""


def _closed(schema: Any) -> Any:
    """A part of a schema that lets nothing be written which it does not name."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    if schema.get("type") == "object" and "properties" in schema and schema.get("title") != OPEN:
        closed["additionalProperties"] = False
    return closed


_PARTS = json.loads(PUBLISHED.read_text())["$defs"]
_WRITTEN = _closed(_PARTS)


def mistakes(name: str, document: object, parts: Any = _PARTS) -> list[str]:
    """What is wrong with a document of this name."""
    validator = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": parts})
    return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(document)]


def check(arguments: Sequence[str], written: str) -> None:
    """A command has written this: where that is a document, it has to be the one of this command, or an error, and
    nothing is in it that the schema does not name."""
    if "--json" not in arguments or "--follow" in arguments or not written.strip():
        return
    document = json.loads(written)
    failed = isinstance(document, dict) and set(document) == {"error"}
    verb = "-".join(arguments[:2])
    name = "error" if failed else verb if verb in _PARTS else arguments[0]
    assert mistakes(name, document, _WRITTEN) == []
