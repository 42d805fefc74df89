"""What every process of a project can say and understand: the project's own words and the conductor's."""

from __future__ import annotations

from midflight.conductor.data_objects import Comparison, MigrationDetail, MigrationState, ProofResult, SweepResult
from midflight.conductor.interface import (
    ConductorAPI,
    Fleet,
    FleetView,
    JournalEntry,
    Member,
    MemberAPI,
    RunResult,
    VersionsAtRest,
)
from midflight.conductor.traffic import Traffic
from midflight.objects.registry import Registry
from midflight.project import Project
from midflight.rpc.interface import Contract
from midflight.versions import Manifest

UNRELEASED = "unreleased"

OBJECTS = (
    Member, FleetView, MigrationState, SweepResult, ProofResult, JournalEntry, Fleet, RunResult, VersionsAtRest,
    MigrationDetail, Comparison, Traffic,
)  # fmt: skip
INTERFACES = (ConductorAPI, MemberAPI)

FRAMEWORK: Manifest = Contract(Registry(OBJECTS, "midflight"), INTERFACES).manifest
"""midflight's own names; a project's frozen releases need not have them."""


def contract_of(project: Project) -> Contract:
    """The project's objects and interfaces, and midflight's own beside them."""
    objects = [*project.registry.objects.values(), *OBJECTS]
    interfaces = [*(spec.cls for spec in project.contract.interfaces.values()), *INTERFACES]
    return Contract(Registry(objects, project.name), interfaces)


def release_of(project: Project) -> str:
    """The latest frozen release that says exactly what the project's code says, or ``unreleased``."""
    ours = project.contract.manifest
    names = [release.name for release in project.releases if without_framework(release.manifest) == ours]
    return names[-1] if names else UNRELEASED


def without_framework(manifest: Manifest) -> Manifest:
    """A project's own part of a manifest."""
    own = {name: version for name, version in manifest.items() if name not in FRAMEWORK}
    return Manifest(own, {name: version for name, version in manifest.readable_from.items() if name in own})
