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
from midflight.spelling import nearest


def tree_of(where: Path | str, here: Path, cache: Path) -> Path:
    """The folder to put on PYTHONPATH. ``where`` is a folder or a wheel; or, as a str, a commit, tag or branch, of
    which the folder is taken that ``here`` is in the repository. What has to be unpacked goes into ``cache``, by what
    it is.

    Raises UsageError for what is none of them, and for a commit where git cannot look.
    """
    if isinstance(where, str):
        return _of_commit(where, here, cache)
    if where.suffix == ".whl" and where.is_file():
        return _unpacked(hashlib.sha256(where.read_bytes()).hexdigest()[:16], where, cache)
    if where.is_dir():
        return where.resolve()
    reason = f"received {where} as a release, expected a folder, a .whl, or a commit as a str"
    raise UsageError(reason=reason if where.exists() else f"{reason}, and there is no such path{_meant(where)}")


def _meant(path: Path) -> str:
    """Which of its neighbours, where one is near."""
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    near = nearest(path.name, (each.name for each in there if each.is_dir() or each.suffix == ".whl"))
    return f'. Did you mean "{path.with_name(near)}"?' if near else ""


@functools.cache
def _of_commit(commit: str, here: Path, cache: Path) -> Path:
    try:
        found = _git(here, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()
    except (OSError, subprocess.CalledProcessError) as wrong:
        raise UsageError(reason=f"received {commit!r} as a release, and {_why(wrong, here)}") from None
    inside = _git(here, "rev-parse", "--show-prefix").decode().strip()
    tree = cache / f"{found[:16]}-{inside.strip('/').replace('/', '-')}"
    if not tree.exists():
        top = Path(_git(here, "rev-parse", "--show-toplevel").decode().strip())
        packed = io.BytesIO(_git(top, "archive", "--format=tar", f"{found}:{inside}"))
        with tarfile.open(fileobj=packed) as archive, _becoming(tree) as draft:
            archive.extractall(draft, filter="data")
    return tree


def _why(wrong: OSError | subprocess.CalledProcessError, here: Path) -> str:
    """There is no such commit; and where git cannot look, as in no repository, it says so in its own words."""
    instead = "give a folder or a .whl that is there"
    if isinstance(wrong, OSError):
        return f"no git is installed that could find such a commit: {instead}"
    if said := wrong.stderr.decode(errors="replace").removeprefix("fatal: ").strip():
        return f"git finds no commit in {here}: {said.splitlines()[0]}; {instead}"
    return f"the repository of {here} has no such commit: git fetch it, or {instead}"


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
