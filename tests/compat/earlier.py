"""midflight as it was at an earlier commit: the one that the file ``BASE`` names, in a git worktree of this clone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = Path(__file__).with_name("BASE").read_text().strip()


@contextmanager
def checked_out(folder: Path, repository: Path = ROOT, commit: str = BASE) -> Iterator[Path]:
    """A worktree of the commit. Raises RuntimeError, with the way out, for a clone that does not have it."""
    if not _has(repository, commit):
        reason = f"{repository} does not have the commit {commit}, from which fleets are rolled to this one"
        raise RuntimeError(
            f"{reason}: its history is shallow, or is none. Run git fetch --unshallow, or clone it whole"
        )
    _git(repository, "worktree", "add", "--quiet", "--detach", str(folder), commit)
    try:
        yield folder
    finally:
        _git(repository, "worktree", "remove", "--force", str(folder))


def _has(repository: Path, commit: str) -> bool:
    asked = ("git", "-C", str(repository), "cat-file", "-e", f"{commit}^{{commit}}")
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _git(repository: Path, *words: str) -> None:
    subprocess.run(("git", "-C", str(repository), *words), capture_output=True, check=True, text=True)


def tree(checkout: Path, folder: Path) -> Path:
    """What one process of the cloud sees, as if it were installed on a host: the application in its release juno, and
    the midflight that came with it. The folder is all that is on its path."""
    shutil.copytree(checkout / "apps/compute/juno", folder, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    shutil.copytree(checkout / "src/midflight", folder / "midflight", ignore=shutil.ignore_patterns("__pycache__"))
    return folder
