"""Types for fields that Python itself does not have, and the registration of a project's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from midflight.errors import ProjectError

_HEX = re.compile(r"[0-9a-f]{12}")


class Text(str):
    """Text of a certain form; made from any text of that form, and equal to its one spelling."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        return super().__new__(cls, cls.spelled(value))

    @staticmethod
    def spelled(value: str) -> str:
        """The one spelling. Raises ValueError."""
        raise NotImplementedError


class MacAddress(Text):
    """An EUI-48 address: ``MacAddress("52-54-00-AB-CD-EF")`` is ``"52:54:00:ab:cd:ef"``."""

    __slots__ = ()

    @staticmethod
    def spelled(value: str) -> str:
        digits = re.sub(r"[:.-]", "", value).lower()
        if not _HEX.fullmatch(digits):
            raise ValueError(f"{value!r} is no MAC address")
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


class Url(Text):
    """An absolute URL: it has a scheme and a host, and no spaces. Scheme and host are lower case."""

    __slots__ = ()

    @staticmethod
    def spelled(value: str) -> str:
        parts = urlsplit(value)
        if not (parts.scheme and parts.hostname) or re.search(r"[\s\x00-\x1f]", value):
            raise ValueError(f"{value!r} is no absolute URL")
        login, at, _ = parts.netloc.rpartition("@")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port is not None else ""
        return parts._replace(netloc=f"{login}{at}{host}{port}").geturl()


@dataclass(frozen=True)
class Codec:
    """How a type of your own travels, said where it is used: ``Price = Annotated[Money, Codec(…)]``; ``price: Price``.

    ``coerce`` makes a value from whatever is assigned, ``encode`` makes plain values (text, numbers, lists, dicts) from
    it for the wire, ``decode`` is its inverse. A TypeError, ValueError or LookupError that they raise is reported as
    an InvalidValue of the field. Values count as unchangeable: to change one, assign another.

    Within one process a type has one codec, the same in all fields.
    """

    coerce: Callable[[Any], Any]
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


CODECS: dict[type, Codec] = {}
"""The codecs that fields and parameters of this process have named so far. How a value is said depends on its type
alone, since arguments travel beside objects."""


def learn_codec(type_: type, codec: Codec, where: str) -> None:
    """Raises ProjectError for a second, other codec of one type."""
    if CODECS.setdefault(type_, codec) != codec:
        raise ProjectError(where=where, reason=f"{type_.__name__} has another Codec elsewhere: name it once, share it")


def codec_of(type_: type) -> Codec | None:
    """The codec of values of this type: its own, or that of the nearest class that it derives from."""
    return next((CODECS[base] for base in type_.__mro__ if base in CODECS), None)
