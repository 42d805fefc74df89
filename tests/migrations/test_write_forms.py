"""The truth table of the write forms, against a model: old and new writers, sweeps, proofs and arrows in any order."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, insert, make_url, select, text, update

from midflight.db import forms, sqlite
from midflight.db.engine import transaction
from midflight.db.epoch import current_epoch
from midflight.db.write_form import Form
from midflight.errors import StepBlocked
from midflight.migrations import proof as proofs
from midflight.migrations import state
from midflight.migrations.keys import Key
from midflight.migrations.progress import Progress
from midflight.migrations.proof import Proof
from midflight.migrations.runner import sweep
from midflight.migrations.state import Standing, State
from tests.migrations.cloud import advance, boot, create, instances, migrate_flavor_data, prove, resize, settle

NAME = "migrate_flavor_data"
numbers, rams = st.integers(1, 4), st.integers(1, 4)


def read_old(connection: Connection, number: int) -> int:
    query = text("SELECT value FROM system_metadata WHERE key = 'ram' AND instance = :number")
    return int(connection.execute(query, {"number": number}).scalar_one())


def read_new(connection: Connection, number: int) -> int:
    flavor = connection.execute(select(instances.c.flavor).where(instances.c.id == number)).scalar_one()
    return int(flavor["ram"])


@dataclass
class Scan:
    """Rows compared one by one."""

    to: Form
    before: Standing
    found: Proof = field(default_factory=Proof)
    after: Key | None = None

    def look(self, connection: Connection) -> bool:
        """Whether there was one more row."""
        part = proofs.look(connection, migrate_flavor_data, self.after, 1)
        for self.after, finding in part:
            self.found.add(self.after, finding)
        return bool(part)


class Fleet(RuleBasedStateMachine):
    """Four instances. ``acknowledged`` is what the last writer of each was told to have been saved."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        engine = sqlite.create(make_url("sqlite://"))
        self.stack.callback(engine.dispose)
        self.connection = self.stack.enter_context(transaction(engine, writes=True))
        create(self.connection)
        self.acknowledged: dict[int, int] = {}
        self.old_writers = True
        self.obeyed = self.form
        """What members obey: the present form, or the one before it, as the next one waits for their word."""
        self.scan: Any = None
        """That of somebody who finalizes, under way."""
        self.changed_behind = False
        """Whether an old writer may have changed what the pass of verifying that is under way has come past."""

    def teardown(self) -> None:
        self.stack.close()

    @property
    def form(self) -> Form:
        return forms.current_of(self.connection, NAME)

    @initialize(rams=st.lists(rams, min_size=4, max_size=4))
    def juno(self, rams: list[int]) -> None:
        for number, ram in enumerate(rams, 1):
            boot(self.connection, number, ram)
            self.acknowledged[number] = ram

    @precondition(lambda self: self.old_writers)
    @rule(number=numbers, ram=rams)
    def old_writer_saves(self, number: int, ram: int) -> None:
        resize(self.connection, number, ram)
        self.acknowledged[number] = ram
        self.changed_behind = True

    @rule(number=numbers, ram=rams)
    def new_writer_saves(self, number: int, ram: int) -> None:
        try:
            self.save_by(self.obeyed, number, ram)
        except forms.FormMoved:
            self.save_by(self.form, number, ram)
        self.acknowledged[number] = ram

    def save_by(self, form: Form, number: int, ram: int) -> None:
        self.connection.execution_options(**forms.options({NAME: form}))
        with self.connection.begin_nested():
            if form.writes_old:
                resize(self.connection, number, ram)
            else:
                new_form = {"name": "m1", "ram": ram}
                self.connection.execute(update(instances).where(instances.c.id == number).values(flavor=new_form))
            migrate_flavor_data.apply(self.connection, number)

    @rule()
    def members_acknowledge(self) -> None:
        self.obeyed = self.form

    @rule(number=numbers, task_state=st.sampled_from([None, "resizing"]))
    def transition(self, number: int, task_state: str | None) -> None:
        settle(self.connection, number, task_state=task_state)

    @rule(limit=st.integers(1, 5))
    def sweeper_runs(self, limit: int) -> None:
        progress = self.sweep(limit)
        assert progress.exit_code != 0 or self.form is Form.NEW or self.changed_behind or self.everything_agrees()

    def sweep(self, limit: int) -> Progress:
        before = state.read(self.connection, NAME)
        if before.at_start or before.phase is State.SWEEPING:
            self.changed_behind = False  # it verifies all rows from now on
        return sweep(self.connection, migrate_flavor_data, limit)

    @precondition(lambda self: self.form is not Form.NEW)
    @rule()
    def proof_is_made(self) -> None:
        proof = prove(self.connection, migrate_flavor_data)
        assert not proof.proven or self.everything_agrees()

    @rule()
    def last_old_writer_stops(self) -> None:
        self.old_writers = False

    @precondition(lambda self: self.form is not Form.NEW)
    @rule()
    def old_writer_starts(self) -> None:
        """A member of the old release comes back: readers go back to the old form before it writes."""
        if self.form is Form.BOTH_READ_NEW:
            advance(self.connection, Form.BOTH_READ_OLD)
        self.members_acknowledge()
        self.old_writers, self.scan = True, None  # each part of a scan looks for such members

    @precondition(lambda self: self.form is not Form.NEW)
    @rule()
    def operator_goes_one_step_on(self) -> None:
        """The last old writer goes, all rows settle and are swept; then the next arrow is open."""
        self.old_writers = False
        settle(self.connection, *self.acknowledged)
        self.sweep(10)  # to the end of a pass that began while there were old writers
        assert self.sweep(10).exit_code == 0
        self.members_acknowledge()
        advance(self.connection, self.form.arrows[0])

    @rule(to=st.sampled_from(Form))
    def somebody_advances(self, to: Form) -> None:
        if to.reads_new and self.old_writers:
            return  # the gate in front of this arrow: no old writer is left
        self.members_acknowledge()
        before, epoch = self.form, current_epoch(self.connection)
        try:
            assert advance(self.connection, to) == epoch + 1
            assert to in before.arrows
        except StepBlocked:
            assert (self.form, current_epoch(self.connection)) == (before, epoch)
        if not to.reads_new:  # the way back may serve what was true a moment ago
            self.members_acknowledge()

    @precondition(lambda self: self.form.writes_old and not self.old_writers)
    @rule()
    def finalizer_begins_to_scan(self) -> None:
        """Others go on while it compares row after row; an older scan is given up."""
        before, to = proofs.standing_of(self.connection, migrate_flavor_data), self.form.arrows[0]
        scan = Scan(to, before) if before.state is State.PROVEN else None
        self.scan = scan if proofs.needs_scan(self.connection, migrate_flavor_data, to) else None

    @precondition(lambda self: self.scan is not None)
    @rule()
    def finalizer_compares_a_row(self) -> None:
        self.scan.look(self.connection)

    @precondition(lambda self: self.scan is not None and not self.old_writers)
    @rule()
    def finalizer_ends(self) -> None:
        """It compares what is left, and takes the arrow if nothing was held up or joined meanwhile."""
        self.members_acknowledge()
        scan, self.scan, form = self.scan, None, self.form
        while scan.look(self.connection):
            pass
        try:
            proofs.advance(self.connection, migrate_flavor_data, scan.to, scan.found, scan.before)
        except StepBlocked:
            assert self.form is form

    @invariant()
    def readers_get_the_last_acknowledged_write(self) -> None:
        for form in {self.form, self.obeyed}:
            read = read_new if form.reads_new else read_old
            assert {number: read(self.connection, number) for number in self.acknowledged} == self.acknowledged

    @invariant()
    def the_truth_is_never_behind(self) -> None:
        if self.form.writes_old:
            assert {n: read_old(self.connection, n) for n in self.acknowledged} == self.acknowledged

    def everything_agrees(self) -> bool:
        return all(read_new(self.connection, n) == read_old(self.connection, n) for n in self.acknowledged)


TestFleet = Fleet.TestCase
TestFleet.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_the_model_can_fail() -> None:
    """With the read side wrongly on new while an old writer writes, the model sees the lost update."""
    fleet = Fleet()
    fleet.juno([1, 1, 1, 1])
    sweep(fleet.connection, migrate_flavor_data, 10)
    forms.advance(fleet.connection, NAME, Form.BOTH_READ_NEW)
    fleet.old_writer_saves(1, 4)
    with pytest.raises(AssertionError):
        fleet.readers_get_the_last_acknowledged_write()
    fleet.teardown()


def test_inserted_later() -> None:
    """A row that is created by the old release after the proof is found by the next one."""
    fleet = Fleet()
    fleet.juno([1, 1, 1, 1])
    sweep(fleet.connection, migrate_flavor_data, 10)
    assert prove(fleet.connection, migrate_flavor_data).proven
    fleet.connection.execute(insert(instances).values(id=5))
    assert prove(fleet.connection, migrate_flavor_data).disagreeing == [5]
    fleet.teardown()


@pytest.mark.parametrize("breaks", ["a save that defers", "a save that fails", "nothing"])
def test_what_breaks_a_proof_breaks_the_scan_that_stands_on_it(breaks: str) -> None:
    """Behind the rows that were compared already, readers would not get what was saved last."""
    fleet = Fleet()
    fleet.juno([1, 1, 1, 1])
    sweep(fleet.connection, migrate_flavor_data, 10)
    fleet.old_writers = False
    fleet.finalizer_begins_to_scan()
    fleet.finalizer_compares_a_row()
    if breaks.startswith("a save"):
        settle(fleet.connection, 1, task_state="resizing" if breaks.endswith("defers") else "broken")
        fleet.new_writer_saves(1, 4)
    fleet.finalizer_ends()
    fleet.readers_get_the_last_acknowledged_write()
    assert fleet.form is (Form.BOTH_READ_NEW if breaks == "nothing" else Form.BOTH_READ_OLD)
    fleet.teardown()
