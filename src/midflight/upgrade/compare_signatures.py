"""One signature, then and now: what callers of the older one would not survive."""

from __future__ import annotations

from collections.abc import Iterator

from midflight.upgrade.finding import Category, Finding
from midflight.upgrade.reading import Part, Signature
from midflight.upgrade.types import step, type_change

WAY_OUT = "the old signature beside a new method, until no peer in the window calls it"


def signature_findings(path: str, old: Signature, new: Signature, bump: str, suggestion: str) -> Iterator[Finding]:
    """What an older caller meets. Where ``bump`` is empty, the version was raised, and what only widens is in order.

    A new parameter with a default is left to the caller: a remotable and an endpoint have different rules for it.
    """
    for name in dict.fromkeys([*old.parameters, *new.parameters]):
        before, after = old.parameters.get(name), new.parameters.get(name)
        for change, breaks in _parameter(before, after):
            yield Finding(Category.RPC, f"{path[:-2]}({name})", change, breaks, WAY_OUT)
        if bump and (change := _addition(before, after)):
            breaks = "a callee of the same version does not take it"
            yield Finding(Category.RPC, f"{path[:-2]}({name})", change, breaks, bump, suggestion)
    yield from _result(path, old, new, bump, suggestion)
    yield from _allowed(path, old, new, bump, suggestion)
    for mark in sorted(old.marks ^ new.marks):
        if mark == "heard only" or mark.startswith(_ALLOW):
            continue
        change = f"{'became' if mark in new.marks else 'is no longer'} {mark}"
        if _is_announced(mark, gained=mark in new.marks):
            if bump:
                yield Finding(
                    Category.RPC, path, change, "two codes of one version promise different", bump, suggestion
                )
        else:
            yield Finding(Category.RPC, path, change, _breaks(mark), WAY_OUT)


def _allowed(path: str, old: Signature, new: Signature, bump: str, suggestion: str) -> Iterator[Finding]:
    """To shut somebody out fails those who call; to let somebody in, those whom an older callee refuses."""
    before, after = _roles(old), _roles(new)
    if after is not None and (before is None or before - after):
        whom = " or ".join(sorted(before - after)) if before is not None else "everyone"
        change = f"for {' or '.join(sorted(after))} alone, and no longer for {whom}"
        yield Finding(Category.RPC, path, change, "others still call it, and are refused: NotAllowed", _LET_IN)
    elif before is not None and (after is None or after - before) and bump:
        whom = " or ".join(sorted(after - before)) if after is not None else "everyone"
        breaks = "a callee of the same version refuses them: NotAllowed"
        yield Finding(Category.RPC, path, f"for {whom} too", breaks, bump, suggestion)


_ALLOW = "for "
_LET_IN = "the roles that were allowed, until none of their peers in the window calls it"


def _roles(signature: Signature) -> frozenset[str] | None:
    """Who may call it; None for everyone."""
    words = next((mark for mark in signature.marks if mark.startswith(_ALLOW)), None)
    return None if words is None else frozenset(words.removeprefix(_ALLOW).split(" or "))


def _is_announced(mark: str, *, gained: bool) -> bool:
    """Whether a raised version is enough: no older caller is failed by it. Another key of the order is two marks, of
    which one is lost."""
    if mark == "replayable" or mark.startswith("expires "):
        return True
    return gained and (mark == "idempotent" or mark.startswith("ordered by "))


def _breaks(mark: str) -> str:
    if mark.startswith("ordered by "):
        return "what older callers send has the old key, and its order with what newer ones send is lost"
    return _MARKS.get(mark, "callers of the older form fail")


_MARKS = {
    "idempotent": "older callers send it again when an answer stays away, and it would run twice",
    "of the class": "older callers call it on the other side: on the class, or on an instance",
}


def _parameter(old: Part | None, new: Part | None) -> Iterator[tuple[str, str]]:
    """What breaks callers whatever the version."""
    if old is None and new is not None and new.default is None:
        yield "parameter added without a default", "an older caller does not send it"
    elif new is None:
        yield "parameter removed", "an older caller still sends it: UnknownField"
    elif old is not None:
        change = step(old.type, new.type)
        if change.narrower:
            what = ", ".join(change.lost) or "what the older type may say"
            yield type_change(old.type, new.type, change), f"an older caller may send {what}, which is refused"
        if old.default != new.default and old.default is not None:
            after = f"to {new.default}" if new.default is not None else "away"
            yield f"default changed from {old.default} {after}", "an older caller that leaves it out means the old one"


def _addition(old: Part | None, new: Part | None) -> str:
    """What a raised version announces."""
    if old is not None and new is not None:
        change = step(old.type, new.type)
        if change.changed and not change.narrower:
            return type_change(old.type, new.type, change)
        if old.default is None and new.default is not None:
            return f"became optional, {new.default}"
    return ""


def _result(path: str, old: Signature, new: Signature, bump: str, suggestion: str) -> Iterator[Finding]:
    change = step(old.returns, new.returns)
    words = f"result: {type_change(old.returns, new.returns, change)}"
    if change.wider:
        what = ", ".join(change.gained) or "what only the new type can say"
        yield Finding(Category.RPC, path, words, f"an older caller refuses {what}", WAY_OUT)
    elif change.changed and bump:
        yield Finding(Category.RPC, path, words, "two codes of one version promise different", bump, suggestion)
