import pytest

from midflight.conductor.interface import Fleet
from midflight.upgrade import plan
from midflight.upgrade.aim import Aim
from tests.upgrade.fleets import KILO, cloud, flavors, fleet, lost, member, proven


def mixed_agents() -> Fleet:
    """Control services new, one agent new, one old."""
    members = member("api", "a", "kilo"), member("compute", "n1", "kilo"), member("compute", "n2")
    return fleet(*members)


JOURNEY = [
    ("prepare", fleet(lost("api", "a"), schema_release="juno", pins={})),
    ("schema", cloud(schema_release="juno", pins={})),
    ("pin", cloud(pins={})),
    ("control", cloud()),
    ("soak", cloud("kilo", "juno")),
    ("roll", mixed_agents()),
    ("unpin", cloud("kilo", "kilo")),
    ("data", cloud("kilo", "kilo", pins={}, migrations=[flavors(completed=3)])),
    ("finalize", cloud("kilo", "kilo", pins={}, migrations=[proven()])),
]


@pytest.mark.parametrize(("name", "fleet"), JOURNEY, ids=[name for name, _ in JOURNEY])
def test_the_next_step_is_told_from_the_facts(name: str, fleet: Fleet) -> None:
    """At each point of an upgrade, what is before it is done, and what is behind it ahead."""
    number = [step.name for step in plan.STEPS].index(name)
    assert plan.here(fleet, KILO) == number
    standings = [progress.value for _, progress in plan.progress(fleet, KILO)]
    assert standings == ["done"] * number + ["here"] + ["ahead"] * (8 - number)


def test_a_finalized_fleet_is_done() -> None:
    """No step is left."""
    done = cloud("kilo", "kilo", pins={}, migrations=[proven(form="new")], store_floor="kilo")
    assert plan.here(done, KILO) == len(plan.STEPS)


def test_a_fleet_of_the_first_release_has_nothing_to_upgrade() -> None:
    """There was nothing before it."""
    first = Aim("juno", ("juno",), frozenset({"compute"}))
    assert plan.here(cloud(pins={}, migrations=[], schema_release="juno"), first) == len(plan.STEPS)


def test_rolling_a_service_back_takes_the_plan_back() -> None:
    """One old api among new ones: control is to be done again."""
    back = fleet(member("api", "a", "kilo"), member("api", "b", "juno"), member("compute", "n1", "kilo"))
    assert plan.STEPS[plan.here(back, KILO)].name == "control"


def test_commands_name_the_releases() -> None:
    """As they are to be typed."""
    said = [step.say(KILO) for step in plan.STEPS]
    assert said[0] == "midflight upgrade plan kilo"
    assert said[2] == "midflight pin set juno"
    assert plan.STEPS[6].say_back(KILO) == "midflight pin set juno"


def test_a_step_is_found_by_name_and_number() -> None:
    """And nothing else."""
    assert plan.step("soak") is plan.step("4") is plan.STEPS[4]
    assert plan.step("soka") is None
