"""Where the code of a release is: a folder, a commit of this repository, or a wheel; the latter two unpacked once."""

from __future__ import annotations

import functools
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from midflight.errors import UsageError


def tree_of(where: Path | str, here: Path, cache: Path) -> Path:
    """The folder to put on PYTHONPATH. ``where`` is a folder or a wheel; or, as a str, a commit, tag or branch, of
    which the folder is taken that ``here`` is in the repository. What has to be unpacked goes into ``cache``, by what
    it is.

    Raises UsageError for what is none of them.
    """
    if isinstance(where, str):
        return _of_commit(where, here, cache)
    if where.suffix == ".whl" and where.is_file():
        return _unpacked(hashlib.sha256(where.read_bytes()).hexdigest()[:16], where, cache)
    if where.is_dir():
        return where.resolve()
    raise UsageError(reason=f"received {where} as a release, expected a folder, a .whl, or a commit as a str")


@functools.cache
def _of_commit(commit: str, here: Path, cache: Path) -> Path:
    try:
        found = _git(here, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()
    except subprocess.CalledProcessError:
        reason = f"received {commit!r} as a release, and the repository of {here} has no such commit: git fetch it"
        raise UsageError(reason=reason) from None
    inside = _git(here, "rev-parse", "--show-prefix").decode().strip()
    tree = cache / f"{found[:16]}-{inside.strip('/').replace('/', '-')}"
    if not tree.exists():
        top = Path(_git(here, "rev-parse", "--show-toplevel").decode().strip())
        packed = io.BytesIO(_git(top, "archive", "--format=tar", f"{found}:{inside}"))
        with tarfile.open(fileobj=packed) as archive, _becoming(tree) as draft:
            archive.extractall(draft, filter="data")
    return tree


def _unpacked(digest: str, wheel: Path, cache: Path) -> Path:
    """A wheel of pure Python is a folder as it is installed."""
    tree = cache / f"{digest}-{wheel.stem}"
    if not tree.exists():
        with zipfile.ZipFile(wheel) as archive, _becoming(tree) as draft:
            archive.extractall(draft)
    return tree


@contextmanager
def _becoming(tree: Path) -> Iterator[Path]:
    """An empty folder beside it, which becomes it as a whole; unless that is there by then, since other workers of the
    same test run unpack it too."""
    tree.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{tree.name}.", dir=tree.parent))
    try:
        yield draft
        draft.rename(tree)
    except OSError:
        if not tree.exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _git(here: Path, *words: str) -> bytes:
    return subprocess.run(("git", "-C", str(here), *words), capture_output=True, check=True).stdout
