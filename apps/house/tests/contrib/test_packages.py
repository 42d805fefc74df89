import os
import re
import subprocess
import sys
import tomllib
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
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/house-run", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_service_that_there_is(unit: Path) -> None:
    """By the name of the topic that it serves."""
    (service,) = re.findall(r"^ExecStart=/usr/bin/house-run (\w+)$", unit.read_text(), re.MULTILINE)
    assert unit.name == f"house-{service}.service"
    assert service in project.contract.interfaces


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


def test_the_packages_hold_what_the_agents_need(tmp_path: Path) -> None:
    """Four of them: the code runs from where it was unpacked, the units start it, and the configuration is kept when
    the package is upgraded. What is fetched from elsewhere is left out here."""
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    run(CONTRIB / "debian/build", tmp_path, HOUSE.parents[1], PYTHON=sys.executable, **offline)
    packages = {package.name.split("_")[0]: package for package in tmp_path.glob("*.deb")}
    assert sorted(packages) == ["house", "house-sleeper", "house-sound", "house-watcher"]
    root = tmp_path / "root"
    for package in packages.values():
        run("dpkg-deb", "--extract", package, root)
    assert run("dpkg-deb", "--info", packages["house"], "conffiles") == "/etc/house/house.toml\n"
    kept = "/etc/house/sound.toml\n/etc/pulse/daemon.conf.d/house.conf\n"
    assert run("dpkg-deb", "--info", packages["house-sound"], "conffiles") == kept
    assert not re.search("UNIT|NAME", run("dpkg-deb", "--info", packages["house-sleeper"], "postinst"))
    assert "systemd-sysusers house-sound.conf" in run("dpkg-deb", "--info", packages["house-sound"], "postinst")
    assert "then pkill -u house-sound ||" in run("dpkg-deb", "--info", packages["house-sound"], "prerm")
    engines = "snapserver, snapclient, python3-gi, gir1.2-gstreamer-1.0, gstreamer1.0-pulseaudio\n"
    assert run("dpkg-deb", "--field", packages["house-sound"], "Suggests") == engines
    assert run("dpkg-deb", "--field", packages["house-sleeper"], "Suggests").strip() == ""
    assert (root / "usr/lib/sysusers.d/house-sound.conf").is_file()
    for service in ("sleeper", "watcher", "sound"):
        assert (root / f"usr/lib/systemd/system/house-{service}.service").is_file()
    assert all(os.access(root / "usr/bin" / name, os.X_OK) for name in ("house", "house-run"))
    code = root / "usr/lib/house"
    told = run(
        sys.executable, "-P", "-c", "from house.project import project; print(project.releases_dir, project.schema)",
        PYTHONPATH=str(code),
    )  # fmt: skip
    assert told.split() == [str(code / "releases"), str(code / "schema")]
