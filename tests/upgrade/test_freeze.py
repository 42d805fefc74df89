import tomllib
from pathlib import Path

import pytest

from midflight.conductor.contract import FRAMEWORK, contract_of, release_of
from midflight.errors import ProjectError, StepBlocked, UsageError
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.upgrade.freeze import freeze
from midflight.upgrade.frozen import read, render
from midflight.upgrade.wording import contract_in_words
from midflight.versions import Release
from tests.upgrade.cloudlet import WORDS, Disk, Instance, InstanceList, cloudlet


def test_a_release_is_written_in_words_to_the_last_element() -> None:
    """Every type, default, birthday and mark; remotables, rewrites with their reasons, endpoints in each major."""
    assert render("kilo", 2, contract_in_words(cloudlet().contract)) == WORDS


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """The manifest of the file is that of the code, readable_from included; and the code is that release now."""
    frozen = freeze(cloudlet(tmp_path), "kilo")
    release = Release.load(frozen.path)
    assert (release.name, release.sequence, frozen.written) == ("kilo", 1, True)
    assert release.manifest == contract_of(cloudlet()).manifest
    assert release_of(cloudlet(tmp_path)) == "kilo"


def test_midflights_own_objects_and_interfaces_are_in_it(tmp_path: Path) -> None:
    """It is upgraded by its own means."""
    content = tomllib.loads(freeze(cloudlet(tmp_path), "kilo").path.read_text())
    assert set(FRAMEWORK) < {*content["objects"], *content["interfaces"]}
    assert content["objects"]["Member"]["fields"]["id"] == "str, read-only"


def test_a_name_without_an_end_is_refused(tmp_path: Path) -> None:
    """No file can be called so."""
    with pytest.raises(UsageError, match="expected up to 100 letters, digits, - and _") as refused:
        freeze(cloudlet(tmp_path), "x" * 20_000)
    assert len(str(refused.value)) < 300


def test_a_fix_of_nothing_is_refused(tmp_path: Path) -> None:
    """A fix belongs to a release that is frozen."""
    freeze(cloudlet(tmp_path), "kilo")
    with pytest.raises(UsageError, match=r"nova.1 would be a fix of nova, which is not frozen; frozen are kilo\."):
        freeze(cloudlet(tmp_path), "nova.1")
    assert not (tmp_path / "nova.1.toml").exists()


def test_the_same_code_gives_the_same_text(tmp_path: Path) -> None:
    """Whatever the order in which the project lists its objects."""
    texts = [
        freeze(cloudlet(tmp_path / name, *objects), "kilo").path.read_text()
        for name, objects in (("a", (Disk, Instance, InstanceList)), ("b", (InstanceList, Instance, Disk)))
    ]
    assert texts[0] == texts[1]


def test_freezing_twice_changes_nothing(tmp_path: Path) -> None:
    """The second time it says that it was there already."""
    first = freeze(cloudlet(tmp_path), "kilo")
    before = first.path.stat().st_mtime_ns
    again = freeze(cloudlet(tmp_path), "kilo")
    assert (again.written, again.sequence) == (False, first.sequence)
    assert first.path.stat().st_mtime_ns == before


def test_each_release_comes_after_the_last(tmp_path: Path) -> None:
    """The sequence counts up, also over a fix with a dot in its name."""
    sequences = [freeze(cloudlet(tmp_path), name).sequence for name in ("juno", "kilo", "kilo.1")]
    assert sequences == [1, 2, 3]
    assert [release.name for release in cloudlet(tmp_path).releases] == ["juno", "kilo", "kilo.1"]


def test_a_frozen_release_that_says_something_else_is_refused(tmp_path: Path) -> None:
    """The refusal says what differs, and the file stays."""
    path = freeze(cloudlet(tmp_path), "kilo").path
    before = path.read_text()

    class Disk(VersionedObject, version="1.2"):
        gigabytes: str
        encrypted: bool = field(since="1.2", default=False)

    with pytest.raises(StepBlocked) as caught:
        freeze(cloudlet(tmp_path, Disk), "kilo")
    message = str(caught.value)
    assert "objects.Disk.fields.gigabytes: int → str" in message
    assert "objects.Disk.fields.encrypted: not there → bool, default False, since 1.2" in message
    assert "objects.Disk.version: 1.1 → 1.2" in message
    assert caught.value.exit_code == 2
    assert path.read_text() == before


def test_a_change_without_a_new_version_is_refused(tmp_path: Path) -> None:
    """Peers could not tell the two apart; a type that differs in its last element counts."""
    freeze(cloudlet(tmp_path, Disk, Instance, InstanceList), "juno")

    class Wider(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = "disk"

    Wider.__name__ = Wider.__shape__.name = "Disk"
    with pytest.raises(StepBlocked) as caught:
        freeze(cloudlet(tmp_path, Wider), "kilo")
    assert "peers in the skew window would break: Disk.label: " in str(caught.value)
    assert not (tmp_path / "kilo.toml").exists()


def test_a_better_docstring_needs_no_new_version(tmp_path: Path) -> None:
    """It is not on the wire."""
    path = freeze(cloudlet(tmp_path), "juno").path
    path.write_text(path.read_text().replace("A peer before 2.1 has one disk.", "Unclear."))
    assert freeze(cloudlet(tmp_path), "kilo").written


@pytest.mark.parametrize("name", ["", "../kilo", "ki lo", "-kilo", "kilo.x", "kilo.1.1"])
def test_an_impossible_name_is_refused(tmp_path: Path, name: str) -> None:
    """It becomes the name of a file and of a pin."""
    with pytest.raises(UsageError, match="release name"):
        freeze(cloudlet(tmp_path), name)


def test_a_project_without_a_folder_for_releases_says_so() -> None:
    """And how to give one."""
    with pytest.raises(ProjectError, match=r"Project\(releases=Path"):
        freeze(cloudlet(), "kilo")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """With what is wrong in it."""
    (tmp_path / "kilo.toml").write_text("release = ")
    with pytest.raises(ProjectError, match=r"kilo\.toml: is no frozen release"):
        read(tmp_path / "kilo.toml")


def test_strange_texts_survive_the_file() -> None:
    """Quotes, backslashes, control characters and other alphabets."""
    strange = 'a "quoted" \\ back\tslash\x7f\u2028 и ничего 𝄞'
    content = {"objects": {"X": {"version": "1.0", "fields": {"odd name.x": strange}}}, "interfaces": {}}
    assert tomllib.loads(render("x", 1, content))["objects"] == content["objects"]
