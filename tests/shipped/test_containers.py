"""The images of both applications: they hold what they should and no more, and a cloud of them works."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from midflight.transports.embedded import EmbeddedBroker
from tests.shipped import bare
from tests.shipped.images import Image, Images
from tests.shipped.releases import boot
from tests.transports.ports import Port

CONFIGURATION = """
[midflight]
project = "{app}.project:project"
broker = "{broker}"
state = "/var/lib/midflight"

[app]
http_port = {port}
"""
DATABASE = "sqlite:////var/lib/midflight/fleet.db"
UNCHECKED = (0b01).to_bytes(4, "little")
"""The flags of bytecode that stands for its source whatever becomes of that: PEP 552."""


@pytest.fixture(scope="session")
def images() -> Iterator[Images]:
    """A store for them."""
    images = Images(bare.FOLDER / "images")
    yield images
    images.remove()


@pytest.fixture(scope="session")
def compute(images: Images) -> Image:
    """The cloud's."""
    return images.build("juno")


@pytest.fixture(scope="session")
def house(images: Images) -> Image:
    """The house's."""
    return images.build("house")


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """What is mounted: a configuration to read, and a folder that is the container's."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    return tmp_path


@pytest.fixture
def port() -> Iterator[Port]:
    """Where something of the fleet is asked over HTTP."""
    with Port() as port:
        yield port


@pytest.mark.parametrize("name", ["compute", "house"])
def test_an_image_says_how_it_runs(name: str, request: pytest.FixtureRequest) -> None:
    """As nobody that matters, with a first process that sees to orphans, stopped by SIGTERM, and asked how it is."""
    image: Image = request.getfixturevalue(name)
    assert image.said["User"] == "10001:10001"
    assert image.said["Entrypoint"] == ["tini", "--"]
    assert image.said["StopSignal"] == "SIGTERM"
    assert image.said["Labels"]["org.opencontainers.image.title"] == name
    assert image.health["Test"] == ["CMD", "healthy"]


@pytest.mark.parametrize("name", ["compute", "house"])
def test_an_image_has_nothing_to_build_with(name: str, request: pytest.FixtureRequest) -> None:
    """Neither pip nor a compiler; of the sources what runs; and its service may write to its own folder alone."""
    image: Image = request.getfixturevalue(name)
    assert image.run("sh", "-c", "command -v pip pip3 gcc cc make || echo none") == "none\n"
    assert sorted(path.name for path in (image.root / "srv/app").iterdir()) == [name, "releases", "schema"]
    elsewhere = "! -type l ! -path '/proc/*' ! -path '/dev/*' ! -path /tmp ! -path /var/tmp ! -path /run/lock"
    writable = image.run("sh", "-c", f"find / -xdev -writable {elsewhere} 2>/dev/null || true").split()
    assert [path for path in writable if not path.startswith("/var/lib/midflight")] == []


@pytest.mark.parametrize("name", ["compute", "house"])
def test_an_image_has_compiled_what_it_runs(name: str, request: pytest.FixtureRequest) -> None:
    """No start has to compile what it imports, nor to compare it with its source, which nobody changes."""
    image: Image = request.getfixturevalue(name)
    sources = [path for folder in ("opt/midflight/lib", "srv/app") for path in (image.root / folder).rglob("*.py")]
    assert sources
    flags = {Path(cache_from_source(str(path))).read_bytes()[4:8] for path in sources}
    assert flags == {UNCHECKED}


def test_a_cloud_of_containers_works(compute: Image, broker: EmbeddedBroker, configured: Path, port: Port) -> None:
    """Its services start, an instance is made, the health check passes while its service answers and fails where
    nobody does, and SIGTERM lets each of them finish and leave."""
    text = CONFIGURATION.format(app="compute", broker=broker.url, port=port)
    (configured / "etc/midflight.toml").write_text(text)
    with Port() as probes:
        asked = {"MIDFLIGHT_METRICS": f"127.0.0.1:{probes}"}
        database = {"MIDFLIGHT_DATABASE": DATABASE}
        assert "juno" in compute.once(configured, "midflight", "db", "expand", **database)
        with (
            compute.service(configured, "midflight", "run", "conductor", "--host", "c1", **database, **asked),
            compute.service(configured, "midflight", "run", "scheduler", "--host", "s1"),
            compute.service(configured, "midflight", "run", "compute", "--host", "one"),
            compute.service(configured, "midflight", "run", "api", "--host", "a1", **database),
        ):
            boot(port.number)
            assert compute.run("healthy", **asked) == ""
        assert "refused" in compute.run("sh", "-c", "! healthy", **asked)


def test_the_box_of_a_house_is_a_container(house: Image, broker: EmbeddedBroker, configured: Path) -> None:
    """A conductor and a watcher are members of its fleet, and the house's own command line asks them."""
    text = CONFIGURATION.format(app="house", broker=broker.url, port=1)
    (configured / "etc/midflight.toml").write_text(text)
    database = {"MIDFLIGHT_DATABASE": DATABASE}
    house.once(configured, "midflight", "db", "expand", **database)
    with (
        house.service(configured, "midflight", "run", "conductor", "--host", "c1", **database),
        house.service(configured, "midflight", "run", "watcher", "--host", "box"),
    ):
        assert "knows no machine yet" in house.once(configured, "python3", "-m", "house", "status")
