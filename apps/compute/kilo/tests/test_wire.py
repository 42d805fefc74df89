import pytest

from compute.interfaces import ComputeAPI
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.project import project
from compute.states import PowerState
from midflight import Context, PinnedOut, to_json

JUNO = project.release("juno").manifest


async def test_the_release_before_gets_what_it_understands(context: Context, small: Flavor) -> None:
    """A crashed machine is one that is shut down; what it does not know is left out, what it cannot keep is refused."""
    instance = Instance(context=context, display_name="x", flavor=small, power_state=PowerState.CRASHED)
    older = to_json(instance, JUNO)
    assert older["power_state"] == "shutdown"
    assert "locked_by" not in older
    assert "description" not in older["flavor"]
    assert to_json(instance)["power_state"] == "crashed"
    instance.locked_by = "ada"
    with pytest.raises(PinnedOut, match="Instance.locked_by = 'ada' needs Instance 1.17"):
        to_json(instance, JUNO)


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
