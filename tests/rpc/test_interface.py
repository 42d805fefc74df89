"""Interfaces and the contract: what a definition may say, and what is refused with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

import pytest

from midflight.context import Context
from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject
from midflight.objects.registry import Registry
from midflight.rpc.casting import Casting
from midflight.rpc.contract import interface_in_words
from midflight.rpc.endpoints import spec_of
from midflight.rpc.interface import Contract, Interface, endpoint, param
from midflight.versions import Version
from tests.rpc import juno, kilo


class Thing(Interface, Protocol, topic="thing", version="2.3", serves=("1.9",)):
    @endpoint(since="1.0")
    async def go(self, context: Context, where: str, *, fast: bool = param(False, since="2.1")) -> int: ...


class Whole(Thing):
    async def go(self, context: Context, where: str, *, fast: bool = False) -> int:
        return len(where)


def contract(*interfaces: Any) -> Contract:
    return Contract(Registry([juno.Instance], "p"), interfaces)


def test_an_interface_knows_its_topic_and_versions() -> None:
    """They stand on the class, and its services inherit them."""
    assert (Thing.topic, Thing.version, Thing.serves) == ("thing", Version(2, 3), (Version(1, 9),))
    assert (Whole.topic, Whole().version) == ("thing", Version(2, 3))


def test_an_endpoint_says_what_it_is() -> None:
    """Its interface, name, age, idempotence and parameters can be read from it."""
    spec = spec_of(kilo.ComputeAPI.build_and_run)
    assert spec.interface is kilo.ComputeAPI
    assert (spec.method, spec.since, spec.idempotent) == ("build_and_run", Version(4, 0), False)
    assert list(spec.parameters) == ["instance", "image", "quiet"]
    assert spec.parameters["quiet"].since == Version(4, 0)
    assert (spec.boundaries, spec.was) == ((Version(4, 0),), {Version(4, 0): "build_instance"})
    assert spec_of(kilo.ComputeAPI.echo).idempotent


class Vm(VersionedObject, version="1.0"):
    uuid: str
    note: str | None = None


class Ordered(Interface, Protocol, topic="vms", version="1.0"):
    @endpoint(since="1.0", replayable=True, expires=600, ordered_by="vm.uuid")
    async def stop(self, context: Context, vm: Vm | None = None) -> None: ...

    @endpoint(since="1.0", ordered_by="name")
    async def start(self, context: Context, name: str) -> None: ...


def test_an_endpoint_says_what_it_promises_of_its_casts() -> None:
    """In the words of the frozen contract too."""
    made = Contract(Registry([Vm], "p"), [Ordered])
    said = interface_in_words(made.interfaces["vms"])["endpoints"]
    assert said["stop"].endswith("-> None, since 1.0, replayable, expires 600 s, ordered by vm.uuid")
    assert said["start"].endswith("-> None, since 1.0, ordered by name")


def test_the_ordering_key_is_one_for_all_endpoints_that_name_the_same_thing() -> None:
    """A text, whatever it was; a long one by its digest; none where there is nothing to order by."""
    stop, start = spec_of(Ordered.stop).casting, spec_of(Ordered.start).casting
    assert stop.key_of({"vm": Vm(uuid="a-1")}) == start.key_of({"name": "a-1"}) == "a-1"
    assert start.key_of({"name": UUID(int=7)}) == str(UUID(int=7))
    assert len(start.key_of({"name": "x" * 1000})) == 64
    assert (stop.key_of({"vm": None}), stop.key_of({}), spec_of(Thing.go).casting.key_of({"where": "a"})) == ("",) * 3


@pytest.mark.parametrize(
    ("casting", "told"),
    [
        (Casting(expires=0), "expires=0: give seconds, more than 0"),
        (Casting(expires=float("inf")), "expires=inf: give seconds, more than 0"),
        (Casting(ordered_by="host"), "ordered_by='host': give a parameter, or an attribute of one; it has vm, hard"),
        (Casting(ordered_by="vm.0"), "ordered_by='vm.0': give a parameter, or an attribute of one; it has vm, hard"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused(casting: Casting, told: str) -> None:
    """With the place."""
    with pytest.raises(ProjectError) as refused:
        casting.check("API.stop", ["vm", "hard"])
    assert (refused.value.where, refused.value.reason) == ("API.stop", told)


def test_a_service_that_forgets_an_endpoint_cannot_be_made() -> None:
    """Endpoints are abstract."""

    class Lazy(Thing):
        pass

    with pytest.raises(TypeError, match="abstract method '?go'?"):
        Lazy()  # type: ignore[abstract]
    assert isinstance(Whole(), Whole)


def test_the_contract_has_one_manifest_of_objects_and_topics() -> None:
    """Names of objects and topics to versions, with what is readable from where."""
    assert dict(kilo.contract.manifest) == {
        "Image": Version(1, 1), "Instance": Version(1, 17), "Volume": Version(1, 0), "compute": Version(4, 1),
    }  # fmt: skip
    assert kilo.contract.manifest.readable_from["Image"] == Version(1, 0)
    assert kilo.contract.project == "cloud"


def test_an_interface_is_found_by_its_topic() -> None:
    """With its endpoints and what it serves; an unknown topic lists the known ones."""
    found = kilo.contract.interface("compute")
    assert (found.cls, found.version, found.understood) == (kilo.ComputeAPI, Version(4, 1), "3.35, 4.1")
    assert sorted(found.endpoints) == ["attach", "build_and_run", "echo", "evacuate", "reboot", "resize", "use", "work"]
    with pytest.raises(ProjectError, match="Project cloud: has no interface image: it has compute"):
        kilo.contract.interface("image")


def test_an_interface_may_extend_another() -> None:
    """Its endpoints are those of both."""

    class More(Thing, Protocol, topic="more", version="2.3"):
        @endpoint(since="2.0")
        async def stop(self, context: Context) -> None: ...

    assert sorted(contract(More).interface("more").endpoints) == ["go", "stop"]


def _bad_since() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="one")
        async def go(self, context: Context) -> None: ...

    return Bad


def _not_async() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")  # type: ignore[arg-type]
        def go(self, context: Context) -> None: ...

    return Bad


def _no_context() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")  # type: ignore[arg-type]
        async def go(self, where: str) -> None: ...

    return Bad


def _too_new() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")
        async def go(self, context: Context, fast: bool = param(False, since="1.1")) -> None: ...

    return Bad


def _star() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")
        async def go(self, context: Context, *where: str) -> None: ...

    return Bad


def _bad_param() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")
        async def go(self, context: Context, fast: bool = param(False, since="soon")) -> None: ...

    return Bad


def _untyped() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")
        async def go(self, context: Context, where) -> None: ...  # type: ignore[no-untyped-def]

    return Bad


def _cannot_travel() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")
        async def go(self, context: Context, where: Callable[[], None]) -> None: ...

    return Bad


def _unresolved() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")
        async def go(self, context: Context, where: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    return Bad


def _object_of_another_project() -> Any:
    class Bad(Interface, Protocol, topic="Instance", version="1.0"):
        @endpoint(since="1.0")
        async def go(self, context: Context) -> None: ...

    return Bad


def _topic_with_dots() -> Any:
    class Bad(Interface, Protocol, topic="bad.topic", version="1.0"):
        pass

    return Bad


def _no_version() -> Any:
    class Bad(Interface, Protocol, topic="bad"):
        pass

    return Bad


def _serves_itself() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="2.0", serves=("2.1",)):
        pass

    return Bad


def _no_topic() -> Any:
    class Bad(Interface, Protocol):
        pass

    return Bad


def _reserved() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="1.0"):
        @endpoint(since="1.0")
        async def serves(self, context: Context) -> None: ...  # type: ignore[override]

    return Bad


def _minor_boundary() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="2.1", serves=("1.9",)):
        @endpoint(since="1.0")
        async def go(self, context: Context) -> None: ...

        @go.adapt(before="2.1")
        @staticmethod
        def nothing() -> Mapping[str, Any]:
            return {}

    return Bad


def _adapted_twice() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="2.1", serves=("1.9",)):
        @endpoint(since="1.0")
        async def go(self, context: Context) -> None: ...

        @go.adapt(before="2.0")
        @staticmethod
        def nothing() -> Mapping[str, Any]:
            return {}

        @go.adapt(before="2.0")
        @staticmethod
        def again() -> Mapping[str, Any]:
            return {}

    return Bad


def _only_reverted() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="2.1", serves=("1.9",)):
        @endpoint(since="1.0")
        async def go(self, context: Context) -> None: ...

        @go.revert(before="2.0")
        @staticmethod
        def nothing() -> Mapping[str, Any]:
            return {}

    return Bad


def _two_of_one_name() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="2.1", serves=("1.9",)):
        @endpoint(since="1.0")
        async def go(self, context: Context) -> None: ...

        @endpoint(since="2.0")
        async def move(self, context: Context) -> None: ...

        @move.adapt(before="2.0", was="go")
        @staticmethod
        def nothing() -> Mapping[str, Any]:
            return {}

    return Bad


def _two_old_results() -> Any:
    class Bad(Interface, Protocol, topic="bad", version="2.1"):
        @endpoint(since="1.0")
        async def go(self, context: Context) -> None: ...

        @go.revert_reply(before="2.0")
        @staticmethod
        def nothing(one: int, two: int) -> None: ...

    return Bad


@pytest.mark.parametrize(
    ("define", "told"),
    [
        (_bad_since, "go: received version 'one', expected major.minor like '1.16'."),
        (_not_async, "go: an endpoint is an async def."),
        (_no_context, "go: an endpoint takes self and context first."),
        (_too_new, "Bad.go: speaks of version 1.1, but the interface is of version 1.0."),
        (_star, "go(where): arguments travel by name: no *args, **kwargs or positional-only ones."),
        (_bad_param, "go(fast): received version 'soon', expected major.minor like '1.16'."),
        (_untyped, "bad.go(where): has no annotation: write the type that travels."),
        (_cannot_travel, "bad.go(where): type collections.abc.Callable[[], None] cannot travel: use "),
        (_unresolved, "bad.go: an annotation cannot be resolved: name 'Nowhere' is not defined."),
        (_object_of_another_project, "Bad: topic Instance is the name of another interface or object."),
        (_topic_with_dots, "Bad: topic 'bad.topic' is not letters, digits, - and _."),
        (_no_version, "Bad: received version '', expected major.minor like '1.16'."),
        (_serves_itself, "Bad: serves names older majors than 2, each once, at its highest version."),
        (_no_topic, 'Bad: is no interface: give it topic="…" and version="…".'),
        (_reserved, "Bad.serves: an endpoint cannot have this name."),
        (_minor_boundary, "go.adapt(nothing): within a major, versions only add: give a major.0, not 2.1."),
        (_adapted_twice, "go.adapt(again): there is one for before 2.0 already, or under another name."),
        (_only_reverted, "Bad.go: serves major 1, and has a revert before 2.0 but no adapt."),
        (_two_of_one_name, "two endpoints are called go in major 1."),
        (_two_old_results, "bad.go.revert_reply: takes the old result alone, not (one, two)."),
        (lambda: int, 'int: is no interface: give it topic="…" and version="…".'),
        (lambda: 3, '3: is no interface: give it topic="…" and version="…".'),
        (lambda: Whole, 'Whole: is no interface: give it topic="…" and version="…".'),
    ],
)
def test_a_wrong_definition_says_where_and_what(define: Callable[[], Any], told: str) -> None:
    """Each mistake is one ProjectError, at definition or when the contract is built."""
    with pytest.raises(ProjectError) as caught:
        contract(define())
    assert told in str(caught.value)


def test_a_topic_is_taken_once() -> None:
    """Two interfaces cannot share one."""
    with pytest.raises(ProjectError, match="ComputeAPI: topic compute is the name of another interface or object"):
        contract(juno.ComputeAPI, kilo.ComputeAPI)
