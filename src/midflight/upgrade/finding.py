"""What `release check` finds: a change that some peer would not survive, or could not see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Category(StrEnum):
    """Who notices first."""

    CODE = "code"
    """Code that uses the class."""
    RPC = "rpc"
    """Callers of an endpoint or a remotable."""
    WIRE = "wire"
    """Peers that read or write the object."""
    STORE = "store"
    """Objects that an older release wrote, on their way or at rest."""


@dataclass(frozen=True)
class Finding:
    """One change, who breaks by it, what is due, and lines to paste."""

    category: Category
    path: str
    change: str
    breaks: str
    due: str
    suggestion: str = ""
    peers: tuple[str, ...] = ()
    """The releases in the window that break, oldest first."""
    met_in: tuple[str, ...] = ()
    """Where a peer meets the object, though it never asked for it."""

    def to_wire(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = ("path", "change", "breaks", "due", "suggestion")
        lists = {"peers": list(self.peers), "met_in": list(self.met_in)}
        return {"category": self.category.value, **lists, **{name: getattr(self, name) for name in names}}


def merged(found: Iterable[tuple[str, Finding]]) -> list[Finding]:
    """One finding for each change, with all releases that break by it; in the order of their paths.

    ``found`` is by release, oldest first; the words for the newest are kept, since its users are the next to meet it.
    """
    by_change: dict[tuple[str, str], Finding] = {}
    for peer, finding in found:
        key = finding.path, finding.change
        peers = by_change[key].peers if key in by_change else ()
        by_change[key] = replace(finding, peers=(*peers, peer))
    return sorted(by_change.values(), key=lambda finding: finding.path)
