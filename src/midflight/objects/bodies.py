"""What a function does, apart from how it is written: a digest that comments, formatting, docstrings and decorators do
not change, and the keys of the wire form that it touches."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from midflight.errors import ProjectError

_DIGITS = 8
_SILENT = frozenset({"ctx", "kind", "type_comment", "type_params", "decorator_list", "annotation", "returns"})
"""Parts of the syntax tree that do not change what a body does, or that only some versions of Python have."""


_LITERAL = (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.expr_context)


def digest_of(function: Callable[..., Any]) -> str:
    """8 hexadecimal digits that stand for the function's parameters and body; the same under every Python.

    What the body names in its module is part of it: constants that are written there, and functions of the project.
    What it reaches by an attribute, a class or a decorator is not. Raises ProjectError where the source is not at hand.
    """
    return _digest(function, frozenset())


def _digest(function: Callable[..., Any], callers: frozenset[Any]) -> str:
    function = inspect.unwrap(function)
    node = _definition(function)
    parts = [_plain(node.args), *map(_plain, _statements(node)), *_behind(function, node, callers | {function})]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGITS]


def _behind(function: Callable[..., Any], node: ast.AST, callers: frozenset[Any]) -> Iterator[str]:
    """The constants and the functions that stand behind its names."""
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    local = {name.id for name in names if not isinstance(name.ctx, ast.Load)}
    local |= {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    for name in sorted({name.id for name in names} - local):
        found = inspect.unwrap(getattr(function, "__globals__", {}).get(name))  # type: ignore[arg-type]  # or anything
        if inspect.isfunction(found) and _family(found) == _family(function):
            if found not in callers:
                yield f"{name} is {_digest(found, callers)}"
        elif (literal := _literals(_source(function)).get(name)) is not None:
            yield f"{name} is {_plain(literal)}"


def _family(function: Callable[..., Any]) -> str:
    """The project, or the library, that a function is of."""
    return (getattr(function, "__module__", None) or "").partition(".")[0]


@functools.lru_cache(maxsize=8)
def _literals(text: str) -> dict[str, ast.expr]:
    """The constants that are written in a module. One that is computed may be another in each process."""
    written: dict[str, ast.expr] = {}
    for node in _parsed(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.expr) and all(isinstance(part, _LITERAL) for part in ast.walk(value)):
            written |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return written


def told(function: Callable[..., Any]) -> str:
    """``to_state 5f3c91aa``: a function by its name and the digest of its body, a lambda by that digest.

    The name alone of a class, of what is not written in Python, and of Python's own functions, whose bodies are not the
    project's to change. Raises ProjectError as digest_of does.
    """
    if isinstance(function, functools.partial):
        given = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in function.keywords.items())]
        return f"{told(function.func)} given [{', '.join(given)}]"
    name: str = getattr(function, "__name__", type(function).__name__)
    called = function if inspect.isroutine(function) or isinstance(function, type) else type(function).__call__
    if not _is_written(called):
        return name
    return f"{'lambda' if _is_lambda(called) else name} {digest_of(called)}"


def _is_written(function: Callable[..., Any]) -> bool:
    """In Python, by the project or a library."""
    function = inspect.unwrap(function)
    python = inspect.isfunction(function) or inspect.ismethod(function)
    return python and _family(function) not in sys.stdlib_module_names


def _is_lambda(function: Callable[..., Any]) -> bool:
    return getattr(function, "__name__", "") == "<lambda>"


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
    function = inspect.unwrap(function)
    try:
        if _is_lambda(function):
            return _lambda(function, where)
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError) as wrong:
        reason = f"its source cannot be read, and a release is frozen from the source: {wrong}"
        raise ProjectError(where=where, reason=reason) from None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    found = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    if not found:
        raise ProjectError(where=where, reason="is no function that is written in Python")
    return found[0]


def _lambda(function: Any, where: str) -> ast.Lambda:
    """The innermost lambda of its line in which all of its code lies: the source of a lambda is no tree of its own."""
    code = function.__code__
    tree = _parsed(_source(function))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and n.lineno == code.co_firstlineno]
    if len(found) > 1:
        places = [(p[0], p[2], p[1], p[3]) for p in code.co_positions() if None not in p and p[3]]
        found = [n for n in found if all(_holds(n.body, place) for place in places) and (places or _is_code(n, code))]
    if not found:
        raise ProjectError(where=where, reason="lambdas in one line cannot be told apart here: give them names")
    return max(found, key=lambda node: (node.lineno, node.col_offset))


def _is_code(node: ast.Lambda, code: CodeType) -> bool:
    """By what it compiles to; for constants, whose place some Pythons do not keep."""
    made = compile(ast.Expression(node), "", "eval").co_consts[0]
    return bool((made.co_code, made.co_consts, made.co_names) == (code.co_code, code.co_consts, code.co_names))


def _source(function: Callable[..., Any]) -> str:
    """All of its module."""
    return "".join(inspect.findsource(function)[0])


@functools.lru_cache(maxsize=8)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _holds(body: ast.expr, place: tuple[Any, ...]) -> bool:
    """Whether a place in the code, by line and column of its begin and end, lies in the body."""
    begin, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    return begin <= place[:2] and place[2:] <= end


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
