"""Items with a price."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("price", sa.String, nullable=False),
        sa.Column("parts", sa.JSON),
    )
