"""The kinds of containers: lists, sets, frozensets, tuples and dicts, of any kinds, in one another."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from operator import is_, ne
from typing import Any

import msgspec

from midflight.objects.coercion import Refused, step
from midflight.objects.leaves import Kind
from midflight.objects.piecewise import AT_ONCE, UNREADABLE, Bytes, is_array, is_map, pairs_of, pieces_of, tell_apart
from midflight.versions import Manifest


class ListOf(Kind):
    """A list, set, frozenset or tuple of one kind."""

    def __init__(self, container: type, item: Kind) -> None:
        self.container, self.item = container, item
        self.wire_type = types.GenericAlias(container, (item.wire_type, ...) if container is tuple else item.wire_type)
        self.name = f"{container.__name__}[{item.name}{', ...' if container is tuple else ''}]"
        self.mutable = container in (list, set) or item.mutable
        if not item.mutable:  # natively: asked for whatever was read, and for each copy
            self.differs = ne  # type: ignore[method-assign, assignment]  # it takes the same
            self.copied = container  # type: ignore[method-assign]  # likewise
        elif container is list:
            self.copied = item.copied_each  # type: ignore[method-assign, assignment]  # likewise
        self.objects, self.plain, self.own_keys = item.objects, item.plain, item.own_keys
        self.is_list_of_objects = container is list and item.is_object

    def convert(self, value: Any) -> Any:
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            raise Refused(value, self.name)
        return self._made(_each(value, self.item.convert))

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        if not isinstance(wire, list | tuple | set | frozenset):
            raise Refused(wire, self.name).at(path)
        return self._made_at(path, [self.item.build(item, f"{path}[{at}]", sender) for at, item in enumerate(wire)])

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        if not is_array(data):
            return super().read_large(data, path, sender)
        pieces = pieces_of(data, path)
        return self._made_at(path, self._read_natively(pieces) or self._read_each(pieces, path, sender))

    def _read_natively(self, pieces: list[msgspec.Raw]) -> list[Any] | None:
        """None where not all of them can be."""
        decode = self.item.decoder.decode
        try:
            return [decode(piece) for piece in pieces] if max(map(len, pieces), default=0) <= AT_ONCE else None
        except (*UNREADABLE, ValueError):
            return None

    def _read_each(self, pieces: list[msgspec.Raw], path: str, sender: Manifest | None) -> list[Any]:
        return [self.item.read(piece, f"{path}[{at}]", sender) for at, piece in enumerate(pieces)]

    def _made(self, items: list[Any]) -> Any:
        if self.container in (set, frozenset):
            tell_apart(items)
        return self.container(items)

    def _made_at(self, path: str, items: list[Any]) -> Any:
        try:
            return self._made(items)
        except Refused as refused:
            raise refused.at(path) from None

    def snapshot(self, value: Any) -> Any:
        if self.item.is_object:
            return list(value)
        return [self.item.snapshot(item) for item in value] if self.item.mutable else self.container(value)

    def differs(self, value: Any, snapshot: Any) -> bool:
        if self.item.is_object:
            return len(value) != len(snapshot) or not all(map(is_, value, snapshot))
        return len(value) != len(snapshot) or any(map(self.item.differs, value, snapshot))

    def copied(self, value: Any) -> Any:
        return self.container(self.item.copied_each(value))

    def mapped(self, value: Any, change: Callable[[Any], Any]) -> Any:
        return [self.item.mapped(item, change) for item in value] if self.objects else value

    def inside(self, value: Any) -> Iterable[Any]:
        if self.item.is_object:
            items: Iterable[Any] = value
            return items
        return chain.from_iterable(map(self.item.inside, value)) if self.objects else ()


def _each(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """All of them converted. Raises Refused that names the place of the wrong one."""
    done: list[Any] = []
    try:
        for value in values:
            done.append(convert(value))  # noqa: PERF401  # how many are done is the place in the error
    except Refused as refused:
        raise refused.under(f"[{len(done)}]") from None
    return done


class TupleOf(Kind):
    """A tuple of a fixed length, each place with a kind of its own."""

    def __init__(self, items: tuple[Kind, ...]) -> None:
        self.items, self.wire_type = items, types.GenericAlias(tuple, tuple(item.wire_type for item in items))
        self.name = f"tuple[{', '.join(item.name for item in items)}]"
        self.mutable = any(item.mutable for item in items)
        self.objects = tuple(found for item in items for found in item.objects)
        self.plain = all(item.plain for item in items)
        self.own_keys = any(item.own_keys for item in items)

    def convert(self, value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(self.items):
            raise Refused(value, self.name)
        converts = iter(self.items)
        return tuple(_each(value, lambda part: next(converts).convert(part)))

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        if not isinstance(wire, list | tuple) or len(wire) != len(self.items):
            raise Refused(wire, self.name).at(path)
        return tuple(
            item.build(part, f"{path}[{at}]", sender)
            for at, (item, part) in enumerate(zip(self.items, wire, strict=True))
        )

    def snapshot(self, value: Any) -> Any:
        return tuple(item.snapshot(part) for item, part in zip(self.items, value, strict=True))

    def differs(self, value: Any, snapshot: Any) -> bool:
        return any(item.differs(a, b) for item, a, b in zip(self.items, value, snapshot, strict=True))

    def copied(self, value: Any) -> Any:
        return tuple(item.copied(part) for item, part in zip(self.items, value, strict=True))

    def mapped(self, value: Any, change: Callable[[Any], Any]) -> Any:
        return [item.mapped(part, change) for item, part in zip(self.items, value, strict=True)]

    def inside(self, value: Any) -> Iterable[Any]:
        return chain.from_iterable(item.inside(part) for item, part in zip(self.items, value, strict=True))


class DictOf(Kind):
    """A dict from one leaf kind to any kind."""

    mutable = True

    def __init__(self, key: Kind, value: Kind) -> None:
        self.key, self.value, self.objects = key, value, value.objects
        if not value.mutable:
            self.differs = ne  # type: ignore[method-assign, assignment]  # as in ListOf
            self.copied = dict.copy  # type: ignore[method-assign, assignment]  # likewise
        self.plain = key.plain and value.plain
        self.own_keys = value.own_keys or isinstance(
            msgspec.inspect.type_info(key.wire_type), msgspec.inspect.CustomType
        )
        self.wire_type = types.GenericAlias(dict, (key.wire_type, value.wire_type))
        self.name = f"dict[{key.name}, {value.name}]"

    def convert(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Refused(value, self.name)
        pairs = [self._pair(key, item) for key, item in value.items()]
        tell_apart([key for key, _ in pairs])
        return dict(pairs)

    def _pair(self, key: Any, item: Any) -> tuple[Any, Any]:
        try:
            return self.key.convert(key), self.value.convert(item)
        except Refused as refused:
            raise refused.under(step(key)) from None

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        if not isinstance(wire, Mapping):
            raise Refused(wire, self.name).at(path)
        keys = self._keys_at(path, [self.key.build(self._opened(key), path + step(key), sender) for key in wire])
        values = [self.value.build(item, path + step(key), sender) for key, item in wire.items()]
        return dict(zip(keys, values, strict=True))

    def _opened(self, key: Any) -> Any:
        """A key in JSON is text, also where it is a tuple; see ``Lowering``."""
        if not (isinstance(key, str) and isinstance(self.key, TupleOf | ListOf)):
            return key
        try:
            return msgspec.json.decode(key)
        except ValueError:
            return key

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        if not is_map(data):
            return super().read_large(data, path, sender)
        keys, values = pairs_of(data, path)
        made = self._keys_at(path, [self.key.read(key, path, sender) for key in keys])
        return {key: self.value.read(value, path + step(key), sender) for key, value in zip(made, values, strict=True)}

    def _keys_at(self, path: str, keys: list[Any]) -> list[Any]:
        try:
            tell_apart(keys)
        except Refused as refused:
            raise refused.at(path) from None
        return keys

    def snapshot(self, value: Any) -> Any:
        return {k: self.value.snapshot(v) for k, v in value.items()} if self.value.mutable else dict(value)

    def differs(self, value: Any, snapshot: Any) -> bool:
        return value.keys() != snapshot.keys() or any(self.value.differs(v, snapshot[k]) for k, v in value.items())

    def copied(self, value: Any) -> Any:
        return dict(zip(value, self.value.copied_each(value.values()), strict=True))

    def mapped(self, value: Any, change: Callable[[Any], Any]) -> Any:
        return {key: self.value.mapped(item, change) for key, item in value.items()} if self.objects else value

    def inside(self, value: Any) -> Iterable[Any]:
        return chain.from_iterable(map(self.value.inside, value.values())) if self.objects else ()
