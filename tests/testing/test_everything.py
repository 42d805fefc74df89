"""Whatever a field can hold comes back: from bytes, JSON and rows, and from a release that was frozen and rebuilt."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from midflight.objects.contract import fields_of, spell
from midflight.objects.kinds import kind_of
from midflight.objects.nested import object_kind
from midflight.project import Project
from midflight.testing.rebuilt import Peer, Types
from midflight.testing.round_trip import cases
from midflight.upgrade.freeze import freeze
from tests.testing.everything import EVERYTHING, Coins
from tests.testing.shops import failures


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose code is its one frozen release."""
    folder = tmp_path_factory.mktemp("releases")
    freeze(Project("everything", objects=EVERYTHING, releases=folder), "juno")
    return Project("everything", objects=EVERYTHING, releases=folder)


def test_every_type_comes_back_through_everything(project: Project) -> None:
    """Each kind of leaf, constraint, container and nesting, itself and to and from the same version elsewhere."""
    coins = st.builds(Coins, st.integers(0, 2**63))
    assert failures(project, examples=40, strategies={Coins: coins}) == {}


def test_a_rebuilt_class_is_spelled_as_the_one_that_was_frozen(project: Project) -> None:
    """To the last element of every type; only enums are of rebuilt classes."""
    peer = Peer(project, project.releases[0])
    for name, cls in project.registry.objects.items():
        rebuilt = fields_of(peer.objects[name].__shape__)
        assert {n: spell(f.kind) for n, f in rebuilt.items()} == {
            n: spell(f.kind) for n, f in fields_of(cls.__shape__).items()
        }
    assert issubclass(peer.objects["LeafNode"], peer.objects["Node"])


@pytest.mark.parametrize(
    "text",
    [
        "int", "str | None", "list[str | None]", "dict[str, list[tuple[int, ...]]]", "('a', 'b | c', 3, None)",
        "Power(off | 'not, so' | else off)", "Size(1 | 2 | else 2)",
        "str {pattern '^[a-z], {1}$', max_length 8} | None",
        "int {ge 0, lt 3} | None", "list[int {gt 0}] {max_length 2}", "IPv4Address | IPv6Address | None", "Raw", "None",
    ],
)  # fmt: skip
def test_a_type_in_words_is_read(text: str) -> None:
    """What was read is spelled as it was written."""
    assert spell(kind_of(Types({}).read(text), object_kind, "x")).replace("NoneType", "None") == text


def test_a_type_that_nobody_has_any_more_can_be_anything() -> None:
    """A type of the project's own that went with its codec."""
    assert Types({}).read("Florin") is Any


def test_an_object_that_is_gone_has_no_case(tmp_path: Path) -> None:
    """What only an older release has is a matter of `midflight release check`."""
    freeze(Project("everything", objects=EVERYTHING, releases=tmp_path), "juno")
    names = [str(case) for case in cases(Project("everything", objects=EVERYTHING[:1], releases=tmp_path))]
    assert names == ["Leaves-itself", "Leaves-to-juno", "Leaves-from-juno"]
