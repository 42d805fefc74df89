"""Who migrates rows in the background, at which pace; and which migrations are wanted."""

import sqlalchemy as sa
from alembic import op

revision = "mf0003"
down_revision = "mf0002"


def upgrade() -> None:
    op.create_table(
        "mf_sweeper",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("brake", sa.Boolean, nullable=False),
        sa.Column("pace", sa.JSON, nullable=False),
        sa.Column("held", sa.String, nullable=False),
    )
    op.add_column("mf_data_migrations", sa.Column("wanted", sa.String))
