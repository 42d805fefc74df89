"""TOML as it is written: Python reads it (tomllib), and has nothing that writes it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

from midflight.errors import InvalidValue

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_EXPECTED = "a str, bool, int, float, date, or time without a zone, or a list or table of them"

_Place = tuple[str, ...]


def dumps(document: Mapping[str, Any]) -> str:
    """The text of a document, which ``tomllib.loads`` reads as the same. Entries keep their order, but for tables, and
    lists of tables, which come last. Raises InvalidValue for what TOML has no word for, with its place:
    ``[app] ports[1]``."""
    return "".join(_table(document, (), "", "")).removeprefix("\n")


def _table(table: Mapping[str, Any], path: _Place, above: str, head: str) -> Iterator[str]:
    """Below its head; the names of its own tables are behind those ``above``."""
    inner = {name: value for name, value in table.items() if _is_table(value) or _are_tables(value)}
    own = [_entry(name, value, path) + "\n" for name, value in table.items() if name not in inner]
    if head and (own or not inner or head.startswith("[[")):
        yield f"\n{head}\n"
    yield from own
    for name, value in inner.items():
        dotted = above + _key(name, path)
        if _is_table(value):
            yield from _table(value, (*path, name), f"{dotted}.", f"[{dotted}]")
        else:
            for number, each in enumerate(value):
                yield from _table(each, (*path, f"{name}[{number}]"), f"{dotted}.", f"[[{dotted}]]")


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _are_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_table, value))


def _entry(name: Any, value: Any, path: _Place) -> str:
    return f"{_key(name, path)} = {_value(value, (*path, str(name)))}"


def _key(name: Any, path: _Place) -> str:
    if not isinstance(name, str):
        raise InvalidValue(path=_place((*path, str(name))), received=f"the key {name!r}", expected="a str")
    return name if _BARE.fullmatch(name) else _text(name, (*path, repr(name)))


def _value(value: Any, path: _Place) -> str:
    """In one line: so a table that is in a list beside what is none stands between braces."""
    match value:
        case str():
            return _text(value, path)
        case float() if not math.isfinite(value):
            return repr(value)
        case bool() | int() | float():
            return json.dumps(value)
        case date() | time(tzinfo=None):  # a datetime is a date, too, and may have a zone
            return value.isoformat()
        case list() | tuple():
            parts = [_value(each, (*path[:-1], f"{path[-1]}[{number}]")) for number, each in enumerate(value)]
            return f"[{', '.join(parts)}]"
        case Mapping():
            return f"{{{', '.join(_entry(name, each, path) for name, each in value.items())}}}"
    raise InvalidValue(path=_place(path), received=repr(value), expected=_EXPECTED)


def _text(text: str, path: _Place) -> str:
    """JSON's escapes are TOML's, but for one character that only TOML forbids. Half of a surrogate pair is no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue(path=_place(path), received=repr(text), expected=_EXPECTED) from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _place(path: _Place) -> str:
    table, *names = path
    return f"[{table}] {'.'.join(names)}" if names else table
