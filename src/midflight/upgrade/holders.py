"""Where a peer meets an object that it never asked for: inside other objects, in arguments and in results."""

from __future__ import annotations

import re
from collections.abc import Iterator

from midflight.upgrade.reading import Said, Signature


def holders_of(name: str, code: Said) -> list[str]:
    """``Instance.flavor``, ``compute.resize(flavor)``, ``InstanceList.objects → Instance.flavor``: every place, through
    however many objects; sorted, the nearest first."""
    found: dict[str, None] = {}
    waiting, seen = [(name, "")], {name}
    while waiting:
        inner, behind = waiting.pop(0)
        for place, owner in _places(inner, code):
            found[f"{place} → {behind}" if behind else place] = None
            if owner and owner not in seen:
                seen.add(owner)
                waiting.append((owner, f"{place} → {behind}" if behind else place))
    return list(found)


def _places(name: str, code: Said) -> Iterator[tuple[str, str]]:
    """The places whose type names the object directly, and the object that each is in, if it is in one."""
    word = re.compile(rf"\b{re.escape(name)}\b(?!\()")
    for owner, thing in code.objects.items():
        if owner != name:
            yield from ((f"{owner}.{key}", owner) for key, part in thing.fields.items() if word.search(part.type))
    for topic, api in code.interfaces.items():
        endpoints = api.endpoints[api.version.major]
        for key, signature in endpoints.items():
            yield from ((place, "") for place in _in_signature(f"{topic}.{key}", signature, word))


def _in_signature(path: str, signature: Signature, word: re.Pattern[str]) -> Iterator[str]:
    yield from (f"{path}({name})" for name, part in signature.parameters.items() if word.search(part.type))
    if word.search(signature.returns):
        yield f"{path}() → its result"
