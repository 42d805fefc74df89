"""A member that runs today's code, and is on the wire what an older release is."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from midflight.conductor.contract import FRAMEWORK, contract_of
from midflight.project import Project
from midflight.rpc.interface import Contract, InterfaceSpec
from midflight.service import RunningService
from midflight.versions import Manifest, Release, Version


def speaking(release: Release) -> type[RunningService]:
    """The kind of services that speak and understand what this frozen release does, and no more."""

    class SkewedService(RunningService):
        def _words(self) -> tuple[str, Contract]:
            return release.name, spoken_as(self.project, release)

    return SkewedService


def spoken_as(project: Project, release: Release) -> Contract:
    """What the project's code can say, cut down to what a release has frozen: its manifest, and of each interface the
    versions that it serves. midflight's own words stay as they are."""
    contract = copy(contract_of(project))
    ours = {name: version for name, version in contract.manifest.items() if name in FRAMEWORK}
    readable = {name: version for name, version in contract.manifest.readable_from.items() if name in ours}
    theirs = {name: version for name, version in release.manifest.items() if name not in FRAMEWORK}
    contract.manifest = Manifest({**theirs, **ours}, {**release.manifest.readable_from, **readable})
    contract.interfaces = {
        topic: _cut_down(spec, contract.manifest.get(topic, spec.version))
        for topic, spec in contract.interfaces.items()
    }
    return contract


def _cut_down(spec: InterfaceSpec, version: Version) -> InterfaceSpec:
    if version == spec.version:
        return spec
    forms = {major: forms for major, forms in spec.forms.items() if major <= version.major}
    return replace(spec, version=version, serves=tuple(v for v in spec.serves if v.major < version.major), forms=forms)
