"""What a project's own tests can stand on. `midflight[testing]` brings what it needs.

``LocalFleet`` is a fleet in one process, which a test disturbs as it likes. ``MixedFleet`` is one of real processes
of several releases, to which random things happen on the way. One line each makes a test of its own:
``roundtrip`` sends every object through every version of the skew window, ``release_check`` and ``db_lint`` hold the
code and its revisions to what peers survive.
"""

from midflight.errors import MissingExtra

try:
    import hypothesis  # noqa: F401  # only to know whether it is there
    import pytest  # noqa: F401  # likewise
except ModuleNotFoundError as missing:
    raise MissingExtra(module=__name__, missing=str(missing.name), extra="testing") from missing

from midflight.testing.checks import db_lint, release_check
from midflight.testing.local_fleet import LocalFleet
from midflight.testing.local_member import LocalMember
from midflight.testing.mixed_fleet import MixedFleet
from midflight.testing.roundtrip import RoundTripFailed, roundtrip

__all__ = ["LocalFleet", "LocalMember", "MixedFleet", "RoundTripFailed", "db_lint", "release_check", "roundtrip"]
