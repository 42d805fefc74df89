"""What must hold for one object: the base of all cases, and an object in its own version."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.contract import spell
from midflight.objects.fields import Field
from midflight.objects.nested import kind_of_class
from midflight.project import Project
from midflight.testing.failures import RoundTripFailed, crashed, shown

Class = type[VersionedObject]

_TYPE = "mend how the field is coerced and said: its type, its Codec, or its from_column and to_column"


@dataclass(frozen=True)
class Case(ABC):
    """One object of a project, and what it is sent through. ``source`` is the class whose objects it is tried with."""

    project: Project
    source: Class

    @property
    def name(self) -> str:
        return self.source.__shape__.name

    @property
    @abstractmethod
    def between(self) -> str:
        """The object and its versions, in words."""

    @abstractmethod
    def check(self, obj: Any) -> None:
        """Raises RoundTripFailed."""

    def failed(self, path: str, found: str, do: str) -> RoundTripFailed:
        return RoundTripFailed(self.between, path, found, do)


class Itself(Case):
    """In its own version it comes back equal, with its changes or without."""

    def __str__(self) -> str:
        return f"{self.name}-itself"

    @property
    def between(self) -> str:
        return f"{self.name} {self.source.__shape__.version}, by itself"

    def check(self, obj: Any) -> None:
        """As bytes, with its changes and without; as JSON at rest; as a row."""
        kind = kind_of_class(self.source)
        self._comes_back(obj, "bytes", lambda: wire.decode(wire.encode(obj), kind, path=self.name))
        obj.reset_changes()
        self._comes_back(obj, "bytes", lambda: wire.decode(wire.encode(obj), kind, path=self.name))
        if not any(map(_is_unopened, self._fields_below())):
            self._comes_back(
                obj, "JSON", lambda: wire.from_json(json.loads(json.dumps(wire.to_json(obj))), self.source)
            )
            self._comes_back(obj, "a row", lambda: self._through_a_row(obj))

    def _comes_back(self, obj: Any, through: str, trip: Callable[[], Any]) -> None:
        try:
            back = trip()
        except Exception as error:  # whatever a project's own codecs and converters raise
            raise self.failed(
                getattr(error, "path", self.name), f"through {through}: {crashed(error)}", _TYPE
            ) from error
        for name in self.source.__shape__.fields:
            had, got = (getattr(each, name) if each.is_set(name) else "unset" for each in (obj, back))
            if had != got or type(had) is not type(got):
                raise self.failed(f"{self.name}.{name}", f"{shown(had)} is {shown(got)} after {through}", _TYPE)
        if back.changes().keys() != obj.changes().keys():
            found = f"changed are {[*obj.changes()]}, and after {through} {[*back.changes()]}"
            raise self.failed(self.name, found, _TYPE)

    def _through_a_row(self, obj: Any) -> Any:
        """Fields with one converter only are no matter of the row alone, and go round it."""
        row = wire.to_row(obj)
        fields = self.source.__shape__.fields.values()
        beside = {field.name for field in fields if (field.from_column is None) != (field.to_column is None)}
        kept = {name: getattr(obj, name) for name in beside if obj.is_set(name)}
        return wire.from_row(self.source, row, **kept)

    def _fields_below(self) -> Iterator[Field]:
        for shape in self.source.__shape__.reachable(subclasses=True):
            yield from shape.fields.values()


def _is_unopened(field: Field) -> bool:
    return re.search(r"\bRaw\b", spell(field.kind)) is not None
