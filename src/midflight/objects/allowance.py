"""``allow=``: the roles that may call a remotable or an endpoint. Who has which role is for the floors above."""

from __future__ import annotations

from collections.abc import Iterable

from midflight.errors import ProjectError

Allow = frozenset[str] | None
"""None stands for everyone."""


def allowed(allow: Iterable[str] | None, where: str) -> Allow:
    """What was given, if it can be meant. Raises ProjectError."""
    if allow is None:
        return None
    names = None if isinstance(allow, str) else list(allow)
    if not names or not all(isinstance(name, str) for name in names):
        reason = f"received allow={allow!r}, expected names of roles, at least one of them: allow=('conductor',)"
        raise ProjectError(where=where, reason=reason)
    return frozenset(names)


def allow_in_words(allow: Allow) -> str:
    """``for api or conductor``, in a frozen release; nothing where everyone is."""
    return f"for {' or '.join(sorted(allow))}" if allow is not None else ""
