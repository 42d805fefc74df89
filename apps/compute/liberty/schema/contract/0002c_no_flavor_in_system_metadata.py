"""The flavors that lay spread over system metadata go, once every instance has its own in one column."""

from midflight import contract

revision = "0002c"
down_revision = None
depends_on = "0002"
migrations = "migrate_flavor_data"


def upgrade() -> None:
    """Only what says a flavor: system metadata may say other things too."""
    contract.delete_rows("instance_system_metadata", "key LIKE 'instance\\_type\\_%' ESCAPE '\\'")
