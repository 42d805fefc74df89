from datetime import UTC, datetime

import pytest

from compute.interfaces import ComputeAPI
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.project import project
from compute.states import PowerState, TaskState, VmState
from midflight import Context, PinnedOut, clone, to_json

KILO = project.release("kilo").manifest


async def test_the_release_before_gets_what_it_understands(context: Context, small: Flavor) -> None:
    """What it does not know is left out, and refused where it was to be kept."""
    instance = Instance(context=context, display_name="x", flavor=small)
    assert "paused_at" not in to_json(instance, KILO)
    for name, value in (
        ("paused_at", datetime(2015, 10, 15, tzinfo=UTC)),
        ("vm_state", VmState.PAUSED),
        ("power_state", PowerState.PAUSED),
        ("task_state", TaskState.PAUSING),
    ):
        changed = clone(instance)
        setattr(changed, name, value)
        with pytest.raises(PinnedOut, match=f"Instance.{name} = .* needs Instance 1.18"):
            to_json(changed, KILO)


def test_a_paused_machine_is_one_that_runs(small: Flavor) -> None:
    """To who asks and knows no better; whatever is done to it, something is."""
    wire = {"vm_state": "paused", "power_state": "paused", "task_state": "resuming"}
    Instance(display_name="x", flavor=small).paused_was_called_running(wire)
    assert wire == {"vm_state": "active", "power_state": "running", "task_state": "unknown"}


def test_who_may_pause_a_machine() -> None:
    """The API alone; whoever may do more, may since the release before, whose callers must go on."""
    endpoints = project.contract.interface(ComputeAPI.topic).endpoints
    allowed = {name: spec.allow for name, spec in endpoints.items() if spec.allow is not None}
    assert allowed == {"pause": {"api"}, "resume": {"api"}}


def test_the_code_is_the_release_that_was_frozen() -> None:
    """Whoever changes what travels freezes a new release."""
    frozen = project.releases[-1].manifest
    assert dict(project.contract.manifest) == {name: frozen[name] for name in project.contract.manifest}
