"""Faults: how errors cross the wire.

midflight's own errors cross by name with their facts, and those that the project lists in ``errors`` by name with their
plain arguments. Everything else becomes RemoteError, and so does every name that is on neither list: a received name is
looked up, never imported. Tracebacks stay at home, in the callee's log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from midflight import errors
from midflight.errors import MidflightError, NotDelivered, ProjectError, RemoteError
from midflight.rpc.messages import Fault

_OURS: dict[str, type[MidflightError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, MidflightError)
}
_LONGEST = 2_000
"""Characters of a message or fact that travel, so that the answer to a large mistake is not itself too large."""


class Faults:
    """The errors that cross between the members of one project. Raises ProjectError for what is no exception."""

    def __init__(self, project_errors: Iterable[type[Exception]] = ()) -> None:
        self._project: dict[str, type[Exception]] = {}
        for kind in project_errors:
            if not _is_error(kind):
                raise ProjectError(where=f"Project(errors=…{kind!r}…)", reason="is no class of exceptions")
            if self._project.setdefault(kind.__name__, kind) is not kind:
                raise ProjectError(where=f"Project(errors=…{kind.__name__}…)", reason="two errors of one name")

    def fault(self, error: BaseException, *, ran: bool = True) -> Fault:
        """What the caller is told. Never raises. ``ran`` is False for an error that came before the work began."""
        kind = type(error).__name__
        if ran and isinstance(error, NotDelivered):  # of a call that the callee made; ours did run
            return Fault(family="other", kind=kind, message=text_of(error))
        if isinstance(error, MidflightError):
            family = "midflight" if _OURS.get(kind) is type(error) else "project"
            if self._knows(error, family, error.facts.values()):
                return Fault(family=family, kind=kind, facts={name: _clean(fact) for name, fact in error.facts.items()})
        elif self._knows(error, "project", error.args):
            return Fault(family="project", kind=kind, args=tuple(map(_clean, error.args)), message=text_of(error))
        return Fault(family="other", kind=kind, message=text_of(error))

    def _knows(self, error: BaseException, family: str, parts: Iterable[Any]) -> bool:
        known: dict[str, Any] = _OURS if family == "midflight" else self._project
        return known.get(type(error).__name__) is type(error) and all(map(_is_plain, parts))

    def crosses(self, error: BaseException) -> bool:
        """Whether the caller will see this very error."""
        return self.fault(error).family != "other"

    def error(self, fault: Fault | None, what: str, callee: str) -> Exception:
        """The error for the caller. Never raises, whatever the callee sent."""
        fault = fault or Fault(family="other", kind="Fault", message="it did not say why")
        try:
            found = self._known(fault)
        except Exception:  # noqa: BLE001  # the peer's arguments may not fit our class of that name
            found = None
        return found or RemoteError(what=what, callee=callee, kind=fault.kind, message=fault.message or _spread(fault))

    def _known(self, fault: Fault) -> Exception | None:
        if fault.family == "midflight" and fault.kind in _OURS:
            return _OURS[fault.kind](**fault.facts)
        if fault.family == "project" and fault.kind in self._project:
            made = self._project[fault.kind](*fault.args, **fault.facts)
            str(made)  # raises where our class cannot show what the peer's knew: then the peer's own text is better
            return made
        return None


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)


def _is_plain(part: Any) -> bool:
    if type(part) is int:
        return -(2**63) <= part < 2**64
    return part is None or type(part) in (str, float, bool)


def _clean(part: Any) -> Any:
    """A text that can be sent: bounded, and without half characters."""
    if not isinstance(part, str):
        return part
    text = part if len(part) <= _LONGEST else part[:_LONGEST] + "…"
    return text.encode("utf-8", "replace").decode()


def text_of(error: BaseException) -> str:
    """What an error says, whatever its class makes of that."""
    try:
        return str(_clean(str(error)))
    except Exception:  # noqa: BLE001  # a project's __str__ may be wrong, and the caller still wants an answer
        return f"({type(error).__name__}, whose text cannot be shown)"


def _spread(fault: Fault) -> str:
    return ", ".join([*map(repr, fault.args), *(f"{name}={value!r}" for name, value in fault.facts.items())])
