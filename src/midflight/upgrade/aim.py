"""Where an upgrade is to go, as the operator's copy of the project knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from midflight.conductor.contract import release_of
from midflight.db.lint import result
from midflight.errors import ProjectError, UsageError
from midflight.project import Project
from midflight.spelling import meant
from midflight.upgrade.check import check
from midflight.upgrade.readers import readers
from midflight.upgrade.rehearsed import Doubt, doubt
from midflight.versions import Manifest, Version


@dataclass(frozen=True)
class Aim:
    """The target release, and what a gate must know of the project beside the fleet's own facts."""

    target: str
    releases: tuple[str, ...]
    """All frozen releases, oldest first."""
    agents: frozenset[str] = frozenset()
    """The services that are upgraded last, one by one."""
    migrations: Mapping[str, str] = field(default_factory=dict)
    """Data migration → the release that brought it."""
    unlinted: Mapping[str, str] | None = None
    """Expand revisions on which nobody may rely, each with the reason; None where the project has no schema folder."""
    numbers: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(topic, version of its interface) → the oldest release that has it: what a bare number pins."""
    breaks: tuple[str, ...] | None = ()
    """What the target does to peers of the releases in the skew window, in words; None where this copy of the code is
    not the target's, and so cannot tell."""
    services: frozenset[str] = frozenset()
    """All that the project has."""
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    """Release → what it understands."""
    rewrites: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)
    """Object → the versions below which named backports rewrite it."""
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Release → the tables and columns that its processes read and write, in the catalogue's words; of those releases
    only whose tables are frozen, or are this code's."""

    rehearsed: Doubt | None = None
    """Why nobody may rely on a rehearsal with this code; None where the project does not ask for one."""

    @classmethod
    def of(cls, project: Project, target: str) -> Aim:
        """The aim of upgrading to ``target``. Raises UsageError when this copy of the project has no such release."""
        releases = tuple(release.name for release in project.releases)
        if target not in releases:
            known = (", ".join(releases) or "none yet") + meant(target, releases)
            reason = f"received release {target!r}, but frozen in this copy of project {project.name} are: {known}"
            ends = "" if reason.endswith("?") else "."
            raise UsageError(
                reason=f"{reason}{ends} Run midflight from a copy of the code that is to be deployed, and freeze "
                "it there: midflight release freeze NAME"
            )
        return cls(
            target=target,
            releases=releases,
            agents=frozenset(name for name, service in project.services.items() if service.agent),
            unlinted=result.unlinted(project.schema) if project.schema else None,
            migrations={name: migration.release for name, migration in project.migrations.items()},
            numbers={
                (name, str(version)): release.name
                for release in reversed(project.releases)
                for name, version in release.manifest.items()
            },
            breaks=_breaks(project, target),
            services=frozenset(project.services),
            manifests={release.name: release.manifest for release in project.releases},
            rewrites={
                name: tuple(before for before, _ in known.__shape__.backports)
                for name, known in project.registry.objects.items()
            },
            uses={reader.release: reader.things for reader in readers(project) if reader.things is not None},
            rehearsed=doubt(project, target, cls(target, releases).starts) if project.rehearse else None,
        )

    @classmethod
    def latest(cls, project: Project) -> Aim:
        """The aim of upgrading to the newest frozen release of this copy of the project. Raises ProjectError."""
        names = tuple(release.name for release in project.releases)
        if not names:
            reason = "has no frozen release: midflight release freeze NAME"
            raise ProjectError(where=f"project {project.name}", reason=reason)
        return cls.of(project, max(names, key=cls(names[-1], names).place))

    def knows(self, release: str) -> bool:
        """Whether a release is frozen in the operator's copy of the project."""
        return release in self.releases

    def reached(self, release: str) -> bool:
        """Whether a release is the target or later. An unknown one is not."""
        return self.knows(release) and self.place(release) >= self.place(self.target)

    def precedes(self, release: str) -> bool:
        """Whether a release is known, and before the target."""
        return self.knows(release) and not self.reached(release)

    def path_from(self, release: str) -> tuple[str, ...]:
        """The releases that an upgrade from ``release`` goes through, the target last; fixes of releases left out."""
        mains = [name for name in self.releases if main_of(name, self.releases) == name]
        between = (name for name in mains if self.place(release) < self.place(name) < self.place(self.target))
        target_main = main_of(self.target, self.releases)
        return (*(name for name in between if name != target_main), self.target)

    @property
    def previous(self) -> str | None:
        """The release before the target, whose members are still there when the target's first one starts."""
        earlier = sorted((name for name in self.releases if not self.reached(name)), key=self.place)
        return earlier[-1] if earlier else None

    @property
    def starts(self) -> tuple[str, ...]:
        """The releases from which one step leads to the target: between them there are fixes at most."""
        earlier = (name for name in self.releases if self.precedes(name))
        return tuple(name for name in earlier if self.path_from(name) == (self.target,))

    def pinned_to(self, topic: str, pin: str) -> str | None:
        """The release that a pin means, by its name or by a bare number; None when nobody here knows it."""
        return pin if self.knows(pin) else self.numbers.get((topic, pin))

    def oldest(self, releases: set[str]) -> str:
        """The earliest of some known releases."""
        return min(releases, key=self.place)

    def place(self, release: str) -> tuple[int, int]:
        """Where a known release stands in history; a fix (``kilo.1``) right behind its release, if ever so late."""
        return self._places[release]

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """They are asked for each of thousands of members."""
        mains = {release: self.releases.index(main_of(release, self.releases)) for release in self.releases}
        return {release: (mains[release], number) for number, release in enumerate(self.releases)}


def _breaks(project: Project, target: str) -> tuple[str, ...] | None:
    if release_of(project) != target:
        return None
    found = check(project, target).findings
    return tuple(f"{finding.path}: {finding.change} ({finding.breaks})" for finding in found if finding.peers)


def main_of(release: str, releases: tuple[str, ...]) -> str:
    """``kilo`` for ``kilo.1``, when there is a ``kilo``; else the release itself."""
    name = release.partition(".")[0]
    return name if name in releases else release
