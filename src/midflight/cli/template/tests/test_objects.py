"""What travels."""

from example_fleet.jobs import Job
from example_fleet.project import project
from midflight import testing

test_roundtrip = testing.roundtrip(project)
"""Every object survives the way to every release of the skew window, and back."""


def test_only_what_has_changed_is_saved() -> None:
    """So that nobody writes over what others wrote meanwhile."""
    job = Job(text="good morning")
    job.reset_changes()  # as if it had just been loaded
    job.state = "done"
    assert job.changes() == {"state": "done"}
