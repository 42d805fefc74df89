"""What a project's own tests can stand on.

``test_roundtrip = midflight.testing.roundtrip(project)`` sends every object through every version of the skew window.
"""

from midflight.errors import MissingExtra

try:
    import hypothesis  # noqa: F401  # only to know whether it is there
    import pytest  # noqa: F401  # likewise
except ModuleNotFoundError as missing:
    raise MissingExtra(module=__name__, missing=str(missing.name), extra="testing") from missing

from midflight.testing.roundtrip import RoundTripFailed, roundtrip

__all__ = ["RoundTripFailed", "roundtrip"]
