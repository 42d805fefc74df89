from __future__ import annotations

import pytest
from sqlalchemy import Connection

from midflight.errors import ProjectError, StepBlocked
from midflight.migrations.online import DataMigration, Row, RowContext, data_migration
from midflight.migrations.runner import sweep
from midflight.project import Project
from tests.migrations.cloud import boot, migrate_flavor_data, settle


def second(row: Row, db: RowContext) -> dict[str, object]:
    """A row is told where its flavor is from."""
    return {"host": f"{row.flavor['name']} at home"}


moved = data_migration(release="kilo", table="instances", key="id", needs=[migrate_flavor_data])(second)


def third(row: Row, db: RowContext) -> dict[str, object]:
    """Something else."""
    return {}


other = data_migration(release="kilo", table="instances", key="id")(third)


def test_what_it_needs_is_proven_first(connection: Connection) -> None:
    """A migration that reads what another one writes waits for its proof, and says for which."""
    boot(connection, 1)
    with pytest.raises(StepBlocked) as refused:
        sweep(connection, moved, 10)
    assert str(refused.value) == (
        "Running second is refused: it needs migrate_flavor_data, which is not proven: run "
        "`midflight data run migrate_flavor_data` first."
    )
    assert sweep(connection, migrate_flavor_data, 10).proven
    assert sweep(connection, moved, 10).proven


def test_a_proof_that_is_lost_holds_it_up_again(connection: Connection) -> None:
    """What another migration reads is right only for as long as it is proven."""
    boot(connection, 1)
    sweep(connection, migrate_flavor_data, 10)
    settle(connection, 1, task_state="broken")
    migrate_flavor_data.apply(connection, 1)
    with pytest.raises(StepBlocked, match="it needs migrate_flavor_data"):
        sweep(connection, moved, 10)


@pytest.mark.parametrize("given", [[moved, migrate_flavor_data, other], [migrate_flavor_data, other, moved]])
def test_a_project_has_them_in_order(given: list[DataMigration]) -> None:
    """Whatever is run one after the other is run in the order of what it needs."""
    names = list(Project("cloud", migrations=given).migrations)
    assert names.index("migrate_flavor_data") < names.index("second")
    assert sorted(names) == ["migrate_flavor_data", "second", "third"]


def test_what_it_needs_is_in_the_project() -> None:
    """Else nobody would ever run it."""
    with pytest.raises(ProjectError) as refused:
        Project("cloud", migrations=[moved])
    assert str(refused.value).startswith("data migration second: it needs migrate_flavor_data, which is not in Project")
