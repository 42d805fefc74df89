"""What conductors answer, minute by minute: what a soak is compared with, and what an upgrade will cost."""

import sqlalchemy as sa
from alembic import op

revision = "mf0005"
down_revision = "mf0004"


def upgrade() -> None:
    op.create_table(
        "mf_traffic",
        sa.Column("minute", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("member", sa.String, primary_key=True),
        sa.Column("content", sa.JSON, nullable=False),
    )
