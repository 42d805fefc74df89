"""Ethernet addresses."""

from __future__ import annotations

import re
from typing import Self

from house.lan.errors import BadAddress

_TEXT = re.compile(r"([0-9a-f]{1,2})([:-])([0-9a-f]{1,2})((?:\2[0-9a-f]{1,2}){4})", re.IGNORECASE)
_EXPECTED = "the MAC address of one machine, like 00:16:3e:1a:2b:3c"


class Mac(bytes):
    """Six bytes that read as ``00:16:3e:1a:2b:3c``."""

    def __str__(self) -> str:
        return self.hex(":")

    def __repr__(self) -> str:
        return f"Mac({self})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address of a machine, written with colons or hyphens, as in /etc/ethers with or without leading zeros.

        Raises BadAddress, also for groups and for zeros: no machine has them.
        """
        if not _TEXT.fullmatch(text):
            raise BadAddress(text, _EXPECTED)
        mac = cls(int(part, 16) for part in re.split("[:-]", text))
        if mac[0] & 1 or not any(mac):
            raise BadAddress(text, _EXPECTED)
        return mac


BROADCAST = Mac(b"\xff" * 6)
UNKNOWN = Mac(6)
