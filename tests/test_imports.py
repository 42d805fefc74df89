"""What is imported, and when: nothing by ``import midflight``, and nothing of the database where there is none."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import midflight
import midflight.testing as kit

PACKAGE = Path(midflight.__file__).parent
CLI = ("cyclopts", "rich", "midflight.cli.app")
DATABASE = ("sqlalchemy", "alembic", "psycopg", "midflight.db.engine", "midflight.conductor.opened")
DOORS = {"__init__.py", "service.py", "migrations/online.py", "observed.py", "testing/__init__.py", "testing/plugin.py"}
"""Who may name for type checkers what it does not import."""

SERVICE = """
import asyncio, sys
from pathlib import Path
import midflight.process
from midflight.cli.run import run
from midflight import Deferred, Form, Project, Service, VersionedObject, data_migration
from midflight.config import Config
from midflight.service import RunningService

@data_migration(release="kilo", table="instances", key="id", todo="flavor IS NULL", proof="flavor IS NOT NULL")
def flavor_moves(row, db):
    raise Deferred("never")

class Thing(VersionedObject, version="1.0"):
    id: int

project = Project("p", objects=[Thing], services=[Service("agent", run)], migrations=[flavor_moves],
                  schema=Path("schema"), tables="nowhere:metadata")

async def start():
    RunningService(project, Config(project="p", broker="memory:p"), SERVICE, "h1")

asyncio.run(start())
print(*sorted(sys.modules))
"""


def modules_after(code: str) -> set[str]:
    """What a fresh process has imported after it has run this."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize(("service", "there"), [("agent", ()), ("conductor", DATABASE[:2] + DATABASE[3:])])
def test_only_a_service_with_a_database_loads_what_that_needs(service: str, there: tuple[str, ...]) -> None:
    """An agent that is ready to start, with a data migration and tables in its project, has neither SQLAlchemy nor
    Alembic; a conductor has, before anything waits for it."""
    found = modules_after(SERVICE.replace("SERVICE", repr(service), 1))
    assert [name for name in DATABASE if name in found] == [*there]


COMMAND = """
import contextlib, os, sys
from midflight.cli import main
with contextlib.redirect_stderr(open(os.devnull, "w")):
    main([*WORDS, "--config", "nowhere"])
print(*sys.modules)
"""


def test_a_service_starts_without_the_command_line() -> None:
    """``midflight run`` loads nothing of the extra ``cli``, even where it is installed, and nothing of a broker's
    before it knows its URL; any other command has the extra."""
    started = modules_after(COMMAND.replace("WORDS", "('run', 'agent')"))
    assert "midflight.process" in started
    assert {*CLI, "nats", "aiormq", "sqlalchemy", "alembic"} & started == set()
    assert {*CLI} <= modules_after(COMMAND.replace("WORDS", "('fleet', 'list')"))


def test_the_front_door_alone_imports_nothing() -> None:
    """``import midflight`` loads no other module of midflight's, nor of anybody else's."""
    found = modules_after(
        "import sys, typing\nbefore = set(sys.modules)\nimport midflight\nprint(*set(sys.modules) - before)"
    )
    assert found == {"midflight"}


TESTING = "from midflight.testing import LocalFleet, MixedFleet, db_lint, rehearsal, release_check, zygote"


def test_only_round_trips_load_what_the_extra_for_tests_brings() -> None:
    """A rehearsal, and whatever else there is, have neither pytest nor Hypothesis."""
    assert {"pytest", "_pytest", "hypothesis"} & modules_after(f"import sys; {TESTING}; print(*sys.modules)") == set()


def test_a_round_trip_without_the_extra_names_it() -> None:
    """Where it is asked for, not where ``midflight.testing`` is imported."""
    code = (
        "import sys; sys.modules['hypothesis'] = None; import midflight.testing as kit; kit.LocalFleet; kit.roundtrip"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1].endswith(
        "midflight.testing.roundtrip needs hypothesis, which is not installed: pip install 'midflight[testing]'."
    )


def test_the_kit_has_what_type_checkers_see_there() -> None:
    """As the front door has."""
    assert sorted(kit._MODULES) == kit.__all__
    assert all(hasattr(kit, name) for name in dir(kit))


def test_the_front_door_has_what_type_checkers_see_there() -> None:
    """Each name is imported from where the block for type checkers has it, and there are no others."""
    (block,) = [node for node in ast.parse((PACKAGE / "__init__.py").read_text()).body if _is_for_checkers(node)]
    seen = {
        name.name: each.module for each in ast.walk(block) if isinstance(each, ast.ImportFrom) for name in each.names
    }
    assert seen == midflight._MODULES
    assert sorted(seen) == midflight.__all__


def test_what_is_imported_by_name_is_what_is_there() -> None:
    """A star imports all names and ``dir`` tells them; what is none is an AttributeError."""
    space: dict[str, object] = {}
    exec("from midflight import *", space)
    assert {*midflight.__all__} <= space.keys() & {*dir(midflight)}
    assert all(space[name] is getattr(midflight, name) for name in midflight.__all__)
    with pytest.raises(AttributeError, match="module 'midflight' has no attribute 'Instance'"):
        midflight.Instance  # type: ignore[attr-defined]  # noqa: B018


def test_only_the_doors_name_for_type_checkers_what_they_do_not_import() -> None:
    """Anywhere else, an import of midflight's own for type checkers alone would hide that a piece lies too high."""
    hidden = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for block in ast.walk(ast.parse(path.read_text()))
        if _is_for_checkers(block)
        for each in ast.walk(block)
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("midflight")
    }
    assert hidden == DOORS


def _is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
