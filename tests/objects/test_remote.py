"""Remotables: the same call, here or at a conductor."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from midflight.context import Context
from midflight.errors import InvalidValue, NoContext, NoDatabaseHere, ProjectError, UnknownRemotable
from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.remote import remotable, remotable_of, remotables_of
from tests.objects.sample import Disk, Instance


class Rows:
    """A database port that keeps what it is given."""

    def __init__(self) -> None:
        self.writes: list[Any] = []

    async def read(self, work: Any, /, *args: Any) -> Any:
        return {"uuid": args[0]}

    async def write(self, work: Any, /, *args: Any) -> Any:
        self.writes.append(work)


class FarConductor:
    """A conductor port that runs the body elsewhere and sends the target's state back."""

    def __init__(self, rows: Rows) -> None:
        self.here = Context(database=rows)
        self.runs: list[str] = []

    async def run(self, target: Any, method: str, context: Context, arguments: Mapping[str, Any]) -> Any:
        self.runs.append(method)
        there: Any = target if isinstance(target, type) else wire.clone(target)
        cls = target.__shape__.cls
        result = await remotable_of(cls, method).run_here(cls, there, self.here, arguments)
        if there is not target:
            wire.apply(target, there)
        return result


async def test_with_a_database_the_body_runs_here() -> None:
    """The context that it was got with is the one that it is saved with."""
    rows = Rows()
    instance = await Instance.get(Context(database=rows), str(UUID(int=7)))  # type: ignore[arg-type]  # coerced
    instance.reset_changes()
    instance.memory_mb = 9
    assert await instance.save() == 1
    assert rows.writes == [{"memory_mb": 9}]
    assert instance.changes() == {}


async def test_without_one_it_runs_at_the_conductor_and_the_changes_come_back() -> None:
    """The same instance is clean afterwards."""
    rows = Rows()
    conductor = FarConductor(rows)
    instance = Instance(uuid=UUID(int=7), context=Context(conductor=conductor))
    instance.reset_changes()
    instance.tags.append("x")
    assert await instance.save() == 1
    assert (rows.writes, conductor.runs, instance.changes()) == ([{"tags": ["x"]}], ["save"], {})


async def test_a_context_at_the_call_goes_before_the_sticky_one() -> None:
    """For that one call."""
    first, second = Rows(), Rows()
    sticky = Context(database=first)
    instance = Instance(uuid=UUID(int=7), context=sticky)
    await instance.save(context=Context(database=second))  # type: ignore[call-arg]  # taken by every remotable
    assert (first.writes, len(second.writes), instance.context) == ([], 1, sticky)


class Almanac(VersionedObject, version="1.0"):
    year: int

    @staticmethod
    @remotable
    async def days(context: Context, year: int) -> int:
        await context.db.write(year)
        return 366 if year % 4 == 0 else 365


async def test_what_is_no_context_is_refused_at_the_call() -> None:
    """By the name of the remotable."""
    instance = Instance(uuid=UUID(int=7))
    with pytest.raises(TypeError, match=r"^Instance.save takes a Context as context=…; received 5$"):
        await instance.save(context=5)  # type: ignore[call-arg]  # that is what is refused
    with pytest.raises(TypeError, match=r"^Instance.get takes a Context first; received 5$"):
        await Instance.get(5, UUID(int=7))  # type: ignore[arg-type]  # likewise


async def test_a_static_remotable_needs_neither_object_nor_class() -> None:
    """Here and at the conductor; its arguments are coerced, and its first is a Context."""
    rows = Rows()
    conductor = FarConductor(rows)
    assert await Almanac.days(Context(database=rows), "2028") == 366  # type: ignore[arg-type]  # coerced
    assert await Almanac.days(Context(conductor=conductor), year=2027) == 365
    assert (rows.writes, conductor.runs) == ([2028, 2027], ["days"])
    with pytest.raises(TypeError, match="Almanac.days takes a Context first; received 2028"):
        await Almanac.days(2028, 1)  # type: ignore[arg-type]


async def test_a_lazy_field_is_loaded_by_its_method() -> None:
    """It is clean afterwards, and the other fields are untouched."""
    instance = Instance(uuid=UUID(int=7), context=Context(database=Rows()))
    instance.reset_changes()
    await instance.load("disks")
    assert (instance.disks, instance.changes()) == ([Disk(gigabytes=7)], {})


async def test_arguments_are_coerced_and_refused_by_name() -> None:
    """The same way here and remotely."""
    with pytest.raises(InvalidValue, match=r"Instance.get\(uuid\): received 'x'"):
        await Instance.get(Context(database=Rows()), "x")  # type: ignore[arg-type]


async def test_without_database_and_conductor_it_says_what_is_missing() -> None:
    """Neither is a programming error that shows as None somewhere."""
    with pytest.raises(NoContext):
        await Instance(uuid=UUID(int=7)).save()
    with pytest.raises(NoDatabaseHere, match="Service none has no database"):
        _ = Context().db


def test_only_declared_remotables_can_be_reached() -> None:
    """Plain methods, attributes and dunders are not."""
    assert set(remotables_of(Instance)) == {"get", "save", "load_disks"}
    for name in ("local", "changes", "__init__", "uuid", "nothing"):
        with pytest.raises(UnknownRemotable, match=f"Instance.{name} is no remotable here, in release juno"):
            remotable_of(Instance, name, "juno")


async def test_a_result_is_coerced_where_the_body_runs() -> None:
    """Code that runs in place gets what it would get from afar; what does not fit is an error with its place."""

    class Clock(VersionedObject, version="1.0"):
        @staticmethod
        @remotable
        async def hours(context: Context, said: str) -> int:
            """What somebody has written down."""
            return said  # type: ignore[return-value]  # the mistake

    here = Context(database=Rows())
    assert await Clock.hours(here, "7") == 7
    with pytest.raises(InvalidValue, match="Clock.hours, its result: received 'seven'"):
        await Clock.hours(here, "seven")


def _no_argument() -> None:
    @staticmethod
    @remotable
    async def odd() -> int:  # type: ignore[misc]
        return 1


def _any_number() -> None:
    @remotable
    async def odd(self: Any, *names: str) -> int:
        return len(names)


def _plain() -> None:
    @remotable  # type: ignore[arg-type]
    def odd(self: Any) -> int:
        return 1


def _wrong_first() -> None:
    class Odd(VersionedObject, version="1.0"):
        @staticmethod
        @remotable
        async def odd(ctx: Context) -> int:
            return 1


def _class_method_without_classmethod() -> None:
    class Odd(VersionedObject, version="1.0"):
        @remotable
        async def odd(cls: Any, context: Context) -> int:  # the mistake
            return 1


@pytest.mark.parametrize(
    ("define", "said"),
    [
        (_no_argument, "takes nothing: let it take context first"),
        (_any_number, r"\*names has none"),
        (_plain, "write async def"),
        (_wrong_first, "first parameter is ctx: expected context"),
        (_class_method_without_classmethod, "first parameter is cls: expected self"),
    ],
)
def test_a_method_that_could_not_be_called_from_afar_is_refused_at_definition(define: Any, said: str) -> None:
    """By its name, with the reason."""
    with pytest.raises(ProjectError, match=rf"odd: is a remotable.*{said}"):
        define()
