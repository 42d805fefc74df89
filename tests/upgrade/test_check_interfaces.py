"""`release check` on interfaces: what an older caller would not survive."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from midflight.context import Context
from midflight.rpc.interface import Interface, endpoint, param
from tests.upgrade.two_codes import checked, only


def first() -> type:
    class API(Interface, Protocol, topic="compute", version="3.5"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False) -> int: ...

    return API


def raised() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(
            self, context: Context, name: str, hard: bool = False, why: str = param("", since="3.6")
        ) -> int: ...

        @endpoint(since="3.6")
        async def start(self, context: Context, name: str) -> None: ...

    return API


def test_what_says_since_in_a_raised_version_passes(tmp_path: Path) -> None:
    """Endpoints and parameters."""
    found = checked(tmp_path, [first()], [raised()])
    assert (found.findings, found.raised) == ((), ("compute 3.5 → 3.6",))


def endpoint_without_a_new_since() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False) -> int: ...

        @endpoint(since="3.0")
        async def start(self, context: Context, name: str) -> None: ...

    return API


def parameter_without_since() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False, why: str = "") -> int: ...

    return API


def parameter_without_since_or_version() -> type:
    class API(Interface, Protocol, topic="compute", version="3.5"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False, why: str = "") -> int: ...

    return API


def required_parameter() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, why: str, hard: bool = False) -> int: ...

    return API


def parameter_removed() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str) -> int: ...

    return API


def parameter_of_another_type() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: int, hard: bool = False) -> int: ...

    return API


def default_changed() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = True) -> int: ...

    return API


def result_of_another_type() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False) -> str: ...

    return API


def no_longer_idempotent() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.0")
        async def stop(self, context: Context, name: str, hard: bool = False) -> int: ...

    return API


def endpoint_removed() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.6")
        async def halt(self, context: Context, name: str) -> int: ...

    return API


def endpoint_came_later_now() -> type:
    class API(Interface, Protocol, topic="compute", version="3.6"):
        @endpoint(since="3.6", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False) -> int: ...

    return API


def major_that_is_no_longer_served() -> type:
    class API(Interface, Protocol, topic="compute", version="4.0"):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False) -> int: ...

    return API


def major_that_is_served_too_low() -> type:
    class API(Interface, Protocol, topic="compute", version="4.0", serves=("3.4",)):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str, hard: bool = False) -> int: ...

    return API


def adapter_without_revert() -> type:
    class API(Interface, Protocol, topic="compute", version="4.0", serves=("3.5",)):
        @endpoint(since="3.0", idempotent=True)
        async def stop(self, context: Context, name: str) -> int: ...

        @stop.adapt(before="4.0")
        @staticmethod
        def hard_was_asked_for(name: str, hard: bool = False) -> Mapping[str, Any]:
            return {"name": name}

    return API


FOUND: dict[Callable[[], type], tuple[str, str]] = {
    endpoint_without_a_new_since: ("compute.start()", "endpoint added, and says since 3.0"),
    parameter_without_since: ("compute.stop(why)", "parameter added without since"),
    parameter_without_since_or_version: ("compute.stop(why)", "parameter added without since"),
    required_parameter: ("compute.stop(why)", "parameter added without a default"),
    parameter_removed: ("compute.stop(hard)", "parameter removed"),
    parameter_of_another_type: ("compute.stop(name)", "type changed from str to int"),
    default_changed: ("compute.stop(hard)", "default changed from False to True"),
    result_of_another_type: ("compute.stop()", "result: type changed from int to str"),
    no_longer_idempotent: ("compute.stop()", "is no longer idempotent"),
    endpoint_removed: ("compute.stop()", "endpoint removed within major 3"),
    endpoint_came_later_now: ("compute.stop()", "says since 3.6 now"),
    major_that_is_no_longer_served: ("compute", "3.5 is no longer served"),
    major_that_is_served_too_low: ("compute", "3.x is served up to 3.4"),
    adapter_without_revert: ("compute.stop()", "cannot be said in 3.5 any more"),
}


@pytest.mark.parametrize(("now", "found"), FOUND.items(), ids=[now.__name__ for now in FOUND])
def test_what_an_older_caller_would_not_survive_is_found(
    tmp_path: Path, now: Callable[[], type], found: tuple[str, str]
) -> None:
    """With the peer, whatever our own version; and what is due."""
    finding = only(checked(tmp_path, [first()], [now()]))
    assert (finding.path, finding.change) == found
    assert (finding.category, finding.peers) == ("rpc", ("r1",))
    assert finding.breaks
    assert finding.due


def _casts(version: str, **promises: Any) -> type:
    class API(Interface, Protocol, topic="compute", version=version):
        @endpoint(since="3.0", **promises)
        async def stop(self, context: Context, name: str, host: str = "") -> None: ...

    return API


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({}, {"replayable": True}, "became replayable"),
        ({"replayable": True}, {}, "is no longer replayable"),
        ({}, {"expires": 600}, "became expires 600 s"),
        ({}, {"ordered_by": "name"}, "became ordered by name"),
    ],
)
def test_another_promise_of_casts_takes_a_new_version(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], change: str
) -> None:
    """Two codes of one version must not promise different things; with a new one it is in order."""
    finding = only(checked(tmp_path / "same", [_casts("3.5", **before)], [_casts("3.5", **after)]))
    assert (finding.path, finding.change, finding.due) == ("compute.stop()", change, "compute 3.6")
    assert checked(tmp_path / "raised", [_casts("3.5", **before)], [_casts("3.6", **after)]).findings == ()


@pytest.mark.parametrize("after", [{}, {"ordered_by": "host"}])
def test_another_ordering_key_is_found_whatever_the_version(tmp_path: Path, after: dict[str, Any]) -> None:
    """What older and newer callers send would no longer be ordered among each other."""
    finding = only(checked(tmp_path, [_casts("3.5", ordered_by="name")], [_casts("3.6", **after)]))
    assert finding.change == "is no longer ordered by name"
    assert finding.breaks.endswith("its order with what newer ones send is lost")


SHUT = "others still call it, and are refused: NotAllowed"
REFUSED = "a callee of the same version refuses them: NotAllowed"


@pytest.mark.parametrize(
    ("before", "after", "version", "found"),
    [
        (None, ["conductor"], "3.6", ("for conductor alone, and no longer for everyone", SHUT)),
        (
            ["conductor", "guest"],
            ["conductor", "operator"],
            "3.6",
            ("for conductor or operator alone, and no longer for guest", SHUT),
        ),
        (["conductor"], ["conductor", "guest"], "3.5", ("for guest too", REFUSED)),
        (["conductor"], None, "3.5", ("for everyone too", REFUSED)),
        (["conductor"], ["conductor", "guest"], "3.6", None),
        (["conductor", "guest"], ["guest", "conductor"], "3.5", None),
    ],
)
def test_who_is_shut_out_is_found_whatever_the_version(
    tmp_path: Path, before: list[str] | None, after: list[str] | None, version: str, found: tuple[str, str] | None
) -> None:
    """To let somebody in takes a new version; to shut somebody out waits until nobody calls any more."""
    findings = checked(tmp_path, [_casts("3.5", allow=before)], [_casts(version, allow=after)]).findings
    assert [(finding.change, finding.breaks) for finding in findings] == ([found] if found else [])


def test_the_suggestion_for_a_parameter_is_ready_to_paste(tmp_path: Path) -> None:
    """The new version and the parameter with its since."""
    finding = only(checked(tmp_path, [first()], [parameter_without_since_or_version()]))
    assert finding.due == "compute 3.6, and a parameter that says since"
    assert finding.suggestion == 'topic="compute", version="3.6"\n    why: str = param("", since="3.6")'


def _with_adapter(hard: bool) -> type:
    class API(Interface, Protocol, topic="compute", version="4.0", serves=("3.5",)):
        @endpoint(since="3.0")
        async def stop(self, context: Context, name: str) -> int: ...

        if hard:

            @stop.adapt(before="4.0")
            @staticmethod
            def names_were_loud(name: str) -> Mapping[str, Any]:
                return {"name": name.lower()}

        else:

            @stop.adapt(before="4.0")
            @staticmethod
            def names_were_loud(name: str) -> Mapping[str, Any]:
                return {"name": name.upper()}

        @stop.revert(before="4.0")
        @staticmethod
        def names_are_quiet(name: str) -> Mapping[str, Any]:
            return {"name": name.upper()}

    return API


def test_another_body_of_an_adapter_is_found(tmp_path: Path) -> None:
    """Two codes of one version would translate differently."""
    finding = only(checked(tmp_path, [_with_adapter(hard=False)], [_with_adapter(hard=True)]))
    assert (finding.path, finding.due) == ("compute.stop.adapt_before_4", "compute 4.1")
    assert finding.change == "the adapter's body changed"


def _adapted(adapt: bool, *, major: int = 4) -> type:
    serves = ("3.5",) if major == 4 else ()

    class API(Interface, Protocol, topic="compute", version=f"{major}.0" if major == 4 else "3.5", serves=serves):
        @endpoint(since="3.0")
        async def stop(self, context: Context, name: str) -> None: ...

        if adapt:

            @stop.adapt(before="4.0")
            @staticmethod
            def names_were_loud(name: str) -> Mapping[str, Any]:
                """Names were in capitals."""
                return {"name": name.lower()}

            @stop.revert(before="4.0")
            @staticmethod
            def names_are_quiet(name: str) -> Mapping[str, Any]:
                """Names are in small letters."""
                return {"name": name.upper()}

    return API


def test_an_adapter_that_leaves_all_types_as_they_are_is_found_when_it_comes(tmp_path: Path) -> None:
    """The same version would be heard and said in two ways."""
    found = checked(tmp_path, [_adapted(adapt=False)], [_adapted(adapt=True)]).findings
    assert [(finding.path, finding.change, finding.due) for finding in found] == [
        ("compute.stop.adapt_before_4", "adapter added", "compute 4.1"),
        ("compute.stop.revert_before_4", "adapter added", "compute 4.1"),
    ]


def test_an_adapter_may_not_go_while_a_peer_in_the_window_needs_it(tmp_path: Path) -> None:
    """Though the signatures are the same without it; afterwards it may."""
    codes = [[_adapted(adapt=False, major=3)], [_adapted(adapt=True)], [_adapted(adapt=False)]]
    found = checked(tmp_path / "two", *codes, window=2, name="r3").findings
    assert [(finding.path, finding.change, finding.peers) for finding in found] == [
        ("compute.stop.adapt_before_4", "adapter removed", ("r1",)),
        ("compute.stop.revert_before_4", "adapter removed", ("r1",)),
    ]
    assert found[0].breaks.startswith("a peer that speaks compute 3.5 needs it: names_were_loud: Names were in")
    assert not checked(tmp_path / "one", *codes, window=1, name="r3").findings


def test_an_interface_that_went_is_found(tmp_path: Path) -> None:
    """A peer still calls it."""

    class Other(Interface, Protocol, topic="other", version="1.0"):
        @endpoint(since="1.0")
        async def ping(self, context: Context) -> None: ...

    finding = only(checked(tmp_path, [first(), Other], [first()]))
    assert (finding.path, finding.change) == ("other", "interface removed")
