"""What is left to do of a schema change, and how far what is removed has come."""

import sqlalchemy as sa
from alembic import op

revision = "mf0002"
down_revision = "mf0001"


def upgrade() -> None:
    op.create_table(
        "mf_schema_steps",
        sa.Column("revision", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "mf_schema_contracts",
        sa.Column("revision", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True)),
        sa.Column("purged_at", sa.DateTime(timezone=True)),
    )
