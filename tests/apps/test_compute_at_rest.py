"""What kilo of the sample writes is read by juno for as long as juno may open the database."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

COMPUTE = Path(__file__).resolve().parents[2] / "apps" / "compute"

CONDUCTOR = """
import asyncio, json, sys
from pathlib import Path
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance, InstanceList
from compute.project import project
from midflight.config import Config
from midflight.service import RunningService

async def conduct(folder):
    config = Config(project="compute.project:project", path=f"{folder}/none", broker="memory:alone",
                    database=f"sqlite:///{folder}/compute.db", beat_seconds=0.1)
    async with RunningService.running(project, config, "conductor", "c1") as running:
        context, server = running.context({"project": "red"}), running.server
"""
"""A conductor of the release in whose tree it runs, without others; what it does follows."""

RAISE = """
        await server.raise_store_floor(context, "juno")
"""
WRITE = """
        flavor = Flavor(name="small", memory_mb=512, vcpus=1, description="for tests")
        await Instance(context=context, display_name="first", project_id="red", flavor=flavor).create()
"""
READ = """
        (found,) = await InstanceList.get_all(context)
        print(json.dumps([found.flavor.name, getattr(found.flavor, "description", "unheard of")]))
"""
ADVANCE = """
        (name,) = project.migrations
        await server.advance_form(context, name, {form!r})
"""


def conduct(folder: Path, release: str, act: str) -> Any:
    """Let a conductor of a release act, and answer what it said."""
    code = f"{CONDUCTOR}{act}\nasyncio.run(conduct(Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=COMPUTE / release,
        env={**os.environ, "MIDFLIGHT_LOG": "error"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return json.loads(said[-1]) if said else None


def expand(folder: Path, release: str) -> None:
    """Let the schema have what a release needs."""
    environment = {**os.environ, "MIDFLIGHT_DATABASE": f"sqlite:///{folder}/compute.db"}
    command = [sys.executable, "-m", "midflight.cli", "db", "expand"]
    subprocess.run(command, cwd=COMPUTE / release, env=environment, check=True, capture_output=True, timeout=60)


def columns(folder: Path) -> list[Any]:
    """The flavors that lie in the instances' column."""
    connection = sqlite3.connect(folder / "compute.db")
    found = [json.loads(flavor) for (flavor,) in connection.execute("select flavor from instances order by id")]
    connection.close()
    return found


def test_rows_that_kilo_writes_under_store_floor_juno_are_read_by_juno(tmp_path: Path) -> None:
    """Juno reads the old form; the column is new in kilo, so that it is written for kilo from the start and keeps all
    of the flavor, whatever the floor."""
    expand(tmp_path, "juno")
    conduct(tmp_path, "juno", RAISE)
    expand(tmp_path, "kilo")
    conduct(tmp_path, "kilo", WRITE)
    assert conduct(tmp_path, "juno", READ) == ["small", "unheard of"]
    assert conduct(tmp_path, "kilo", READ) == ["small", "for tests"]
    (stored,) = columns(tmp_path)
    assert (stored["$"], stored["description"]) == ("Flavor:1.1", "for tests")
    conduct(tmp_path, "kilo", ADVANCE.format(form="both, read new"))
    conduct(tmp_path, "kilo", ADVANCE.format(form="new"))
    assert conduct(tmp_path, "kilo", READ) == ["small", "for tests"]
    assert columns(tmp_path) == [stored]
