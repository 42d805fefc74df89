"""Which objects may take the place of which, then and now.

A field, an argument or a result that is typed by an object also takes those that extend it. No version says that: a
peer refuses one that it does not know as such, whatever its version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from midflight.upgrade.finding import Category, Finding
from midflight.upgrade.reading import Said, Signature, Thing
from midflight.upgrade.suggestions import class_line
from midflight.versions import Version


def base_findings(old: Said, new: Said) -> Iterator[Finding]:
    """What became of the bases of each object that both have.

    Under a new version they may change where no peer has a place for the base.
    """
    for name in sorted(old.objects.keys() & new.objects.keys()):
        then, now = old.objects[name], new.objects[name]
        for base in sorted({*then.extends} ^ {*now.extends}):
            held = _is_held(base, old)
            if held or then.version == now.version:
                yield _lost(then, now, base) if base in then.extends else _gained(then, now, base, held=held)


def _lost(then: Thing, now: Thing, base: str) -> Finding:
    return Finding(
        Category.WIRE, now.name, f"no longer extends {base}",
        f"a peer sends it where a {base} is asked for, and this code refuses it; one that knows {base} and not "
        f"{now.name} is sent nothing any more: CannotBackport",
        f"the base {base}, until no peer in the window has {now.name} {then.version} as one",
        class_line(now.name, now.version, base),
    )  # fmt: skip


def _gained(then: Thing, now: Thing, base: str, *, held: bool) -> Finding:
    due = Version(now.version.major, now.version.minor + 1)
    return Finding(
        Category.WIRE, now.name, f"extends {base} now",
        f"a peer that has {now.name} {then.version} refuses it where a {base} is asked for",
        f"another object that extends {base}, beside {now.name}" if held else f"{now.name} {due}",
        class_line(f"{now.name}{base}" if held else now.name, Version(1, 0) if held else due, base),
    )  # fmt: skip


def _is_held(name: str, said: Said) -> bool:
    """Whether a field, an argument or a result has a place for it."""
    word = re.compile(rf"\b{re.escape(name)}\b(?!\()")
    return any(word.search(type_) for type_ in _types(said))


def _types(said: Said) -> Iterator[str]:
    for thing in said.objects.values():
        yield from (part.type for part in thing.fields.values())
        for signature in thing.remotables.values():
            yield from _of_signature(signature)
    for api in said.interfaces.values():
        for endpoints in api.endpoints.values():
            for signature in endpoints.values():
                yield from _of_signature(signature)


def _of_signature(signature: Signature) -> Iterator[str]:
    yield signature.returns
    yield from (part.type for part in signature.parameters.values())
