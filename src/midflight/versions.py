"""Versions, manifests and releases: the one idea.

A *manifest* says what a peer understands: ``name → version`` for every object and interface. A *release* is a
named manifest, frozen in a reviewed file. A *pin* is a release's manifest under which we send. A *backport* is
an encoding under a manifest.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, total_ordering
from pathlib import Path
from typing import Any, Self

import msgspec

from midflight.errors import ProjectError


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """``major.minor``: within a major, a higher minor only adds."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"3.35"``. Raises ValueError that says what was received."""
        major, dot, minor = text.partition(".") if isinstance(text, str) else ("", "", "")
        if not (dot and major.isdecimal() and minor.isdecimal()):
            raise ValueError(f"received version {text!r}, expected major.minor like '1.16'")
        return cls(int(major), int(minor))

    def __lt__(self, other: Version) -> bool:
        return (self.major, self.minor) < (other.major, other.minor)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Manifest(Mapping[str, Version]):
    """What one peer understands, by the name of an object or the topic of an interface. Immutable.

    ``readable_from`` names, per object, the oldest version whose readers may read this one by skipping what they
    do not know; an object that is not in it is readable by its own version only.
    """

    def __init__(self, versions: Mapping[str, Version], readable_from: Mapping[str, Version] | None = None) -> None:
        self._versions = dict(sorted(versions.items()))
        self.readable_from = dict(sorted((readable_from or {}).items()))

    def __getitem__(self, name: str) -> Version:
        return self._versions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self.digest == other.digest

    def __repr__(self) -> str:
        return f"Manifest({', '.join(f'{name} {version}' for name, version in self.items())})"

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that stand for the content."""
        return hashlib.sha256(msgspec.json.encode(self.to_wire())).hexdigest()[:16]

    def to_wire(self) -> dict[str, list[str]]:
        """``{name: [version]}``, or ``{name: [version, readable_from]}``."""
        return {
            name: [str(version)] + ([str(self.readable_from[name])] if name in self.readable_from else [])
            for name, version in self.items()
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, list[str]]) -> Self:
        """The inverse of to_wire. Raises ValueError for anything else."""
        return cls(
            {name: Version.parse(entry[0]) for name, entry in wire.items()},
            {name: Version.parse(entry[1]) for name, entry in wire.items() if len(entry) > 1},
        )

    @classmethod
    def lowest(cls, manifests: Iterable[Manifest]) -> Manifest:
        """What all of them understand: names that all have, each at its lowest version. At least one is required."""
        everyone = list(manifests)
        shared = set(everyone[0]).intersection(*everyone[1:])
        lowest_of = {name: min(everyone, key=lambda m: m[name]) for name in shared}
        return cls(
            {name: manifest[name] for name, manifest in lowest_of.items()},
            {name: m.readable_from[name] for name, m in lowest_of.items() if name in m.readable_from},
        )


@dataclass(frozen=True)
class Release:
    """A named manifest, read from the reviewed file ``releases/NAME.toml``."""

    name: str
    manifest: Manifest
    sequence: int
    """From 1, higher than those of all that lay beside it when it was frozen. ``places`` says where it stands."""

    @property
    def family(self) -> str:
        """The release of which this one is a fix, or itself: ``kilo`` for ``kilo`` and ``kilo.1``."""
        return self.family_of(self.name)

    @staticmethod
    def family_of(name: str) -> str:
        """The family of a release of this name."""
        return name.partition(".")[0]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one frozen file. Raises ProjectError that names the file and what is wrong in it."""
        try:
            content: dict[str, Any] = tomllib.loads(path.read_text())
            objects, interfaces = content.get("objects", {}), content.get("interfaces", {})
            manifest = Manifest(
                {name: Version.parse(entry["version"]) for name, entry in (objects | interfaces).items()},
                {n: Version.parse(e["readable_from"]) for n, e in objects.items() if "readable_from" in e},
            )
            return cls(content["release"], manifest, content["sequence"])
        except (OSError, KeyError, TypeError, ValueError) as wrong:
            raise ProjectError(where=str(path), reason=f"is no frozen release: {wrong!r}") from None


Place = tuple[int, int]
"""Where a release stands in a project's history: by the release that it is a fix of, or itself, and by its own
sequence."""


def places(releases: Iterable[Release]) -> dict[str, Place]:
    """By name, where each stands. A fix stands right behind its release, however late it was frozen: ``kilo.1`` is no
    ``liberty``, and the two may have been frozen on two branches under one number."""
    known = {release.name: release for release in releases}
    return {name: (known.get(release.family, release).sequence, release.sequence) for name, release in known.items()}


def load_releases(folder: Path) -> tuple[Release, ...]:
    """All frozen releases in a folder, in the order of the history: oldest first."""
    found = [Release.load(path) for path in folder.glob("*.toml")]
    at = places(found)
    return tuple(sorted(found, key=lambda release: at[release.name]))
