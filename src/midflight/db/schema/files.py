"""A folder of Alembic revision files: read, checked, put in order, without an ``env.py`` or an ``alembic.ini``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic.script.base import Script
from alembic.script.revision import Revision, RevisionError, RevisionMap

from midflight.errors import ProjectError

HEAD = "HEAD"
"""The file of a folder that names its last revision, where there is one: two who add a revision at once both change
it."""


class RevisionFiles:
    """The revisions of one line of a schema: those of ``folder``, which lead to one head.

    ``beside`` are further folders that are read as well: with ``depends``, revisions of this line may depend on
    theirs, as those of the contract branch do on the expand branch. Raises ProjectError that names the file for
    whatever is wrong in one.
    """

    def __init__(self, folder: Path, beside: Iterable[Path] = (), *, depends: bool = False) -> None:
        if not folder.is_dir():
            raise ProjectError(where=str(folder), reason="there is no such folder; revision files were expected in it")
        self._folder, self._depends = folder, depends
        self._paths = [path for place in (folder, *beside) for path in sorted(place.glob("*.py")) if _is_revision(path)]
        self._scripts = [_load(path) for path in self._paths]
        self.map = RevisionMap(lambda: iter(self._scripts))
        self._check()
        self.line = self._ordered()
        """The revisions from the first to the head."""

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that stand for the content of all files."""
        content = hashlib.sha256()
        for path in self._paths:
            content.update(f"{path.parent.name}/{path.name}\0".encode() + path.read_bytes() + b"\0")
        return content.hexdigest()[:16]

    def has(self, revision: str) -> bool:
        """Whether a file of this line, or of a folder beside it, is of this revision."""
        return any(script.revision == revision for script in self._scripts)

    def unknown(self, heads: Iterable[str]) -> list[str]:
        """Those of a database's revisions that these files do not have."""
        known = {script.revision for script in self._scripts}
        return [head for head in heads if head not in known]

    def pending(self, heads: Iterable[str]) -> list[Script]:
        """The revisions that a database at ``heads`` (all of them known) still lacks, in order."""
        applied = {script.revision for head in heads for script in self._up_to(head)}
        return [script for script in self.line if script.revision not in applied]

    def _up_to(self, head: str) -> Iterator[Revision]:
        return self.map.iterate_revisions(head, "base")

    def _leads(self, script: Script) -> bool:
        """Nothing in the folder stands on it."""
        return self._is_ours(script) and not any(
            script.revision in _references(other) for other in self._scripts if self._is_ours(other)
        )

    def _is_ours(self, script: Script) -> bool:
        return Path(script.path).parent == self._folder

    def _refuse_to_lead_through(self, script: Script) -> None:
        wanted = set(_each(script.down_revision))
        if not self._depends:
            wanted |= set(_each(script.dependencies))
        for other in self._scripts:
            if wanted & {other.revision, *other.branch_labels} and not self._is_ours(other):
                reason = f"revisions in {self._folder.name}/ lead through it; they may stand on each other only"
                raise ProjectError(where=other.path, reason=reason)

    def _check(self) -> None:
        _refuse_twins(self._scripts)
        known = {name for script in self._scripts for name in (script.revision, *script.branch_labels)}
        for script in self._scripts:
            if strangers := _references(script) - known:
                raise ProjectError(
                    where=script.path, reason=f"it refers to revision {min(strangers)}, which is in no file"
                )
            if self._is_ours(script):
                self._refuse_to_lead_through(script)

    def _ordered(self) -> list[Script]:
        try:
            inner = {script.revision: script for script in self._scripts if self._is_ours(script)}
            way = reversed(list(self._up_to(self._head())))
            return [inner[revision.revision] for revision in way if revision.revision in inner]
        except RevisionError as wrong:
            raise ProjectError(where=str(self._folder), reason=str(wrong)) from None

    def _head(self) -> str:
        heads = [script for script in self._scripts if self._leads(script)]
        if len(heads) > 1:
            names = " and ".join(Path(script.path).name for script in heads)
            reason = f"there are two heads: {names}; make one the down_revision of the other"
            raise ProjectError(where=str(self._folder), reason=reason)
        if not heads and any(map(self._is_ours, self._scripts)):
            raise ProjectError(where=str(self._folder), reason="its revisions stand on each other in a circle")
        found = heads[0].revision if heads else "base"
        self._refuse_another_head(found)
        return found

    def _refuse_another_head(self, found: str) -> None:
        path = self._folder / HEAD
        if path.is_file() and (said := path.read_text().strip()) != found:
            reason = (
                f"it says {said!r}, and the revisions lead to {found}: put its last line right, or merge the revisions"
            )
            raise ProjectError(where=str(path), reason=reason)


def _is_revision(path: Path) -> bool:
    return not path.name.startswith(("__", "."))


def _references(script: Script) -> set[str]:
    return {name for given in (script.down_revision, script.dependencies) for name in _each(given)}


def _each(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())


def _refuse_twins(scripts: Iterable[Script]) -> None:
    seen: dict[str, str] = {}
    for script in scripts:
        if script.revision in seen:
            reason = f"revision {script.revision} is in {seen[script.revision]} too; an identifier is used once"
            raise ProjectError(where=script.path, reason=reason)
        seen[script.revision] = script.path


def _load(path: Path) -> Script:
    """Run one file. Nothing is cached beside it: what runs is what lies there now."""
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), module.__dict__)
        return _script(module, path)
    except SyntaxError as wrong:
        raise ProjectError(where=f"{wrong.filename}:{wrong.lineno}", reason=f"{wrong.msg}") from None
    except ProjectError:
        raise
    except Exception as wrong:  # noqa: BLE001  # a user's module may fail in any way
        raise ProjectError(where=str(path), reason=f"{type(wrong).__name__}: {wrong}") from None


def _script(module: ModuleType, path: Path) -> Script:
    for name in ("revision", "down_revision", "upgrade"):
        if not hasattr(module, name):
            raise ProjectError(where=str(path), reason=f"it does not define {name}, as a revision file does")
    return Script(module, module.revision, path)
