"""What a project can say, in words: all its objects and interfaces, as a frozen release lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from midflight.conductor.contract import contract_of
from midflight.objects.contract import Words, object_in_words
from midflight.project import Project
from midflight.rpc.contract import errors_in_words, interface_in_words
from midflight.rpc.interface import Contract


def project_in_words(project: Project) -> Words:
    """All that a project's code can say, midflight's own words beside it."""
    return contract_in_words(contract_of(project), project.errors)


def contract_in_words(contract: Contract, errors: Iterable[type[Exception]] = ()) -> Words:
    """``{"objects": {name: …}, "interfaces": {topic: …}, "errors": {name: …}}``, sorted by name; the same contract
    gives the same words."""
    objects, interfaces = contract.registry.objects, contract.interfaces
    return {
        "objects": {name: object_in_words(objects[name], objects) for name in sorted(objects)},
        "interfaces": {topic: interface_in_words(interfaces[topic]) for topic in sorted(interfaces)},
        "errors": errors_in_words(errors),
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[str]:
    """What differs between two tables of words, one line for each entry, with its path."""
    lines: list[str] = []
    for name in sorted({*before, *after}):
        lines += _difference(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    return lines


def _difference(before: Any, after: Any, path: str) -> Iterable[str]:
    if before == after:
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return differences(before, after, path)
    return [f"{path}: {_shown(before)} → {_shown(after)}"]


def _shown(words: Any) -> str:
    if words is None:
        return "not there"
    return "there" if isinstance(words, Mapping) else f"{words}"
