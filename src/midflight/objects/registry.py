"""All versioned objects of one project, found by name, and the manifest that they make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject
from midflight.objects.kinds import Kind, kind_of
from midflight.objects.nested import object_kind, unknown
from midflight.objects.remote import remotables_of
from midflight.versions import Manifest


class Registry:
    """The objects of one project. Building it resolves all annotations; raises ProjectError for what cannot travel."""

    def __init__(self, objects: Iterable[type[VersionedObject]], project: str = "") -> None:
        self.project = project
        self.objects: dict[str, type[VersionedObject]] = {}
        for cls in objects:
            self._add(cls)
        for cls in self.objects.values():
            self._admit(cls)
        for cls in self.objects.values():
            self._check(cls)
        shapes = [cls.__shape__ for cls in self.objects.values()]
        self.manifest = Manifest(
            {shape.name: shape.version for shape in shapes}, {shape.name: shape.readable_from for shape in shapes}
        )

    def _add(self, cls: type[VersionedObject]) -> None:
        if object_kind(cls) is None:
            raise ProjectError(
                where=f"Project(objects=…{getattr(cls, '__name__', cls)}…)", reason="is no versioned object"
            )
        if self.objects.setdefault(cls.__shape__.name, cls) is not cls:
            raise ProjectError(where=cls.__shape__.name, reason="two objects of this name in one project")

    def _admit(self, cls: type[VersionedObject]) -> None:
        """Where a field is typed by a base class, this class may stand too."""
        for base in cls.__shape__.bases():
            if (kind := object_kind(base.cls)) and (own := object_kind(cls)):
                kind.admit(own)

    def _check(self, cls: type[VersionedObject]) -> None:
        for shape in cls.__shape__.reachable():
            if shape.name not in self.objects:
                raise ProjectError(where=cls.__shape__.name, reason=f"holds {shape.name}: add it to Project(objects=…)")
        for method in remotables_of(cls).values():
            method.kinds(cls)

    def get(self, name: str) -> type[VersionedObject]:
        """The class of an object that a peer named. Raises UnknownObject."""
        if name not in self.objects:
            raise unknown(name, self.project, self.objects)
        return self.objects[name]

    def kind(self, annotation: Any, where: str = "") -> Kind:
        """Compile a resolved annotation. Raises ProjectError."""
        return kind_of(annotation, object_kind, where)
