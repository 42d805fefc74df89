"""Some of the rows that a data migration has deferred, by their keys."""

import sqlalchemy as sa
from alembic import op

revision = "mf0007"
down_revision = "mf0006"


def upgrade() -> None:
    op.add_column("mf_data_migrations", sa.Column("deferred_rows", sa.JSON))
