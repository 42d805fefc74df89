"""Where the code of a release is found."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from midflight.errors import UsageError
from midflight.testing.release_trees import _becoming, tree_of


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    """Nothing is copied, so that what is being written is what is tried."""
    assert tree_of(tmp_path, Path(), tmp_path / "cache") == tmp_path.resolve()
    assert not (tmp_path / "cache").exists()


def test_a_wheel_is_unpacked_once_for_its_content(tmp_path: Path) -> None:
    """Another wheel by the same name is another tree."""
    wheel, trees = tmp_path / "cloud-1-py3-none-any.whl", []
    for text in ("one", "one", "two"):
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(zipfile.ZipInfo("cloud.py"), text)
        trees.append(tree_of(wheel, Path(), tmp_path / "cache"))
    assert [(tree / "cloud.py").read_text() for tree in trees[1:]] == ["one", "two"]
    assert trees[0] == trees[1] != trees[2]


def test_a_commit_is_unpacked_as_the_folder_was(tmp_path: Path) -> None:
    """Of the repository, only what lies in the same folder; whatever else is checked out by now."""
    repository, app = tmp_path / "repository", tmp_path / "repository/apps/cloud"
    app.mkdir(parents=True)
    git(repository, "init", "-q")
    (app / "cloud.py").write_text("one")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    git(repository, "tag", "juno")
    (app / "cloud.py").write_text("two")
    tree = tree_of("juno", app, tmp_path / "cache")
    assert [path.name for path in tree.iterdir()] == ["cloud.py"]
    assert (tree / "cloud.py").read_text() == "one"
    assert tree_of("juno", app, tmp_path / "cache") == tree


def test_who_comes_second_takes_what_is_there(tmp_path: Path) -> None:
    """Workers of one test run may unpack the same release at once: none is in another's way, and nothing is left of a
    draft."""
    tree = tmp_path / "cache/juno"
    with _becoming(tree) as first, _becoming(tree) as second:
        for draft in (first, second):
            (draft / "cloud.py").write_text(draft.name)
    assert (tree / "cloud.py").read_text() == second.name
    assert [*tree.parent.iterdir()] == [tree]
    with pytest.raises(OSError, match="disk full"), _becoming(tmp_path / "cache/kilo"):
        raise OSError("disk full")
    assert [*tree.parent.iterdir()] == [tree]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("no-such-tag", "has no such commit: git fetch it, or give a folder or a .whl that is there"),
        (Path("nowhere"), "expected a folder, a .whl, or a commit as a str, and there is no such path"),
        (Path("nowhere.whl"), "expected a folder, a .whl, or a commit as a str, and there is no such path"),
        (Path(__file__), "expected a folder, a .whl, or a commit as a str"),
    ],
)
def test_what_is_no_release_is_refused(where: Path | str, told: str, tmp_path: Path) -> None:
    """With what was received and the way out."""
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError) as refused:
        tree_of(where, tmp_path, tmp_path / "cache")
    assert str(where) in str(refused.value)
    assert str(refused.value).endswith(f"{told}.")


def test_a_path_with_a_slip_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    """Of its neighbours that could be a release."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shpo.txt").touch()
    with pytest.raises(UsageError, match=f'there is no such path. Did you mean "{tmp_path}/shop"?'):
        tree_of(tmp_path / "shpo", tmp_path, tmp_path / "cache")


def test_where_git_cannot_look_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no repository a commit cannot be fetched either; and git itself may be missing."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match=f"git finds no commit in {tmp_path}: not a git repository"):
        tree_of("v1", tmp_path, tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no git is installed that could find such a commit: give a folder"):
        tree_of("v1", tmp_path, tmp_path / "cache")
