import pytest

from compute.interfaces import ComputeAPI
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.project import project
from compute.states import PowerState
from midflight import Context, PinnedOut, clone, to_json

JUNO = project.release("juno").manifest


async def test_the_release_before_gets_what_it_understands(context: Context, small: Flavor) -> None:
    """What it does not know is left out, and refused where it was to be kept."""
    instance = Instance(context=context, display_name="x", flavor=small)
    older = to_json(instance, JUNO)
    assert "locked_by" not in older
    assert "description" not in older["flavor"]
    for name, value in (("locked_by", "ada"), ("power_state", PowerState.CRASHED)):
        changed = clone(instance)
        setattr(changed, name, value)
        with pytest.raises(PinnedOut, match=f"Instance.{name} = .* needs Instance 1.17"):
            to_json(changed, JUNO)


def test_a_crashed_machine_is_one_that_is_shut_down(small: Flavor) -> None:
    """To who asks and knows no better."""
    wire = {"power_state": "crashed"}
    Instance(display_name="x", flavor=small).crashed_was_called_shutdown(wire)
    assert wire == {"power_state": "shutdown"}


def test_building_an_instance_can_be_said_to_both_majors() -> None:
    """An agent before 4.0 gets the flavor's id, and what it would send is understood."""
    flavor = Flavor(id=7, name="small", memory_mb=512, vcpus=1)
    instance = Instance(display_name="x", flavor=flavor)
    old = ComputeAPI.flavor_by_its_id(instance, flavor)
    assert old == {"instance": instance, "flavor_id": 7}
    assert ComputeAPI.flavor_was_an_id(**old) == {"instance": instance, "flavor": flavor}
    forms = project.contract.interface("compute").forms
    assert "build_instance" in forms[3]
    assert "build_and_run_instance" in forms[4]


def test_the_code_is_the_release_that_was_frozen() -> None:
    """Whoever changes what travels freezes a new release."""
    frozen = project.releases[-1].manifest
    assert dict(project.contract.manifest) == {name: frozen[name] for name in project.contract.manifest}
