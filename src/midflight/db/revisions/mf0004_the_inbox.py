"""The inbox: which messages have had an effect, so that they have it once."""

import sqlalchemy as sa
from alembic import op

revision = "mf0004"
down_revision = "mf0003"


def upgrade() -> None:
    op.create_table(
        "mf_inbox",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("member", sa.String, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("mf_inbox_until", "mf_inbox", ["until"])
