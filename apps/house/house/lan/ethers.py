"""/etc/ethers: MAC addresses by name, as etherwake reads them."""

from __future__ import annotations

from pathlib import Path

from house.lan.errors import BadAddress, BadEthers, LanError
from house.lan.mac import Mac

PATH = Path("/etc/ethers")


def read(path: Path = PATH) -> dict[str, Mac]:
    """The addresses by name; empty without such a file. Raises BadEthers, which names the line, and LanError where the
    file may not be read."""
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as wrong:
        raise LanError(f"{path} cannot be read: {wrong.strerror}") from None
    return parse(text, str(path))


def parse(text: str, path: str = str(PATH)) -> dict[str, Mac]:
    """The same, of a text. Raises BadEthers, also for a name with two addresses."""
    found: dict[str, Mac] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2:
            raise BadEthers(path, number, f"received {line.strip()[:60]!r}")
        try:
            mac = Mac.parse(words[0])
        except BadAddress as wrong:
            raise BadEthers(path, number, str(wrong)) from None
        if found.setdefault(words[1], mac) != mac:
            raise BadEthers(path, number, f"{words[1]} is {found[words[1]]} above, and {mac} here")
    return found
