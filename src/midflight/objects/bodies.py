"""What a function does, apart from how it is written: a digest that comments, formatting, docstrings and decorators do
not change, and the keys of the wire form that it touches."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from midflight.errors import ProjectError

_DIGITS = 8
_SILENT = frozenset({"ctx", "kind", "type_comment", "type_params", "decorator_list", "annotation", "returns"})
"""Parts of the syntax tree that do not change what a body does, or that only some versions of Python have."""


def digest_of(function: Callable[..., Any]) -> str:
    """8 hexadecimal digits that stand for the function's parameters and body; the same under every Python.

    What the body calls is not part of it. Raises ProjectError where the source is not at hand.
    """
    node = _definition(function)
    parts = [_plain(node.args), *map(_plain, _statements(node))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGITS]


def keys_touched(function: Callable[..., Any]) -> tuple[str, ...]:
    """The keys of its last parameter, the wire form, that a rewrite names in its body; sorted.

    Empty where the body names none: it may then touch any.
    """
    node = _definition(function)
    if isinstance(node, ast.Lambda) or not node.args.args:
        return ()
    wire = node.args.args[-1].arg
    return tuple(sorted({key for part in ast.walk(node) for key in _keys(part, wire)}))


def _definition(function: Callable[..., Any]) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda:
    where = getattr(function, "__qualname__", repr(function))
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError) as wrong:
        reason = f"its source cannot be read, and a release is frozen from the source: {wrong}"
        raise ProjectError(where=where, reason=reason) from None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    found = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    if not found:
        raise ProjectError(where=where, reason="is no function that is written in Python")
    return found[0]


def _statements(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.AST]:
    if isinstance(node, ast.Lambda):
        return [node.body]
    return [*node.body[1:]] if ast.get_docstring(node, clean=False) is not None else [*node.body]


def _plain(node: Any) -> str:
    """A node in text, without what is silent and what is empty."""
    if isinstance(node, ast.Constant):
        return f"Constant({node.value!r})"
    if isinstance(node, ast.JoinedStr):  # some Pythons end its pieces with an empty one
        return f"JoinedStr({', '.join(_plain(piece) for piece in node.values if not _is_empty(piece))})"
    if isinstance(node, ast.AST):
        parts = [f"{name}={_plain(value)}" for name, value in ast.iter_fields(node) if _speaks(name, value)]
        return f"{type(node).__name__}({', '.join(parts)})"
    return f"[{', '.join(map(_plain, node))}]" if isinstance(node, list) else repr(node)


def _is_empty(piece: ast.expr) -> bool:
    return isinstance(piece, ast.Constant) and piece.value == ""


def _speaks(name: str, value: Any) -> bool:
    return name not in _SILENT and value is not None and value != []


def _keys(node: ast.AST, wire: str) -> Iterator[str]:
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))) if name == wire:
            yield key
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[ast.Constant(value=str(key)), *_]) if (
            name == wire
        ):
            yield key
        case ast.Compare(left=ast.Constant(value=str(key)), comparators=[ast.Name(id=name)]) if name == wire:
            yield key
