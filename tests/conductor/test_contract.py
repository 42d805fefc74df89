"""What a process of a project can say, and which release it runs."""

from __future__ import annotations

from pathlib import Path

from midflight.conductor.contract import FRAMEWORK, UNRELEASED, contract_of, release_of
from midflight.project import OWN_NAMES
from midflight.versions import Manifest
from tests.conductor import juno, kilo
from tests.conductor.world import World, freeze


def test_the_projects_words_and_ours() -> None:
    """A process understands the project's objects and interfaces, and midflight's own."""
    manifest = contract_of(juno.project()).manifest
    assert {"Machine", "compute", "conductor", "member", "FleetView"} <= set(manifest)
    assert {name for name in manifest if name not in FRAMEWORK} == set(juno.project().contract.manifest)


def test_a_project_knows_which_names_are_ours() -> None:
    """A clash with midflight's own objects and interfaces is found where the project is built."""
    assert set(FRAMEWORK) == OWN_NAMES


def test_the_oldest_member_can_be_told() -> None:
    """The words of hello and of views stay at 1.0, so that members of every release understand them; what conductors
    have learnt since is beside them."""
    assert {str(FRAMEWORK[name]) for name in ("Member", "FleetView")} == {"1.0"}
    interfaces = contract_of(juno.project()).interfaces
    told = interfaces["member"].endpoints
    assert {name: str(spec.since) for name, spec in told.items()} == {
        "view_changed": "1.0", "rejected": "1.0", "drain": "1.2",
    }  # fmt: skip
    endpoints = interfaces["conductor"].endpoints
    assert {str(endpoints[name].since) for name in ("hello", "beat", "leave")} == {"1.0"}
    later = {str(spec.since) for name, spec in endpoints.items() if name in ("versions_at_rest", "sweep_paced")}
    assert later == {"1.1", "1.2"}


def test_release_by_content(world: World) -> None:
    """A project's code is of the release that says the same; other code is unreleased."""
    assert release_of(world.project(juno)) == "juno"
    assert release_of(world.project(kilo)) == "kilo"
    (world.folder / "releases" / "kilo.toml").unlink()
    assert release_of(world.project(kilo)) == UNRELEASED


def test_a_fix_is_a_release_of_its_own(tmp_path: Path) -> None:
    """Of two releases with the same words, the code is the later one; midflight's words in the file change nothing."""
    ours = juno.project().contract.manifest
    freeze(tmp_path / "releases", "juno", 1, ours)
    everything = Manifest({**ours, **FRAMEWORK}, {**ours.readable_from, **FRAMEWORK.readable_from})
    freeze(tmp_path / "releases", "juno.1", 2, everything, topics=("compute", "conductor", "member"))
    assert release_of(juno.project(tmp_path / "releases")) == "juno.1"
