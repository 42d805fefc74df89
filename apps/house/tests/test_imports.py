"""What runs on a small box has nothing of the database in memory, and nothing of the command line."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import midflight.cli
import midflight.process
from house import project, kept
print(*sorted(sys.modules))
from house.watcher import alone, service
from house.sleeper import service
from house.sound import service
print(*sorted(sys.modules))
print(kept.tables.metadata is project.project.tables)
print(*sorted(sys.modules))
"""


def test_agents_and_watchers_do_without_sqlalchemy_and_the_command_line() -> None:
    """The project imports none of its services, and what these import leaves what is kept alone, until a remotable of a
    conductor asks for it."""
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    project, agents, same, after = ran.stdout.splitlines()
    assert {"house.watcher.watch", "house.sleeper.agent", "icalendar"} & {*project.split()} == set()
    assert {"sqlalchemy", "alembic", "house.kept.tables", "house.kept.rows"} & {*agents.split()} == set()
    assert {"cyclopts", "rich", "pygments", "greenlet"} & {*agents.split()} == set()
    assert same == "True"
    assert {"sqlalchemy", "house.kept.tables"} <= {*after.split()}
