from __future__ import annotations

import pytest
from sqlalchemy import Connection

from midflight.db import forms
from midflight.db.write_form import Form
from midflight.errors import StepBlocked
from midflight.migrations.compare import compare
from midflight.migrations.runner import sweep
from tests.migrations.cloud import boot, migrate_flavor_data, resize, settle


@pytest.fixture
def fleet(connection: Connection) -> Connection:
    """Ten instances, of which the second has changed since it was migrated, and others are in the way."""
    for number in range(1, 11):
        boot(connection, number)
    sweep(connection, migrate_flavor_data, 100)
    for number in (2, 3):
        resize(connection, number, 99)
    settle(connection, 3, task_state="resizing")
    settle(connection, 4, task_state="broken")
    return connection


WRONG = {"2": "flavor differs", "3": "deferred: resizing", "4": "ValueError: instance 4 has no disk"}


def test_page_by_page(fleet: Connection) -> None:
    """Each row that does not agree is named with what is the matter; in the end there is nothing to go on to."""
    first = compare(fleet, migrate_flavor_data, 3)
    second = compare(fleet, migrate_flavor_data, 100, after=first.after)
    assert (first.checked, first.after, second.checked, second.after) == (3, 3, 7, None)
    assert first.differing | second.differing == WRONG


def test_a_sample(fleet: Connection) -> None:
    """So many rows, of any; as many as there are, all of them."""
    assert compare(fleet, migrate_flavor_data, 4, sample=True).checked == 4
    assert compare(fleet, migrate_flavor_data, 10, sample=True).differing == WRONG


def test_nothing_to_compare(fleet: Connection) -> None:
    """Under the new form the old one says nothing."""
    forms.advance(fleet, migrate_flavor_data.name, Form.BOTH_READ_NEW)
    forms.advance(fleet, migrate_flavor_data.name, Form.NEW)
    with pytest.raises(StepBlocked, match="nothing to compare with"):
        compare(fleet, migrate_flavor_data, 10)
