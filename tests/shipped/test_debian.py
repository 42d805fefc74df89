"""The Debian packages of both applications: lintian has nothing against them, and they work on a bare Debian."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
DATABASE = "sqlite:////var/lib/{app}/{app}.db"


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


def install(bare: Bare, packages: list[Path]) -> None:
    """From where they were built."""
    for package in packages:
        (bare.root / package.name).write_bytes(package.read_bytes())
    bare.apt("install", *(f"/{package.name}" for package in packages))


def edit(path: Path, **entries: str) -> None:
    """An operator writes down where things are."""
    text = path.read_text()
    for name, value in entries.items():
        text, found = re.subn(rf"^{name} = \S+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    path.write_text(text)


@contextmanager
def failing_systemd(bare: Bare) -> Iterator[Path]:
    """One that seems to run, and does nothing of what it is told; where that is written down. apt looks for commands in
    sbin first, and never in /usr/local."""
    runs, told, systemctl = (bare.root / name for name in ("run/systemd/system", "told", "usr/sbin/systemctl"))
    runs.mkdir(parents=True)
    systemctl.write_text('#!/bin/sh\necho "$*" >> /told\nexit 1\n')
    systemctl.chmod(0o755)
    yield told
    runs.rmdir()
    systemctl.unlink()


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
    place, which has them restarted without waiting, and the operator's configuration kept, they are asked for it again;
    and nothing stays in /etc or /usr."""
    config, database = bare.root / "etc/compute/compute.toml", DATABASE.format(app="compute")
    install(bare, packages["juno"])
    edit(config, broker=f'"{broker.url}"', http_port=str(port))
    bare.run("install", "--directory", "--owner=compute", "/var/lib/compute")
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
    with failing_systemd(bare) as told:
        install(bare, packages["kilo"])
    assert told.read_text().splitlines() == ["daemon-reload", "try-restart --no-block compute@*.service"]
    assert config.read_text() == kept
    assert "kilo" in bare.run(*expand, MIDFLIGHT_DATABASE=database)
    with (
        bare.service("compute@conductor", MIDFLIGHT_DATABASE=database),
        bare.service("compute@api", MIDFLIGHT_DATABASE=database),
    ):
        assert asked(port.number, f"/instances/{instance['uuid']}")["flavor"]["description"] is None
    bare.apt("purge", "compute")
    assert [path for path in bare.root.glob("[elu]*/**/*compute*") if "share/doc" not in str(path)] == []


def test_a_house_is_installed_and_taken_away(
    packages: dict[str, list[Path]], bare: Bare, broker: EmbeddedBroker
) -> None:
    """On a bare Debian its agents come with all that they need, start as their units say, and are members of it."""
    database = DATABASE.format(app="house")
    install(bare, packages["house"])
    for name in ("house", "sound"):
        edit(bare.root / f"etc/house/{name}.toml", broker=f'"{broker.url}"')
    bare.run("install", "--directory", "/var/lib/house")
    config = bare.root / "etc/house/house.toml"
    alone = 'method = "command"\ncommand = ["false"]\nlogind = false\nwake_on_lan = false'  # it stays awake
    config.write_text(config.read_text().replace('method = "logind"', alone))
    assert "expanded" in bare.run("house-midflight", "db", "expand", MIDFLIGHT_DATABASE=database)
    bare.run("chmod", "666", "/var/lib/house/house.db")
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
    bare.apt("purge", "house", "house-sleeper", "house-sound", "house-watcher")
    left = [path for path in bare.root.glob("[elu]*/**/*house*") if "share/doc" not in str(path)]
    assert left == []
