"""Members are found by their host, and by what they understand, without reading all of a large fleet."""

from alembic import op

revision = "mf0006"
down_revision = "mf0005"


def upgrade() -> None:
    op.create_index("mf_members_host", "mf_members", ["service", "host"])
    op.create_index("mf_members_kind", "mf_members", ["service", "manifest"])
