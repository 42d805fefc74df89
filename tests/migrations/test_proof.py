from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, text

from midflight.db import forms, journal
from midflight.db.engine import transaction
from midflight.db.epoch import current_epoch
from midflight.db.write_form import Form
from midflight.errors import StepBlocked
from midflight.migrations import proof as proofs
from midflight.migrations import state
from midflight.migrations.runner import sweep
from midflight.migrations.state import State
from tests.engines import ON_SQLITE
from tests.migrations.cloud import advance, boot, migrate_flavor_data, prove, ram_of, resize, scanned, settle, variant

NAME = "migrate_flavor_data"


def boot_and_move(connection: Connection, rows: int) -> None:
    for number in range(1, rows + 1):
        boot(connection, number)
    sweep(connection, migrate_flavor_data, rows)


def test_all_agree(connection: Connection) -> None:
    """Rows whose forms say the same prove the migration, over several pages."""
    boot_and_move(connection, 600)
    proof = prove(connection, migrate_flavor_data)
    assert (proof.checked, proof.disagreeing, proof.proven) == (600, [], True)
    assert state.read(connection, NAME).state is State.PROVEN
    assert journal.read(connection, kind="migration.proved")[0].facts["checked"] == 600


def test_content_not_presence(connection: Connection) -> None:
    """A new form that is there and stale is found; what is held up is told apart; an earlier proof is taken back."""
    boot_and_move(connection, 6)
    prove(connection, migrate_flavor_data)
    resize(connection, 2, 99)
    resize(connection, 4, 99)
    settle(connection, 4, task_state="resizing")
    settle(connection, 5, task_state="broken")
    proof = prove(connection, migrate_flavor_data)
    assert (proof.checked, proof.disagreeing, proof.left, proof.failures) == (6, [2, 4, 5], 3, 1)
    assert (proof.deferred, proof.failed) == ({4: "resizing"}, {5: "ValueError: instance 5 has no disk"})
    standing = state.read(connection, NAME)
    assert (standing.state, standing.proven_at, standing.deferred, standing.failed) == (
        State.VERIFYING,
        None,
        {"resizing": 1},
        1,
    )
    assert [entry.kind for entry in journal.read(connection)][-2:] == ["migration.proved", "migration.not_proven"]


@ON_SQLITE
def test_scan_writes_nothing(connection: Connection) -> None:
    """A scan only looks."""
    boot(connection, 1)
    before = connection.scalar(text("SELECT total_changes()"))
    assert scanned(connection).disagreeing == [1]
    assert connection.scalar(text("SELECT total_changes()")) == before


def test_proof_condition(connection: Connection) -> None:
    """A proof condition must hold for each row besides the agreement."""
    boot_and_move(connection, 2)
    narrow = variant(proof="id < 2")
    assert prove(connection, narrow).failed == {2: "both forms agree, and yet the proof (id < 2) does not hold"}


def test_nothing_left_to_compare(connection: Connection) -> None:
    """Under the new form there is no proof."""
    forms.advance(connection, NAME, Form.BOTH_READ_NEW)
    forms.advance(connection, NAME, Form.NEW)
    with pytest.raises(StepBlocked, match="nothing to compare with"):
        prove(connection, migrate_flavor_data)


def test_advance_proves_first(engine: Engine) -> None:
    """Readers come to the new form only when all rows have just been compared; the refusal names some."""
    with transaction(engine, writes=True) as connection:
        boot_and_move(connection, 8)
        for number in range(1, 8):
            resize(connection, number, 99)

    def go(to: Form) -> int:
        with transaction(engine, writes=True) as connection:
            return advance(connection, to)

    with pytest.raises(StepBlocked) as refused:
        go(Form.BOTH_READ_NEW)
    assert str(refused.value) == (
        "Advancing migrate_flavor_data to 'both, read new' is refused: both forms of 7 of 8 instances do not agree "
        "(1, 2, 3, 4, 5 …); run `midflight data run migrate_flavor_data` until it is proven."
    )
    with pytest.raises(StepBlocked, match="the way leads to 'both, read new' only"):
        go(Form.NEW)
    with transaction(engine, writes=True) as connection:
        assert current_epoch(connection) == 0
        sweep(connection, migrate_flavor_data, 10)
    assert [go(Form.BOTH_READ_NEW), go(Form.BOTH_READ_OLD), go(Form.BOTH_READ_NEW), go(Form.NEW)] == [1, 2, 3, 4]
    with transaction(engine, writes=True) as connection:
        assert forms.current_of(connection, NAME) is Form.NEW
        assert ram_of(connection, 1) == 99


def test_an_arrow_without_its_scan(connection: Connection) -> None:
    """Nobody relies on the new form by a scan that was never made, or that is older than what happened since."""
    boot_and_move(connection, 2)
    with pytest.raises(StepBlocked, match="while all rows were compared, rows were migrated or held up"):
        proofs.advance(connection, migrate_flavor_data, Form.BOTH_READ_NEW)
    before, found = proofs.standing_of(connection, migrate_flavor_data), scanned(connection)
    resize(connection, 1, 99)
    sweep(connection, migrate_flavor_data, 10)
    with pytest.raises(StepBlocked, match="do it again"):
        proofs.advance(connection, migrate_flavor_data, Form.BOTH_READ_NEW, found, before)
    assert proofs.remember(connection, migrate_flavor_data, found, before).state is State.PROVEN  # by the sweep
    state.take_back_proof(connection, NAME)
    with pytest.raises(StepBlocked, match="do it again"):
        proofs.remember(connection, migrate_flavor_data, found, before)
