"""What is found in a revision: a code, the cause, whom it would hit, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from midflight.db.lint.facts import TableFacts
from midflight.errors import ProjectError


class Severity(StrEnum):
    """How bad it is. An error keeps a revision from being applied in peace."""

    ERROR = "error"
    WARN = "warn"
    WAIVED = "waived"


class Code(StrEnum):
    """All that can be found, each once for a revision and a table."""

    FAILS = "fails"
    REWRITE = "rewrite"
    SCAN = "scan-under-lock"
    ROWS = "rows-changed"
    WHOLE = "whole-table"
    EXPLICIT = "explicit-lock"
    ACROSS = "lock-held-across"
    SEVERAL = "several-locks"
    LONG = "long-hold"
    TIMEOUT = "sets-timeout"
    LEAVES = "leaves-transaction"
    REMOVES = "removes"
    INVALID = "left-invalid"
    UNIQUE = "new-unique"
    CHECK = "new-check"
    FOREIGN = "new-foreign-key"
    INCOMPATIBLE = "incompatible"
    UNSEEN = "no-rows"
    EXPIRED = "expired-waiver"
    IDLE = "idle-waiver"
    SQUAWK = "squawk"


ALWAYS_WARN = {Code.SEVERAL, Code.UNSEEN, Code.IDLE, Code.SQUAWK}
BY_SIZE = {Code.REWRITE, Code.SCAN, Code.ROWS, Code.WHOLE}
"""What takes as long as there are rows: harmless where production has few."""
FEW_ROWS = 1000
FEW_BYTES = 10_000_000
FEW_WRITES = 10.0
"""What is within all three is read, or written anew, within milliseconds, and hits few who write: per second."""


@dataclass(frozen=True)
class Finding:
    """One of them."""

    code: Code
    revision: str
    table: str
    cause: str
    hits: str
    rewrite: str
    severity: Severity = Severity.ERROR

    def weighed(self, facts: Mapping[str, TableFacts]) -> Finding:
        """With the severity that production's tables give it; without facts, large tables are assumed."""
        known = facts.get(self.table)
        if self.code in ALWAYS_WARN:
            return replace(self, severity=Severity.WARN)
        if self.code in BY_SIZE and known is not None:
            cause = f"{self.cause}; production has {known}"
            few = known.rows <= FEW_ROWS and known.bytes <= FEW_BYTES and known.writes_per_second <= FEW_WRITES
            return replace(self, cause=cause, severity=Severity.WARN if few else Severity.ERROR)
        return self


def waived(findings: Iterable[Finding], revision: str, module: Any, today: date) -> list[Finding]:
    """The same, held against the revision's ``waivers``: code, or ``code:table`` → (reason, the last day it holds).

    Raises ProjectError for waivers of another form.
    """
    found, used = list(findings), set[str]()
    waivers = _waivers(module)
    result: list[Finding] = []
    for finding in found:
        name = next((name for name in (f"{finding.code}:{finding.table}", str(finding.code)) if name in waivers), None)
        if name is None:
            result.append(finding)
            continue
        used.add(name)
        reason, until = waivers[name]
        if until >= today:
            result.append(replace(finding, severity=Severity.WAIVED, cause=f"{finding.cause} (waived: {reason})"))
        else:
            result += [finding, _about(Code.EXPIRED, revision, f"the waiver {name} ({reason}) held until {until}")]
    idle = [name for name in waivers if name not in used]
    return result + [_about(Code.IDLE, revision, f"the waiver {name} waives nothing") for name in idle]


def _about(code: Code, revision: str, cause: str) -> Finding:
    severity = Severity.WARN if code in ALWAYS_WARN else Severity.ERROR
    return Finding(code, revision, "", cause, "whoever relies on it", "mend the revision, or its waivers", severity)


def _waivers(module: Any) -> Mapping[str, tuple[str, date]]:
    given = getattr(module, "waivers", {})
    expected = 'waivers = {"rewrite:instances": ("two hundred rows", date(2026, 12, 31))}'
    if not isinstance(given, Mapping):
        raise ProjectError(where=str(module.__file__), reason=f"received waivers {given!r}, expected {expected}")
    for name, said in given.items():
        known = re.fullmatch(rf"({'|'.join(Code)})(:\S+)?", str(name))
        fits = isinstance(said, tuple) and len(said) == 2 and isinstance(said[1], date) and str(said[0]).strip()
        if not known or not fits:
            reason = f"received the waiver {name!r}: {said!r}, expected {expected}"
            raise ProjectError(where=str(module.__file__), reason=reason)
    return given
