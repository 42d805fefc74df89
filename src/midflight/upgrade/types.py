"""Two spellings of a type: what the one can say that the other cannot read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from midflight.upgrade.reading import split

_ENUM = re.compile(r"\b([A-Za-z_]\w*)\(([^()]*)\)")
_LITERAL = re.compile(r"\(([^()]*)\)")
_CODEC = re.compile(r" \{coerce (.+?), encode (.+?), decode (.+?)\}")
_TEXT = re.compile(r"""['"]|(?!(True|False|None)$)[A-Za-z_]""")
_NONE = " | None"


@dataclass(frozen=True)
class Step:
    """From one type to another. ``wider``: it can say what readers of the old type refuse; ``narrower``: it refuses
    what writers of the old type say."""

    wider: bool
    narrower: bool
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """Members of enums that came and went, where that is all."""
    fallback: str = ""
    """What readers of the old type take the new members for, if it is not refused."""
    unknown: str = ""
    """What is done now with members that are not known, if that changed."""
    codec: tuple[str, ...] = ()
    """The parts of a Codec that have another body: ``coerce``, ``encode``, ``decode``."""

    @property
    def changed(self) -> bool:
        return self.wider or self.narrower or bool(self.gained or self.lost or self.unknown or self.codec)

    @property
    def only_in_code(self) -> bool:
        """Whether the wire and what is at rest stay: only assignments are taken otherwise."""
        return self.codec == ("coerce",)


def step(old: str, new: str) -> Step:
    """What leads from one spelling to another. What it cannot tell is both wider and narrower."""
    if old == new:
        return Step(wider=False, narrower=False)
    bare_old, bare_new = old.removesuffix(_NONE), new.removesuffix(_NONE)
    none = Step(wider=bare_new != new and bare_old == old, narrower=bare_old != old and bare_new == new)
    inner = _bare(bare_old, bare_new)
    return replace(inner, wider=none.wider or inner.wider, narrower=none.narrower or inner.narrower)


def _bare(old: str, new: str) -> Step:
    if old == new:
        return Step(wider=False, narrower=False)
    if (old, new) == ("int", "float"):
        return Step(wider=True, narrower=False)
    if old == "str" and texts_of(new):
        return Step(wider=False, narrower=True)
    if new == "str" and texts_of(old):
        return Step(wider=True, narrower=False)
    if codec := _codec(old, new):
        return Step(wider="encode" in codec, narrower="decode" in codec, codec=codec)
    if _skeleton(old) == _skeleton(new):
        return _members(old, new)
    if base_and_limits(old)[0] == base_and_limits(new)[0]:
        before, after = base_and_limits(old)[1], base_and_limits(new)[1]
        return Step(wider=bool(before), narrower=bool(after))
    return Step(wider=True, narrower=True)


def _codec(old: str, new: str) -> tuple[str, ...]:
    """The parts of Codecs that changed, where nothing else did."""
    before, after = _CODEC.findall(old), _CODEC.findall(new)
    if _CODEC.sub("", old) != _CODEC.sub("", new) or len(before) != len(after):
        return ()
    parts = zip(("coerce", "encode", "decode"), zip(*before, strict=True), zip(*after, strict=True), strict=False)
    return tuple(name for name, then, now in parts if then != now)


def _skeleton(text: str) -> str:
    """Without the members; the name of an enum is not on the wire."""
    return _LITERAL.sub("()", _ENUM.sub("()", text))


def _members(old: str, new: str) -> Step:
    before, after = _listed(old), _listed(new)
    gained = tuple(member for member in after if member not in before)
    lost = tuple(member for member in before if member not in after)
    if not gained and not lost and sorted(before) != sorted(after):  # the same members, in other enums
        return Step(wider=True, narrower=True)
    fallback = _fallback(old)
    unknown = _unknown(new) if _fallbacks(old) != _fallbacks(new) else ""
    return Step(bool(gained) and not fallback, bool(lost) and not _fallback(new), gained, lost, fallback, unknown)


def _listed(text: str) -> list[str]:
    return [
        member
        for inside in _LITERAL.findall(text)
        for part in split(inside, " | ")
        for member in split(part.rstrip(","), ", ")
        if not member.startswith("else ")
    ]


def texts_of(type_: str) -> list[str]:
    """The members of an enum or a Literal of texts alone, each of which a reader of ``str`` takes; else nothing."""
    plain = _ENUM.fullmatch(type_) or _LITERAL.fullmatch(type_)
    members = _listed(type_) if plain else []
    return members if all(_TEXT.match(member) for member in members) else []


def _fallback(text: str) -> str:
    """What unknown members are taken for, where all enums inside agree to read them."""
    found = _fallbacks(text)
    return found[0] if found and all(found) else ""


def _fallbacks(text: str) -> list[str]:
    """What unknown members of each enum inside are taken for; empty where they are refused."""
    last = [split(inside, " | ")[-1] for inside in _LITERAL.findall(text)]
    return [member.removeprefix("else ") if member.startswith("else ") else "" for member in last]


def _unknown(text: str) -> str:
    taken = " and ".join(dict.fromkeys(filter(None, _fallbacks(text))))
    return f"takes unknown members for {taken}" if taken else "refuses unknown members"


def base_and_limits(text: str) -> tuple[str, str]:
    """``str`` and ``pattern '^a$', max_length 8``; without constraints, the second is empty."""
    base, brace, limits = text.partition(" {")
    return base, limits.removesuffix("}") if brace else ""


def annotation(text: str) -> str:
    """The spelling as a programmer would write it: an enum by its name, constraints left out."""
    plain = _ENUM.sub(r"\1", re.sub(r" \{.*?\}", "", text))
    return f"Literal[{plain[1:-1].rstrip(',')}]" if plain.startswith("(") else plain


def type_change(old: str, new: str, change: Step) -> str:
    """The change in words."""
    came = f"gained {', '.join(change.gained)}" if change.gained else ""
    went = f"lost {', '.join(change.lost)}" if change.lost else ""
    codec = f"another body of the Codec's {' and '.join(change.codec)}" if change.codec else ""
    parts = filter(None, (came, went, change.unknown, codec))
    return " and ".join(parts) or f"type changed from {old} to {new}"
