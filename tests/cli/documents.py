"""What was written with --json, beside the schema that is published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from jsonschema import Draft202012Validator

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "documents.schema.json"
_SCHEMA = json.loads(PUBLISHED.read_text())


def mistakes(name: str, document: object) -> list[str]:
    """What is wrong with a document of this name."""
    validator = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _SCHEMA["$defs"]})
    return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(document)]


def check(arguments: Sequence[str], written: str) -> None:
    """A command has written this: where that is a document, it has to be the one of this command, or an error."""
    if "--json" not in arguments or "--follow" in arguments or not written.strip():
        return
    document = json.loads(written)
    failed = isinstance(document, dict) and set(document) == {"error"}
    name = "error" if failed else "-".join(arguments[:2])
    assert mistakes(name, document) == []
