"""What a project's own tests can stand on. `midflight[testing]` brings what it needs.

``LocalFleet`` is a fleet in one process, which a test disturbs as it likes. ``MixedFleet`` is one of real processes
of several releases, to which random things happen on the way. One line each makes a test of its own:
``roundtrip`` sends every object through every version of the skew window, ``release_check`` and ``db_lint`` hold the
code and its revisions to what peers survive. ``plugin`` gives pytest fixtures and options for them.

Each name is imported when it is asked for: pytest loads the plugin also where nobody uses it, and a rehearsal needs
neither pytest nor Hypothesis.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midflight.testing.checks import db_lint, release_check
    from midflight.testing.local_fleet import LocalFleet
    from midflight.testing.local_member import LocalMember
    from midflight.testing.mixed_fleet import MixedFleet
    from midflight.testing.round_trip import RoundTripFailed, roundtrip

__all__ = ["LocalFleet", "LocalMember", "MixedFleet", "RoundTripFailed", "db_lint", "release_check", "roundtrip"]

EXTRA = ("hypothesis", "pytest")
"""What the extra brings, as it is imported."""

if not TYPE_CHECKING:  # to a type checker, a module with a __getattr__ has every name
    _MODULES = {
        "LocalFleet": "local_fleet", "LocalMember": "local_member", "MixedFleet": "mixed_fleet",
        "RoundTripFailed": "round_trip", "db_lint": "checks", "release_check": "checks", "roundtrip": "round_trip",
    }  # fmt: skip

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            module = import_module(f"{__name__}.{_MODULES[name]}")
        except ModuleNotFoundError as missing:
            if missing.name not in EXTRA:
                raise
            from midflight.errors import MissingExtra

            raise MissingExtra(module=f"{__name__}.{name}", missing=missing.name, extra="testing") from missing
        globals()[name] = found = getattr(module, name)
        return found

    def __dir__():
        return sorted(globals().keys() | {*__all__})
