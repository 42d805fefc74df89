"""The Debian packages of both applications: lintian has nothing against them, and they work on a bare Debian."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from midflight.transports.embedded import EmbeddedBroker
from tests.shipped.bare import Bare
from tests.shipped.releases import ROOT, TREES, Started, app_of, asked, boot, run
from tests.transports.ports import Port

BUILT = ROOT / "build/debian"
NAMES = {
    "juno": ["compute"],
    "kilo": ["compute"],
    "house": ["house", "house-sleeper", "house-sound", "house-watcher"],
}
DATABASE = "sqlite:////var/lib/{app}/fleet.sqlite"
MANY = 500
"""Modules that a package has at least, with all that it needs."""


@pytest.fixture(scope="session")
def packages() -> dict[str, list[Path]]:
    """Those of each release, built into build/debian."""
    built = {}
    for release, tree in TREES.items():
        out = BUILT / release
        out.mkdir(parents=True, exist_ok=True)
        for earlier in out.iterdir():
            earlier.unlink()
        run("contrib/debian/build", app_of(release), tree, out, PIP_NO_INDEX="1")
        built[release] = sorted(out.glob("*.deb"))
    return built


@pytest.fixture
def bare(request: pytest.FixtureRequest) -> Iterator[Bare]:
    """A Debian that has none of it yet."""
    bare = Bare(request.node.name)
    bare.run("apt-get", "-qq", "update")
    yield bare
    bare.remove()


@pytest.fixture
def port() -> Iterator[Port]:
    """Where the cloud's API is."""
    with Port() as port:
        yield port


def install(bare: Bare, packages: list[Path], *words: str) -> str:
    """From where they were built; what apt says."""
    for package in packages:
        (bare.root / package.name).write_bytes(package.read_bytes())
    return bare.apt("install", *words, *(f"/{package.name}" for package in packages))


def uncompiled(bare: Bare, app: str) -> list[Path]:
    """The modules of a package that each start would have to compile."""
    sources = [*(bare.root / "usr/lib" / app).rglob("*.py")]
    assert len(sources) > MANY
    return [path for path in sources if not Path(cache_from_source(str(path))).exists()]


def left(bare: Bare, app: str) -> list[Path]:
    """Whatever is named after an application, or lies there; but for its database, which is the fleet's."""
    found = [path for folder in ("etc", "run", "usr", "var") for path in (bare.root / folder).rglob(f"*{app}*")]
    kept = bare.root / "var/lib" / app
    assert (kept / "fleet.sqlite").exists()
    return [path for path in found if path != kept and not path.match(f"{kept}/fleet.sqlite*")]


def edit(path: Path, **entries: str) -> None:
    """An operator writes down where things are."""
    text = path.read_text()
    for name, value in entries.items():
        text, found = re.subn(rf"^{name} = \S+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    path.write_text(text)


@contextmanager
def seeming_systemd(bare: Bare, restarts: str) -> Iterator[Path]:
    """One that seems to run, with a command in place of a restart; what it is told is written down there. apt looks for
    commands in sbin first, and never in /usr/local."""
    told, *made = (bare.root / name for name in ("told", "run/systemd/system", "usr/sbin/systemctl"))
    runs, systemctl = made
    runs.mkdir(parents=True)
    systemctl.write_text(f'#!/bin/sh\necho "$*" >> /told\n[ "$1" != try-restart ] || exec {restarts}\n')
    systemctl.chmod(0o755)
    try:
        with bare.starting():
            yield told
    finally:
        runs.rmdir()
        systemctl.unlink()


def restarted(told: Path) -> str:
    """The pattern of the units that were restarted, once, after systemd has read them again."""
    *earlier, last = told.read_text().splitlines()
    assert "daemon-reload" in earlier
    assert not any("restart" in line for line in earlier)
    return last.removeprefix("try-restart ")


def test_each_release_has_its_packages(packages: dict[str, list[Path]]) -> None:
    """One for the code, and for the house one for each agent; in the version of the release."""
    for release, names in NAMES.items():
        assert sorted(package.name.split("_")[0] for package in packages[release]) == names
        version = re.findall(r'^version = "(.+)"', (ROOT / TREES[release] / "pyproject.toml").read_text(), re.MULTILINE)
        assert {package.name.split("_")[1] for package in packages[release]} == {*version}


@pytest.mark.parametrize("release", TREES)
def test_lintian_has_nothing_against_them(release: str, packages: dict[str, list[Path]]) -> None:
    """Neither an error nor a warning is left; what is passed over has its reason in the recipe."""
    strict = ["--allow-root", "--tag-display-limit=0", "--fail-on=error,warning"]
    assert run("lintian", *strict, *packages[release]) == ""


def test_a_cloud_is_installed_upgraded_and_taken_away(
    packages: dict[str, list[Path]], bare: Bare, broker: EmbeddedBroker, port: Port
) -> None:
    """On a bare Debian, juno's services start as their units say and make an instance; with kilo's package in its
    place, which has them restarted, waits for them half a minute and no more, and keeps the operator's configuration,
    they are asked for it again; and when it is purged, nothing of it stays."""
    config, database = bare.root / "etc/compute/compute.toml", DATABASE.format(app="compute")
    install(bare, packages["juno"])
    edit(config, broker=f'"{broker.url}"', http_port=str(port))
    bare.run("install", "--directory", "--owner=compute", "/var/lib/compute")
    bare.run("systemctl", "enable", "compute@api")
    (bare.root / "etc/compute/api.env").write_text(f"MIDFLIGHT_DATABASE={database}\n")
    assert uncompiled(bare, "compute") == []
    expand = ["setpriv", "--reuid=compute", "--clear-groups", "compute-midflight", "db", "expand"]
    assert "juno" in bare.run(*expand, MIDFLIGHT_DATABASE=database)
    with (
        bare.service("compute@conductor", MIDFLIGHT_DATABASE=database),
        bare.service("compute@scheduler"),
        bare.service("compute@compute"),
        bare.service("compute@api", MIDFLIGHT_DATABASE=database),
    ):
        instance = boot(port.number)
    kept = config.read_text()
    with seeming_systemd(bare, restarts="sleep infinity") as told:
        assert "compute: what ran here does not take all of its work again yet." in install(bare, packages["kilo"])
    assert fnmatch("compute@api.service", restarted(told))
    assert config.read_text() == kept
    assert uncompiled(bare, "compute") == []
    assert "kilo" in bare.run(*expand, MIDFLIGHT_DATABASE=database)
    with (
        bare.service("compute@conductor", MIDFLIGHT_DATABASE=database),
        bare.service("compute@api", MIDFLIGHT_DATABASE=database),
    ):
        assert asked(port.number, f"/instances/{instance['uuid']}")["flavor"]["description"] is None
    bare.apt("purge", "compute")
    assert left(bare, "compute") == []


def test_a_house_is_installed_and_taken_away(
    packages: dict[str, list[Path]], bare: Bare, broker: EmbeddedBroker
) -> None:
    """On a bare Debian its agents come with all that they need, start as their units say, and are members of it; a new
    package has an agent restarted, and says where that fails; and when they are purged, nothing of them stays."""
    database = DATABASE.format(app="house")
    install(bare, packages["house"])
    assert uncompiled(bare, "house") == []
    for name in ("house", "sound", "watcher"):
        edit(bare.root / f"etc/house/{name}.toml", broker=f'"{broker.url}"')
    bare.run("install", "--directory", "/var/lib/house")
    config = bare.root / "etc/house/house.toml"
    alone = 'method = "command"\ncommand = ["false"]\nlogind = false\nwake_on_lan = false'  # it stays awake
    config.write_text(config.read_text().replace('method = "logind"', alone))
    assert "expanded" in bare.run("house-midflight", "db", "expand", MIDFLIGHT_DATABASE=database)
    bare.run("chmod", "666", "/var/lib/house/fleet.sqlite")
    with (
        Started(
            bare.inside("house-midflight", "run", "conductor"), {"MIDFLIGHT_DATABASE": database}, bare.root / "c.log"
        ),
        bare.service("house-watcher"),
        bare.service("house-sleeper"),
        bare.service("house-sound"),
    ):
        members = json.loads(bare.run("house-midflight", "fleet", "list", "--json"))["members"]
        assert sorted(each["service"] for each in members) == ["conductor", "sleeper", "sound", "watcher"]
        assert (
            json.loads(bare.run("house", "status", "--json"))["machines"] == []
        )  # there is no /sys to read a MAC from
    (sleeper,) = (package for package in packages["house"] if package.name.startswith("house-sleeper_"))
    with seeming_systemd(bare, restarts="false") as told:
        assert "house-sleeper: what ran here does not take all" in install(bare, [sleeper], "--reinstall")
    assert fnmatch("house-sleeper.service", restarted(told))
    bare.apt("purge", "house", "house-sleeper", "house-sound", "house-watcher")
    assert left(bare, "house") == []
