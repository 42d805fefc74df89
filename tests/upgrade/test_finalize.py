from __future__ import annotations

import pytest

from midflight.conductor.data_objects import MigrationState, ProofResult
from midflight.conductor.interface import Fleet, Member
from midflight.db.write_form import Form
from midflight.errors import StepBlocked
from midflight.upgrade.finalize import _advance, finalize
from midflight.upgrade.operator import Late
from tests.upgrade.fleets import KILO, cloud, member, proven


class Conductors:
    """They note what they are asked; ``late`` do not acknowledge, and ``disagreeing`` rows spoil the proof."""

    def __init__(
        self, *states: MigrationState, late: list[Member] | None = None, late_from: int = 0,
        disagreeing: list[str] | None = None,
    ) -> None:  # fmt: skip
        self.acts: list[str] = []
        self.refuses, self._late_from = False, late_from
        self._states, self._late, self._disagreeing = list(states), late or [], disagreeing or []
        self._epoch, self.services = 4, "kilo"

    async def fleet(self) -> Fleet:
        return cloud(self.services, "kilo", migrations=self._states)

    async def prove(self, name: str) -> ProofResult:
        self.acts.append(f"prove {name}")
        return ProofResult(name=name, checked=200, disagreeing=self._disagreeing, proven=not self._disagreeing)

    async def advance_form(self, name: str, to: str) -> int:
        self._epoch += 1
        self.acts.append(f"{name} to {to}")
        if self.refuses:
            raise StepBlocked(step=f"Advancing {name}", reason="it is there already")
        return self._epoch

    async def raise_store_floor(self, release: str) -> None:
        self.acts.append(f"floor {release}")

    async def wait_for(self, epoch: int, seconds: float, late: Late) -> list[Member]:
        self.acts.append(f"epoch {epoch}")
        return self._late if epoch >= self._late_from else []


async def run(conductors: Conductors) -> list[str]:
    """Finalize, and what was told."""
    told: list[str] = []
    await finalize(conductors, KILO, wait=0, tell=told.append)
    return told


async def test_each_arrow_is_acknowledged_before_the_next() -> None:
    """Proof, read new, acknowledged, new, acknowledged; and the floor last."""
    conductors = Conductors(proven())
    told = await run(conductors)
    assert conductors.acts == [
        "prove flavors", "epoch 4", "flavors to both, read new", "epoch 5", "flavors to new", "epoch 6", "floor kilo",
    ]  # fmt: skip
    assert told == [
        "flavors: proven now, 200 rows of instances agree",
        "flavors: both, read new (epoch 5, acknowledged by all who open the database)",
        "flavors: new (epoch 6, acknowledged by all who open the database)",
        "store floor: kilo; releases before it can no longer open the database",
    ]


async def test_it_goes_on_where_it_stopped() -> None:
    """What reads the new form already is not taken back."""
    conductors = Conductors(proven(form="both, read new"), proven(name="done", form="new"))
    await run(conductors)
    assert conductors.acts == ["prove flavors", "epoch 4", "flavors to new", "epoch 5", "floor kilo"]


async def test_all_is_proven_before_anything_is_changed() -> None:
    """Rows that disagree are named, and no form moves."""
    conductors = Conductors(proven(), proven(name="other"), disagreeing=[str(key) for key in range(12)])
    with pytest.raises(StepBlocked) as caught:
        await run(conductors)
    assert conductors.acts == ["prove flavors"]
    assert "12 of 200 rows of instances disagree: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …" in str(caught.value)


async def test_who_does_not_acknowledge_stops_it_by_name() -> None:
    """The second arrow is not taken, and the floor stays."""
    conductors = Conductors(proven(), late=[member("api", "web", "kilo", state="lost")], late_from=5)
    with pytest.raises(StepBlocked) as caught:
        await run(conductors)
    assert conductors.acts[-1] == "epoch 5"
    assert "not acknowledged by api@web (lost, epoch 4)" in str(caught.value)


async def test_an_old_writer_that_came_back_after_the_gate_stops_it() -> None:
    """It would acknowledge every form, and go on to write the old one alone."""
    conductors = Conductors(proven())
    conductors.services = "juno"
    with pytest.raises(StepBlocked, match=r"\(juno, active\).* knows nothing of the new form. Deploy kilo there"):
        await run(conductors)
    assert conductors.acts == ["prove flavors", "epoch 4"]


async def test_without_data_migrations_only_the_floor_rises() -> None:
    """There is nothing to prove."""
    conductors = Conductors()
    await run(conductors)
    assert conductors.acts == ["floor kilo"]


async def test_a_form_that_was_set_by_who_was_killed_is_acknowledged_first() -> None:
    """Nothing is set on top of it."""
    late = [member("api", "web", "kilo", epoch=3)]
    conductors = Conductors(proven(form="both, read new"), late=late)
    with pytest.raises(StepBlocked, match="'both, read new' is set with epoch 4, but not acknowledged by api@web"):
        await run(conductors)
    assert conductors.acts == ["prove flavors", "epoch 4"]


async def test_an_arrow_that_another_operator_has_taken_is_as_well() -> None:
    """It is waited for, and the next one follows; one that is refused for another reason is not passed over."""
    conductors = Conductors(proven())
    conductors.refuses = True
    with pytest.raises(StepBlocked, match="it is there already"):
        await run(conductors)
    assert conductors.acts[-1] == "flavors to both, read new"
    finalized = Conductors(proven(form="new"))
    assert await _advance(finalized, proven(), Form.NEW) == 5
    finalized.refuses = True
    assert await _advance(finalized, proven(), Form.NEW) == 4
