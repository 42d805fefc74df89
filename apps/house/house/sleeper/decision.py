"""Sleep or stay: pure functions, in seconds that nobody can set and that pass while the machine sleeps."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Standing:
    """What a sleeper remembers from look to look: since when nothing was busy, and until when it need not ask for
    leave again, since it was refused for these reasons."""

    quiet_since: float | None = None
    ask_again_at: float = 0.0
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What comes of a look. ``because`` says why it stays awake, or why it may sleep."""

    sleep: bool
    because: tuple[str, ...]
    sleeps_in: float | None = None
    """Seconds, if nothing changes; None while it is busy."""


def decide(
    standing: Standing, busy: tuple[str, ...], seconds: float, quiet_seconds: float
) -> tuple[Standing, Decision]:
    """What a look changes: ``busy`` are the reasons of all checks, at ``seconds``. It sleeps when nothing was busy for
    ``quiet_seconds``, and it is time to ask for leave."""
    if busy:
        return Standing(), Decision(False, busy)
    quiet_since = seconds if standing.quiet_since is None else standing.quiet_since
    standing = replace(standing, quiet_since=quiet_since)
    sleeps_in = max(quiet_since + quiet_seconds, standing.ask_again_at) - seconds
    if sleeps_in > 0:
        waiting = standing.refused or (f"it has been quiet for {seconds - quiet_since:.0f} of {quiet_seconds:g} s",)
        return standing, Decision(False, waiting, sleeps_in)
    return standing, Decision(True, (f"nothing has needed it for {seconds - quiet_since:.0f} s",), 0.0)


def refused(standing: Standing, reasons: tuple[str, ...], seconds: float, wait_seconds: float) -> Standing:
    """It was refused leave: it asks again after so long, or when somebody says that things have changed."""
    return replace(standing, refused=reasons, ask_again_at=seconds + wait_seconds)


def changed(standing: Standing) -> Standing:
    """Somebody says so: it may ask at once."""
    return replace(standing, refused=(), ask_again_at=0.0)
