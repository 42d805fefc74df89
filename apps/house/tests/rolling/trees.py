"""Two releases of the house: the tree as it is, and what a next release of it might look like."""

from __future__ import annotations

import shutil
from pathlib import Path

HOUSE = Path(__file__).parents[2]
REVISION = '''"""A machine stands in a room."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """One column more."""
    op.add_column("machines", sa.Column("room", sa.String(63)))
'''


def present(folder: Path) -> Path:
    """A copy of this tree, as it is."""
    return shutil.copytree(
        HOUSE, folder, ignore=shutil.ignore_patterns("tests", "contrib", "state", ".*", "__pycache__")
    )


def first(folder: Path) -> Path:
    """A copy of this tree, whose first release is not frozen yet."""
    copy = present(folder)
    for frozen in (*copy.glob("releases/*.toml"), *copy.glob("schema/tables/*.toml")):
        frozen.unlink()
    return copy


def following(first: Path, folder: Path) -> Path:
    """What came after it: a field and a parameter more, in the versions that are due, and the column to keep it."""
    return _changed(shutil.copytree(first, folder, ignore=shutil.ignore_patterns("__pycache__")))


def _changed(tree: Path) -> Path:
    edit(tree / "house/objects/machine.py", 'class Machine(VersionedObject, version="1.0")', '"1.0"', '"1.1"')
    edit(
        tree / "house/objects/machine.py", "    planned_wake: datetime | None = None\n",
        "None\n", 'None\n    room: str | None = field(default=None, since="1.1")\n',
    )  # fmt: skip
    edit(
        tree / "house/kept/tables.py",
        '    Column("planned_wake", DateTime),\n',
        ",\n",
        ',\n    Column("room", String(63)),\n',
    )
    edit(tree / "house/interfaces.py", "import Context, Interface, endpoint", "endpoint", "endpoint, param")
    edit(tree / "house/interfaces.py", 'topic="sleeper", version="1.0"', '"1.0"', '"1.1"')
    asked = "async def sleep_now(self, context: Context, reason: str) -> None:"
    gently = "reason: str, gently: bool = param(False, since='1.1'))"
    edit(tree / "house/interfaces.py", asked, "reason: str)", gently)
    edit(tree / "house/sleeper/agent.py", asked, "reason: str)", "reason: str, gently: bool = False)")
    (tree / "schema/expand/0004_rooms.py").write_text(REVISION)
    (tree / "schema/expand/HEAD").write_text("0004\n")
    return tree


def edit(file: Path, place: str, old: str, new: str) -> None:
    """In the one place that is there."""
    text = file.read_text()
    assert text.count(place) == 1, f"{file.name}: {place}"
    file.write_text(text.replace(place, place.replace(old, new)))
