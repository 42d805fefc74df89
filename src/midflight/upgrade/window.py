"""The skew window: the releases whose peers the code has to get along with.

Releases come in families: ``kilo`` and its fixes ``kilo.1``, ``kilo.2``. The window is the code's own family, as far as
it is frozen, and ``skew_window`` families before it, each with all of its fixes. A fix of an older family also meets
the ``skew_window`` families after it, which were frozen without knowing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from midflight.conductor.contract import UNRELEASED, release_of
from midflight.project import Project
from midflight.versions import Release


@dataclass(frozen=True)
class Window:
    """``code`` is the release that the code is or becomes, or ``unreleased``; ``releases`` oldest first."""

    code: str
    releases: tuple[Release, ...]
    later: tuple[Release, ...] = ()
    """Newer ones that a fix of an older release meets."""

    @property
    def names(self) -> str:
        return ", ".join(release.name for release in (*self.releases, *self.later)) or "none"


def window_of(project: Project, name: str | None = None) -> Window:
    """The window of the project's code, taken as the release ``name``; without one, as the release that it is, or else
    as the one after the last."""
    code = name or release_of(project)
    families = list(dict.fromkeys(release.family for release in project.releases))
    own = Release.family_of(code) if code != UNRELEASED else ""
    here = families.index(own) if own in families else len(families)
    chosen = families[max(0, here - project.skew_window) : here + 1]
    after = families[here + 1 : here + 1 + project.skew_window]
    return Window(code, _of(project, chosen), _of(project, after))


def _of(project: Project, families: list[str]) -> tuple[Release, ...]:
    return tuple(release for release in project.releases if release.family in families)


def after_the_last(project: Project) -> Window:
    """The window of the release that comes after the last frozen one."""
    return window_of(project, UNRELEASED)
