"""The flavors that lay spread over system metadata go, once every instance has its own in one column."""

from alembic import op

revision = "0002c"
down_revision = "0002"


def upgrade() -> None:
    """Only what says a flavor: system metadata may say other things too."""
    op.execute("DELETE FROM instance_system_metadata WHERE key LIKE 'instance\\_type\\_%' ESCAPE '\\'")
