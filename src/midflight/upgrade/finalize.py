"""Finalize: through the one-way door, one acknowledged epoch at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from midflight.conductor.data_objects import MigrationState, ProofResult
from midflight.conductor.interface import Fleet, Member
from midflight.db.write_form import Form
from midflight.errors import StepBlocked
from midflight.upgrade import roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.facts import data
from midflight.upgrade.operator import Late
from midflight.upgrade.roster import named

ARROWS = {Form.BOTH_READ_OLD: (Form.BOTH_READ_NEW, Form.NEW), Form.BOTH_READ_NEW: (Form.NEW,), Form.NEW: ()}
"""What is left to go, by the form that a data migration is in; from ``old`` there is no proven way."""
_SHOWN = 10


class Asks(Protocol):
    """What finalize asks of the conductors; an Operator does it."""

    async def fleet(self) -> Fleet: ...
    async def prove(self, name: str) -> ProofResult: ...
    async def advance_form(self, name: str, to: str) -> int: ...
    async def raise_store_floor(self, release: str) -> None: ...
    async def wait_for(self, epoch: int, seconds: float, late: Late) -> list[Member]: ...


async def finalize(conductors: Asks, aim: Aim, *, wait: float, tell: Callable[[str], None]) -> None:
    """Take every data migration of the target to its new form, and raise the store floor. Its gate was asked before.

    1. prove all anew, before anything is changed 2. each migration through its arrows, for each of which the conductor
    compares all rows once more; each is an epoch that all who open the database acknowledge within ``wait`` seconds
    3. the floor. Raises StepBlocked that names who or what is in the way; run again, it goes on where it stopped.
    """
    fleet = await conductors.fleet()
    moving = [state for state in data.migrations(fleet, aim) if state.form != Form.NEW.value]
    for state in moving:
        await _prove(conductors, state, tell)
    for state in moving:
        await _through(conductors, state, aim, wait, tell)
    await conductors.raise_store_floor(aim.target)
    tell(f"store floor: {aim.target}; releases before it can no longer open the database")


async def _prove(conductors: Asks, state: MigrationState, tell: Callable[[str], None]) -> None:
    proof = await conductors.prove(state.name)
    if not proof.proven:
        rows = ", ".join(proof.disagreeing[:_SHOWN]) + (", …" if len(proof.disagreeing) > _SHOWN else "")
        reason = f"{len(proof.disagreeing)} of {proof.checked} rows of {state.table} disagree: {rows}"
        raise StepBlocked(step=f"finalize {state.name}", reason=f"{reason}. Run `midflight data run {state.name}`")
    tell(f"{state.name}: proven now, {proof.checked} rows of {state.table} agree")


async def _through(conductors: Asks, state: MigrationState, aim: Aim, wait: float, tell: Callable[[str], None]) -> None:
    """Each form is acknowledged before the next one is set, also the one that is found: whoever set it may have been
    killed before it was, and another operator may be at it now."""
    await _obeyed(conductors, state, Form(state.form), (await conductors.fleet()).epoch, wait)
    for form in ARROWS.get(Form(state.form), ()):
        _refuse_older(state.name, await conductors.fleet(), aim)
        epoch = await _advance(conductors, state, form)
        await _obeyed(conductors, state, form, epoch, wait)
        tell(f"{state.name}: {form.value} (epoch {epoch}, acknowledged by all who open the database)")


async def _advance(conductors: Asks, state: MigrationState, to: Form) -> int:
    """One arrow; the epoch to wait for. That somebody else has taken it meanwhile is as well."""
    try:
        return await conductors.advance_form(state.name, to.value)
    except StepBlocked:
        fleet = await conductors.fleet()
        if to in ARROWS.get(_form_in(fleet, state), ()):
            raise
        return fleet.epoch


async def _obeyed(conductors: Asks, state: MigrationState, form: Form, epoch: int, wait: float) -> None:
    if late := await conductors.wait_for(epoch, wait, roster.openers_behind):
        raise _unacknowledged(state.name, form, epoch, late)


def _form_in(fleet: Fleet, state: MigrationState) -> Form:
    return next((Form(each.form) for each in fleet.migrations if each.name == state.name), Form(state.form))


def _refuse_older(name: str, fleet: Fleet, aim: Aim) -> None:
    """Somebody may have come back since the gate was asked, who obeys every form and yet writes the old one alone."""
    older = [member for member in roster.openers(fleet.members) if not aim.reached(member.release)]
    if older:
        who = ", ".join(f"{named(member)} ({member.release}, {member.state})" for member in older)
        reason = f"{who} opens the database and knows nothing of the new form. Deploy {aim.target} there"
        raise StepBlocked(step=f"finalize {name}", reason=reason)


def _unacknowledged(name: str, form: Form, epoch: int, late: list[Member]) -> StepBlocked:
    who = ", ".join(f"{named(member)} ({member.state}, epoch {member.epoch})" for member in late)
    reason = f"'{form}' is set with epoch {epoch}, but not acknowledged by {who}. See to them, and finalize again"
    return StepBlocked(step=f"finalize {name}", reason=reason)
