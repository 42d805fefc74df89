import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from house.project import project
from house.sleeper.settings import checks, settings
from house.sound import settings as sound

HOUSE = Path(__file__).parents[2]
CONTRIB = HOUSE / "contrib"
UNITS = sorted((CONTRIB / "systemd").glob("*.service"))


def run(*command: str | Path, **environment: str) -> str:
    """What a command writes; it must succeed."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_units_are_units(tmp_path: Path) -> None:
    """systemd itself has nothing against them, once what they start is there."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/house-midflight", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_service_that_there_is(unit: Path) -> None:
    """By the name of the topic that it serves."""
    (service,) = re.findall(r"^ExecStart=/usr/bin/house-midflight run (\w+)$", unit.read_text(), re.MULTILINE)
    assert unit.name == f"house-{service}.service"
    assert service in project.contract.interfaces


def test_no_two_services_of_a_host_share_a_folder() -> None:
    """Each one's configuration says the folder that systemd makes for it; as another user it could not enter theirs."""
    folders = list[str]()
    for unit in UNITS:
        text = unit.read_text()
        (config,) = re.findall(r"^Environment=MIDFLIGHT_CONFIG=/etc/house/(\S+)$", text, re.MULTILINE)
        (folder,) = re.findall(r"^StateDirectory=(\S+)$", text, re.MULTILINE)
        own = tomllib.loads((CONTRIB / "debian" / config).read_text())["midflight"]
        assert own["state"] == f"/var/lib/{folder}"
        folders.append(folder)
    assert len(set(folders)) == len(UNITS)


def test_the_configuration_of_the_package_is_one() -> None:
    """Its checks are those of this release."""
    given = settings(tomllib.loads((CONTRIB / "debian/house.toml").read_text())["app"])
    assert list(checks(given)) == ["logins", "connections", "inhibitors"]


def test_the_configuration_of_sound_has_a_room_to_fill_in() -> None:
    """As it comes it has none; the example in it is one when its marks are taken away."""
    text = (CONTRIB / "debian/sound.toml").read_text()
    given = sound.settings(tomllib.loads(text).get("app", {}))
    assert (given.rooms, given.engines) == ({}, ("pulse-rtp",))
    example = re.sub(r"^# (?=\[app|sink =)", "", text, flags=re.MULTILINE)
    assert list(sound.settings(tomllib.loads(example)["app"]).rooms) == ["kitchen"]


def test_the_user_of_sound_is_one(tmp_path: Path) -> None:
    """As whom its unit runs, who may use sound cards, and whose home is where the unit keeps its state."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("audio:x:29:\n")
    run("systemd-sysusers", f"--root={tmp_path}", CONTRIB / "sysusers.d/house-sound.conf")
    unit = (CONTRIB / "systemd/house-sound.service").read_text()
    (name,) = re.findall(r"^User=(.+)$", unit, re.MULTILINE)
    (home,) = re.findall(r"^Environment=HOME=(\S+)", unit, re.MULTILINE)
    users = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    assert [user[5] for user in users if user[0] == name] == [home]
    assert "audio:x:29:house-sound" in (tmp_path / "etc/group").read_text().splitlines()


def test_the_command_looks_where_its_help_says() -> None:
    """What finds the configuration is not decided before it: a file in the folder counts."""
    script = (CONTRIB / "debian/bin/house").read_text().replace("exec /usr/bin/python3 -B -m house", "exec env")
    assert "MIDFLIGHT_CONFIG=\n" in run("sh", "-c", script, MIDFLIGHT_CONFIG="")


def test_the_recipe_has_a_package_for_each_agent() -> None:
    """With its unit, beside the code; and what the recipe installs is there. `make debian` builds and tries them."""
    debian = CONTRIB / "debian"
    packages = re.findall(r"^Package: (.+)$", (debian / "control").read_text(), re.MULTILINE)
    assert sorted(packages) == ["house", *(unit.stem for unit in UNITS)]
    named = [
        word
        for path in debian.glob("*.install")
        for word in re.findall(r"^debian/(\S+)", path.read_text(), re.MULTILINE)
    ]
    made = re.findall(r"^\tcp .* debian/(\S+)$", (debian / "rules").read_text(), re.MULTILINE)
    assert [word for word in named if word not in made and not list(debian.glob(word))] == []
    assert all(os.access(program, os.X_OK) for program in (debian / "bin").iterdir())


def test_a_purge_leaves_databases(tmp_path: Path) -> None:
    """Whatever they are called, with what SQLite has put beside them; the rest of a package's folder goes."""
    folder, script = tmp_path / "state", tmp_path / "postrm"
    text = (HOUSE.parents[1] / "contrib/debian/service.postrm").read_text()
    script.write_text(text.replace("/var/lib/#PACKAGE#", str(folder)).replace("/etc/", f"{tmp_path}/etc/"))
    for name in ("agent.logbook", "members/view.json", "empty.db"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    with closing(sqlite3.connect(folder / "our fleet.sqlite")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE members (name)")
        kept = {folder / "our fleet.sqlite", folder / "our fleet.sqlite-wal", folder / "our fleet.sqlite-shm"}
        run("sh", script, "purge")
        assert {*folder.rglob("*")} == kept
    (folder / "our fleet.sqlite").unlink()
    run("sh", script, "purge")
    assert not folder.exists()
