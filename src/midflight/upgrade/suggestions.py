"""Lines of Python to paste: a new version, a birthday, a backport."""

from __future__ import annotations

import re

from midflight.upgrade.reading import Part
from midflight.upgrade.types import Step, annotation, texts_of
from midflight.versions import Version

_CALL = re.compile(r"(\w+)\(\)(?: body .+)?")
_HIDDEN = "***"
_BARE = re.compile(r"[A-Za-z_][\w./+-]*")
_QUOTES = "'\""
_EMPTY = {"[]": "list", "{}": "dict", "set()": "set", "()": "tuple", "frozenset()": "frozenset"}
_LIST = re.compile(r"(list|set|frozenset)\[(\w+)\]")
_SIMPLE = frozenset({"int", "str", "float", "bool"})


def class_line(name: str, version: Version, base: str = "VersionedObject") -> str:
    """The head of an object's class."""
    return f'class {name}({base}, version="{version}"):'


def field_line(name: str, part: Part, **marks: str) -> str:
    """The declaration of a field with more marks; without a default it gets None, or the type's own empty value."""
    type_, default = annotation(part.type), _default(part)
    container = type_.partition("[")[0]
    if default is None and container in _EMPTY.values():
        default = f"default_factory={container}"
    elif default is None and not type_.endswith("| None"):
        type_, default = f"{type_} | None", "default=None"
    given = [default or "default=None", *(f'{mark}="{value}"' for mark, value in marks.items())]
    given += [f"{mark.replace('-', '_')}=True" for mark in ("read-only", "sensitive") if mark in part.marks]
    given += [f'column="{part.row["column"].strip(_QUOTES)}"'] if "column" in part.row else []
    return f"    {name}: {type_} = field({', '.join(given)})"


def _default(part: Part) -> str | None:
    if part.default is None:
        return None
    if part.default in _EMPTY:
        return f"default_factory={_EMPTY[part.default]}"
    if made := _CALL.fullmatch(part.default):
        return f"default_factory={'lambda: ...' if made[1] == 'lambda' else made[1]}"
    return f"default={value_line(part)}"


def value_line(part: Part) -> str:
    """The default as a programmer would write it: a member of an enum by its value, and no hidden one."""
    if part.default == _HIDDEN:
        return "..."
    if part.default and _BARE.fullmatch(part.default) and part.default not in ("None", "True", "False"):
        return f'{annotation(part.type).removesuffix(" | None")}("{part.default}")'
    return _double_quoted(part.default or "None")


def _double_quoted(text: str) -> str:
    plain = text[1:-1]
    return f'"{plain}"' if re.fullmatch(r"'[^'\"\\]*'", text) else text


def backport_lines(name: str, old: Part, new: Part, step: Step, before: Version) -> str:
    """A named backport that says a field in its older type."""
    lossy = bool(step.gained) or old.type + " | None" == new.type
    if step.gained:
        body = _members_back(name, old, step)
    elif old.type + " | None" == new.type:
        body = f'        if wire.get("{name}", ...) is None:\n            wire["{name}"] = {_stand_in(old)}'
    else:
        body = f'        if "{name}" in wire:\n            wire["{name}"] = {_converted(name, new.type, old.type)}'
    mark = ", lossy=True" if lossy else ""
    return (
        f'    @backport(before="{before}"{mark})\n    def {name}_was_{_word(old.type)}(self, wire: Wire) -> None:\n'
        f'        """Before {before}, {name} was {annotation(old.type)}."""\n{body}'
    )


def forwardport_lines(name: str, old: Part, new: Part, step: Step, since: Version) -> str:
    """A named forwardport that brings a field of the older type into its newer one."""
    if old.type.removesuffix(" | None") == "str" and (texts := texts_of(new.type.removesuffix(" | None"))):
        known = ", ".join(map(_quoted, texts))
        body = f'        if wire.get("{name}") not in ({known}, None):\n            wire["{name}"] = {_stand_in(new)}'
    elif step.lost:
        known = ", ".join(map(_quoted, step.lost))
        body = f'        if wire.get("{name}") in ({known},):\n            wire["{name}"] = {_stand_in(new)}'
    elif new.type + " | None" == old.type:
        body = f'        if wire.get("{name}", ...) is None:\n            wire["{name}"] = {_stand_in(new)}'
    else:
        body = f'        if "{name}" in wire:\n            wire["{name}"] = {_converted(name, old.type, new.type)}'
    return (
        f'    @staticmethod\n    @forwardport(since="{since}")\n'
        f"    def {name}_becomes_{_word(new.type)}(wire: Wire) -> None:\n"
        f'        """Since {since}, {name} is {annotation(new.type)}."""\n{body}'
    )


def _members_back(name: str, old: Part, step: Step) -> str:
    gained = ", ".join(map(_quoted, step.gained))
    return f'        if wire.get("{name}") in ({gained},):\n            wire["{name}"] = {_stand_in(old)}'


def _stand_in(part: Part) -> str:
    """A value of the type: its default, the first member of an enum, or the type's own empty value."""
    if part.default not in (None, "None", _HIDDEN) and not _CALL.fullmatch(part.default or ""):
        return _quoted(part.default or "")
    if members := re.search(r"\(([^()|]+)", part.type):
        return _quoted(members[1].strip().split(", ")[0])
    plain = annotation(part.type).removesuffix(" | None").partition("[")[0]
    return {"list": "[]", "dict": "{}", "set": "[]"}.get(plain, f"{plain}()" if plain in _SIMPLE else '""')


def _quoted(value: str) -> str:
    bare = _BARE.fullmatch(value) and value not in ("None", "True", "False")
    return f'"{value}"' if bare else _double_quoted(value)


def _converted(name: str, from_: str, to: str) -> str:
    value, wanted = f'wire["{name}"]', annotation(to)
    if wanted in _SIMPLE:
        return f"{wanted}({value})"
    items = _LIST.fullmatch(wanted)
    if items and items[2] in _SIMPLE and _LIST.fullmatch(annotation(from_)):
        return f"[{items[2]}(item) for item in {value}]"
    return f"{value}  # say {f'{annotation(from_)} as {wanted}' if annotation(from_) != wanted else 'it as before'}"


def _word(type_: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", annotation(type_).lower())) or "another"
