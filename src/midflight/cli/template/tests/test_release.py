"""The code beside the frozen releases."""

from example_fleet.project import project
from midflight import testing

test_release = testing.release_check(project)
"""The releases before survive this code; else it says what is due."""
