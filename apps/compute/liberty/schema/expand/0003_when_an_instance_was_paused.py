"""Since when an instance is paused; and from here on nobody knows any more how a flavor lay spread over rows."""

import sqlalchemy as sa

from midflight import expand

revision = "0003"
down_revision = "0002"
migrations = "migrate_flavor_data"
contracts = "0002c"


def upgrade() -> None:
    """One column. The rows that said a flavor are gone by now: they would keep their instance from being deleted."""
    expand.add_column("instances", sa.Column("paused_at", sa.DateTime))
