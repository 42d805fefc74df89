"""Room for an instance's flavor as one object, for who locked it, and for what a flavor is good for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Three columns, all of which may be empty, since those who do not know them leave them so."""
    op.add_column("flavors", sa.Column("description", sa.String(255)))
    op.add_column("instances", sa.Column("locked_by", sa.String(255)))
    op.add_column("instances", sa.Column("flavor", sa.JSON(none_as_null=True)))
