"""Bytes that are read piece by piece, so that bad ones cost time in proportion to their size.

Dicts and sets are quick because the hashes of what they hold differ. But whoever knows how Python hashes numbers, and
so UUIDs, Decimals and tuples, can send 16,000 keys with one hash: 300 kB, which take 9 seconds to become a dict.
msgspec makes dicts as it reads. So it reads no more than 8 kB at once, where such a dict takes milliseconds; what is
larger is taken apart first, and before many things become a dict or a set, their hashes are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from midflight.errors import MalformedMessage
from midflight.objects.coercion import Refused

AT_ONCE = 8192
"""So many bytes are read at once."""
ALIKE = 64
"""So many different things with one hash may be in one dict or set. Honest ones are a handful: of all powers of two, 34
have one hash."""
DEPTH = 64
"""So deep may nest what is larger than that: each step down goes through all of it."""

Bytes = bytes | msgspec.Raw

_generic = msgspec.msgpack.Decoder(Any)
_pieces = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError, MemoryError)
"""What msgspec raises for bytes that are no MessagePack, or that it cannot hold."""


def tree(data: Bytes, path: str) -> Any:
    """Plain values, whatever is in the bytes. Raises MalformedMessage."""
    with _told(path):
        return _tree(data, 0)


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except RecursionError:  # whoever began says what it was that is nested too deep
        raise
    except (*UNREADABLE, Refused, TypeError) as wrong:  # TypeError: a key that is a dict
        reason = f"{path or 'its body'}: {str(wrong) or type(wrong).__name__}"
        raise MalformedMessage(sender="a peer", reason=reason) from None


def _tree(data: Bytes, depth: int) -> Any:
    if len(data) <= AT_ONCE:
        return _generic.decode(data)
    if depth > DEPTH:
        raise Refused(data, f"at most {AT_ONCE} bytes below {DEPTH} levels")
    if is_map(data):
        keys, values = _pairs(data)
        plain = [_as_key(_tree(key, depth + 1)) for key in keys]
        tell_apart(plain)
        return dict(zip(plain, (_tree(value, depth + 1) for value in values), strict=True))
    if is_array(data):
        return [_tree(item, depth + 1) for item in _pieces(data)]
    return _generic.decode(data)


def _as_key(plain: Any) -> Any:
    return tuple(map(_as_key, plain)) if isinstance(plain, list) else plain


def is_array(data: Bytes) -> bool:
    """Whether the bytes are a list, by the MessagePack specification: fixarray, array 16, array 32."""
    first = memoryview(data)[0]
    return 0x90 <= first <= 0x9F or first in (0xDC, 0xDD)


def is_map(data: Bytes) -> bool:
    """Whether they are a dict: fixmap, map 16, map 32."""
    first = memoryview(data)[0]
    return 0x80 <= first <= 0x8F or first in (0xDE, 0xDF)


def pieces_of(data: Bytes, path: str) -> list[msgspec.Raw]:
    """The pieces of a list, unopened. Raises MalformedMessage."""
    with _told(path):
        return _pieces(data)


def pairs_of(data: Bytes, path: str) -> tuple[list[msgspec.Raw], list[msgspec.Raw]]:
    """The keys and the values of a dict, unopened. Raises MalformedMessage."""
    with _told(path):
        return _pairs(data)


def _pairs(data: Bytes) -> tuple[list[msgspec.Raw], list[msgspec.Raw]]:
    """A map is written as a list of twice its length."""
    view = memoryview(data)
    width = {0xDE: 2, 0xDF: 4}.get(view[0], 0)
    length = int.from_bytes(view[1 : 1 + width], "big") if width else view[0] & 0x0F
    flat = _pieces(b"\xdd" + (2 * length).to_bytes(4, "big") + view[1 + width :])
    return flat[::2], flat[1::2]


def tell_apart(keys: Sequence[Any]) -> None:
    """Raises Refused for things of which too many have one hash to become a dict or a set."""
    if len(keys) <= ALIKE:
        return
    ((common, number),) = Counter(map(hash, keys)).most_common(1)
    if number <= ALIKE:
        return
    first, *others = (key for key in keys if hash(key) == common)
    if sum(other != first for other in others) >= ALIKE:
        raise Refused(keys, f"at most {ALIKE} different values with one hash")
