"""Versions, manifests and releases."""

from pathlib import Path

import pytest

from midflight.errors import ProjectError
from midflight.versions import Manifest, Release, Version, load_releases, places


def manifest(**versions: str) -> Manifest:
    """A manifest from texts."""
    return Manifest({name: Version.parse(version) for name, version in versions.items()})


@pytest.mark.parametrize("text", ["", "3", "3.", ".5", "3.x", "3.5.1", "-1.0", "1.²"])
def test_what_is_no_version_is_refused_with_what_was_received(text: str) -> None:
    """A ValueError shows the text and an example."""
    with pytest.raises(ValueError, match="expected major.minor like '1.16'"):
        Version.parse(text)


def test_versions_are_ordered_by_number() -> None:
    """3.9 comes before 3.35."""
    assert Version.parse("3.9") < Version.parse("3.35") < Version.parse("4.0")
    assert str(Version.parse("3.35")) == "3.35"


def test_a_manifest_is_known_by_its_digest() -> None:
    """The order of its names does not matter; a version and readable_from do."""
    assert manifest(A="1.0", B="2.0") == manifest(B="2.0", A="1.0")
    assert manifest(A="1.0").digest != manifest(A="1.1").digest
    readable = Manifest({"A": Version(1, 3)}, {"A": Version(1, 1)})
    assert readable != manifest(A="1.3")
    assert Manifest.from_wire(readable.to_wire()) == readable


def test_the_lowest_of_several_manifests_is_what_all_of_them_understand() -> None:
    """Names that one of them lacks are left out."""
    lowest = Manifest.lowest([manifest(A="1.2", B="3.0"), manifest(A="1.10", B="2.9", C="1.0")])
    assert lowest == manifest(A="1.2", B="2.9")


def test_releases_are_read_in_their_sequence(tmp_path: Path) -> None:
    """Objects and interfaces of a frozen file make the release's manifest."""
    (tmp_path / "kilo.toml").write_text('release = "kilo"\nsequence = 2\n')
    (tmp_path / "juno.toml").write_text(
        'release = "juno"\nsequence = 1\n[objects.Instance]\nversion = "1.16"\nreadable_from = "1.0"\n'
        '[interfaces.compute]\nversion = "3.35"\n'
    )
    juno, kilo = load_releases(tmp_path)
    assert (juno.name, kilo.name) == ("juno", "kilo")
    assert juno.manifest["compute"] == Version(3, 35)
    assert juno.manifest.readable_from == {"Instance": Version(1, 0)}


@pytest.mark.parametrize(
    "text", ["release =", "sequence = 1", 'release = "x"\nsequence = 1\n[objects.A]\nversion = "one"']
)
def test_a_damaged_release_file_is_named(tmp_path: Path, text: str) -> None:
    """A ProjectError says which file, and what is wrong in it."""
    path = tmp_path / "juno.toml"
    path.write_text(text)
    with pytest.raises(ProjectError, match=r"juno\.toml: is no frozen release: "):
        Release.load(path)


def test_a_fix_stands_right_behind_its_release(tmp_path: Path) -> None:
    """However late it was frozen, and on whatever branch: kilo.1 and liberty may have one number."""
    frozen = {"juno": 1, "kilo": 2, "liberty": 3, "kilo.1": 3, "mitaka": 4, "kilo.2": 9, "juno.1": 5}
    for name, sequence in frozen.items():
        (tmp_path / f"{name}.toml").write_text(f'release = "{name}"\nsequence = {sequence}')
    releases = load_releases(tmp_path)
    assert [release.name for release in releases] == ["juno", "juno.1", "kilo", "kilo.1", "kilo.2", "liberty", "mitaka"]
    assert {release.name: release.sequence for release in releases} == frozen
    assert places(releases)["kilo.1"] < places(releases)["liberty"]


@pytest.mark.parametrize(("name", "family"), [("kilo", "kilo"), ("kilo.1", "kilo"), ("kilo.12", "kilo")])
def test_a_fix_is_of_the_family_of_its_release(name: str, family: str) -> None:
    """They count as one release in a skew window, and each of them is a peer."""
    assert Release(name, manifest(compute="1.0"), 1).family == Release.family_of(name) == family
