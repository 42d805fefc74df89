"""Plans: drawn from a seed, said in words, and made shorter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight.errors import InvalidValue
from midflight.testing.plans import PINNED, Act, Plan, drawn, read, said, shortest

MEMBERS = ["conductor-1", "conductor-2", "api-1", "compute-1"]


@given(st.integers(0, 2**32))
def test_a_plan_is_read_as_it_was_said(seed: int) -> None:
    """Whatever a seed stands for, it stands for it again, and so do its words."""
    plan = drawn(seed, ["kilo", "liberty"], MEMBERS)
    assert plan == drawn(seed, ["kilo", "liberty"], MEMBERS) == read(said(plan))
    assert {act.release for act in plan} == {"kilo", "liberty"}
    assert not [act for act in plan if act.phase == "unpinned" and act.verb not in ("restart", "kill")]


def test_seeds_reach_all_that_can_happen() -> None:
    """Each verb to each member."""
    acts = {(act.verb, act.member) for seed in range(200) for act in drawn(seed, ["kilo"], MEMBERS)}
    assert acts == {(verb, member) for verb in PINNED for member in MEMBERS}


@pytest.mark.parametrize(
    "text", ["kill api-1", "kilo pinned: explode api-1", "kilo later: kill api-1", "kilo pinned: kill api-1,kill api-1"]
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(InvalidValue, match=r"expected words like 'kilo pinned: roll back api-1 \| kilo unpinned: kill"):
        read(text)


def acts(*members: str) -> Plan:
    return tuple(Act("kilo", "pinned", "kill", member) for member in members)


@given(st.sets(st.integers(0, 19), max_size=4))
def test_a_failing_plan_is_made_as_short_as_it_can_be(guilty: set[int]) -> None:
    """Whichever acts it takes to fail, those are left, and no other."""
    plan = acts(*(f"m-{n}" for n in range(20)))
    needed = {plan[n] for n in guilty}
    assert set(shortest(plan, lambda part: needed <= set(part), 1000)) == needed


def test_a_plan_is_made_shorter_within_so_many_tries() -> None:
    """What is found by then still fails."""
    plan, tried = acts(*(f"m-{n}" for n in range(20))), list[Plan]()

    def fails(part: Plan) -> bool:
        tried.append(part)
        return {plan[3], plan[17]} <= set(part)

    found = shortest(plan, fails, 5)
    assert len(tried) == 5
    assert {plan[3], plan[17]} <= set(found)
