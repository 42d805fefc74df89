"""What comes next in a stream."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A column more: an older conductor leaves it empty."""
    op.add_column("sendings", sa.Column("queue", sa.JSON, nullable=False, server_default="[]"))
