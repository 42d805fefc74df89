"""Every object through every version of the skew window, both ways, with whatever its fields can hold.

For each object there are these cases:

- *itself*: in our own version it comes back equal from bytes, from JSON at rest and from a row.
- *to a release*: what a peer of it is sent is what its frozen file says, to the last type; what it sends back is what
  we had, but for what a lossy backport rewrote; nothing counts as changed, and what the peer does not know has its
  default or is unset. Where `readable_from` says that the peer may read our own version by skipping, it can.
- *from a release*: whatever its peers can say is read, and their own object is what they are answered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from midflight.objects.base import VersionedObject
from midflight.project import Project
from midflight.testing.cases import Case, Itself
from midflight.testing.failures import RoundTripFailed
from midflight.testing.peers import FromRelease, ToRelease
from midflight.testing.rebuilt import Peer
from midflight.testing.strategies import Strategies
from midflight.upgrade.window import window_of

__all__ = ["RoundTripFailed", "roundtrip"]

_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "report_multiple_bugs": False,
    "phases": set(Phase) - {Phase.explain},
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}


def roundtrip(
    project: Project,
    *,
    refusing: Collection[type[VersionedObject]] = (),
    strategies: Mapping[type, st.SearchStrategy[Any]] | None = None,
    examples: int | None = None,
) -> Callable[..., None]:
    """A parametrised test for pytest: ``test_roundtrip = midflight.testing.roundtrip(project)``.

    An object that refuses to be sent to an older peer fails it, unless it is among ``refusing``: those whose backports
    raise CannotBackport on purpose, or that no backport leads back over a major. ``strategies`` are for types of your
    own that Hypothesis cannot make by itself. ``examples`` says how many each case is tried with; else Hypothesis'
    profile does.

    A failure shows a minimal object, the versions, the path to the field, and what to do.
    """
    made = Strategies(strategies or {})
    names = frozenset(cls.__shape__.name for cls in refusing)
    limits = {**_SETTINGS, **({"max_examples": examples} if examples else {})}

    @pytest.mark.parametrize("case", [*cases(project, names)], ids=str)
    def test_roundtrip(case: Case) -> None:
        """Every object comes through every version of the skew window, both ways."""
        __tracebackhide__ = True

        @settings(**limits)
        @given(obj=made.objects(case.source))
        def tried(obj: Any) -> None:
            case.check(obj)

        tried()

    return test_roundtrip


def cases(project: Project, refusing: Collection[str] = ()) -> Iterator[Case]:
    """By object, each by itself and with every release of the window that knows it. From the releases after a fix come
    only forms to read: what they say to us, their own code has to see to."""
    window = window_of(project)
    past = [Peer(project, release) for release in window.releases]
    later = [Peer(project, release) for release in window.later]
    for name, cls in project.registry.objects.items():
        yield Itself(project, cls)
        for peer in past:
            if cls.__shape__.known_to(peer.manifest).name in peer.objects:
                yield ToRelease(project, cls, peer, refusing)
        for peer in (*past, *later):
            if name in peer.objects:
                yield FromRelease(project, peer.objects[name], peer, refusing)
