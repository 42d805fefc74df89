"""System metadata goes: nothing but flavors was ever kept there, and those have a column of their own."""

from datetime import timedelta

from midflight import contract

revision = "0003c"
down_revision = "0002c"
depends_on = "0003"
hold = timedelta(seconds=3)  # of a cloud that lives for two minutes; one that is to stay says days


def upgrade() -> None:
    """The home of the old flavor rows."""
    contract.drop_table("instance_system_metadata")
