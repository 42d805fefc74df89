"""The errors that cross from a callee to its caller, then and now. They have no version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from midflight.upgrade.finding import Category, Finding


def error_findings(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Finding]:
    """What code that catches them would not see. A new one is no such thing: it came as RemoteError before, too."""
    for name, made_from in old.items():
        if name not in new:
            yield Finding(
                Category.RPC, name, "error no longer crosses", f"a caller that catches {name} meets RemoteError",
                f"{name} in Project(errors=…), until no peer in the window catches it",
            )  # fmt: skip
        elif new[name] != made_from:
            yield Finding(
                Category.RPC, name, f"is made from {new[name]}, and was from {made_from}",
                f"neither of two peers can make it from what the other sends: RemoteError, where {name} is caught",
                f"{name}{made_from} as it was, and another error beside it",
            )  # fmt: skip
