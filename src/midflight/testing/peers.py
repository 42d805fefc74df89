"""What must hold for one object between us and the peers of one release: to them and back, from them and back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hypothesis import note

from midflight.errors import CannotBackport, InvalidValue, MalformedMessage, NotReadable, PinnedOut
from midflight.objects import wire
from midflight.objects.contract import object_in_words
from midflight.objects.nested import kind_of_class
from midflight.objects.shape import Shape
from midflight.testing.cases import Case, Class
from midflight.testing.differences import Difference, crosses, gaps, in_forms, in_objects, name_of, plain, start
from midflight.testing.failures import RoundTripFailed, crashed, shown
from midflight.testing.rebuilt import Peer, fallbacks_in
from midflight.upgrade.reading import said
from midflight.versions import Version

_UNREADABLE = (InvalidValue, NotReadable, MalformedMessage)
_PASTE = "`midflight release check` has lines to paste"


@dataclass(frozen=True)
class _WithPeer(Case):
    peer: Peer
    refusing: Collection[str]
    """The names of the objects that may raise CannotBackport."""

    @property
    def between(self) -> str:
        ours = self._ours[self.name].__shape__.version
        return f"{self.name} {ours} here, and {self._there(self.name)} in release {self.peer.name}"

    @property
    def _ours(self) -> dict[str, Class]:
        return self.project.registry.objects

    def _there(self, name: str) -> str:
        """How the release knows an object: the version of its own, or of the nearest base."""
        shape = self._known(self._ours[name].__shape__)
        return str(self.peer.manifest[shape.name]) + ("" if shape.name == name else f" of {shape.name}")

    def _known(self, shape: Shape) -> Shape:
        return shape.known_to(self.peer.manifest)

    def _sent(self, obj: Any, where: str = "sender") -> bytes | None:
        """The bytes for the peer; None where it is refused, and may be."""
        try:
            return wire.encode(obj, self.peer.manifest, where=where)
        except CannotBackport as refusal:
            if refusal.object in self.refusing:
                return None
            do = (
                f"write a backport that says it in the older version, or give roundtrip(…, refusing=[{refusal.object}])"
            )
            raise self.failed(refusal.object, f"{refusal}", do) from None
        except PinnedOut as refusal:
            if obj.changes():
                return None
            raise self.failed(self.name, f"{refusal}", "mend the backport that changes an object") from None
        except Exception as error:  # whatever a project's backport raises
            do = "mend it; a wire form has no keys for fields that are unset, so ask by wire.get or `in`"
            raise self.failed(self.name, f"a backport crashed: {crashed(error)}", do) from error

    def _understood(self, data: bytes, obj: Any) -> Any:
        """The peer's object. 1. it can be read 2. with the very types that the release has 3. without any field that it
        does not have 4. with all that it needs."""
        form, peer = plain(data), self.peer
        note(f"the form for {peer.name}: {form}")
        there = self._read_by_peer(data, name_of(form))
        for wrong in in_forms(form, plain(wire.encode(there)), start(name_of(form)), _none):
            if wrong.found in peer.fallbacks:
                continue
            raise self._stranger(wrong) if wrong.field not in self._fields(wrong.object) else self._other_type(wrong)
        for gap in gaps(form, peer.objects, start(name_of(form))):
            if self._is_loss(gap, obj):
                raise self._gap(gap)
        return there

    def _fields(self, name: str) -> Collection[str]:
        return self.peer.objects[name].__shape__.fields

    def _read_by_peer(self, data: bytes, name: str, **how: Any) -> Any:
        try:
            return wire.decode(data, kind_of_class(self.peer.objects[name]), path=name, **how)
        except InvalidValue as wrong:
            found = f"{wrong.received} is sent; {self.peer.name} takes {wrong.expected}"
            raise self.failed(wrong.path, found, self._backport_due(wrong.path)) from None

    def _other_type(self, wrong: Difference) -> RoundTripFailed:
        takes = self.peer.type_of(wrong.object, wrong.field)
        found = f"{shown(wrong.sent)} ({type(wrong.sent).__name__}) is sent; {self.peer.name} takes {takes}"
        return self.failed(wrong.path, found, self._backport_due(wrong.path, wrong.object))

    def _stranger(self, wrong: Difference) -> RoundTripFailed:
        version = self._version(wrong.object)
        found = f"{shown(wrong.sent)} is sent; {self.peer.name} has no such field, and would lose it"
        return self.failed(wrong.path, found, f'say since="{version}" of the field, or take it out in a backport')

    def _gap(self, gap: Difference) -> RoundTripFailed:
        found = f"nothing is sent; {self.peer.name} needs {self.peer.type_of(gap.object, gap.field)}"
        do = "leave it in the form, or say it there in a backport; a removed field keeps a tombstone with a default"
        return self.failed(gap.path, found, do)

    def _is_loss(self, gap: Difference, obj: Any) -> bool:
        """Whether we had it, or can not know it. What was not loaded, we need not send."""
        ours = self._ours.get(gap.object)
        known = ours.__shape__.fields if ours else {}
        if gap.field in known and known[gap.field].lazy:
            return False
        if gap.path != f"{name_of_path(gap.path)}.{gap.field}":
            return True
        if gap.field in obj.__shape__.fields:
            return bool(obj.is_set(gap.field))
        return all(obj.is_set(name) for name, field in obj.__shape__.fields.items() if not field.lazy)

    def _backport_due(self, path: str, name: str = "") -> str:
        before = self._version(name or name_of_path(path))
        return f'write or mend a `@backport(before="{before}")` that says it in the older type; {_PASTE}'

    def _version(self, name: str) -> Version | str:
        return self._ours[name].__shape__.version if name in self._ours else "…"

    def _read_by_us(self, data: bytes, name: str) -> Any:
        """Raises NotReadable where the peer is newer than we are."""
        kind = kind_of_class(self._ours[name])
        try:
            back = wire.decode(data, kind, sender=self.peer.manifest, path=name)
            changes = back.changes()
        except InvalidValue as wrong:
            found = f"{self.peer.name} sends {wrong.received}; our code takes {wrong.expected}"
            due = f'`@forwardport(since="{self._version(name)}")`'
            do = f"write or mend a {due} that brings it into the newer type; {_PASTE}"
            raise self.failed(wrong.path, found, do) from None
        except NotReadable:
            raise
        except Exception as error:  # whatever a project's forwardport raises
            raise self.failed(name, f"a forwardport crashed: {crashed(error)}", "mend it") from error
        if changes:
            do = "let forwardports leave the list of changes alone"
            raise self.failed(f"{name}.{next(iter(changes))}", "counts as changed, and nobody changed it", do)
        return back


def _none(name: str, field: str) -> bool:
    return False


def name_of_path(path: str) -> str:
    """The object at which a path begins."""
    return path.partition(".")[0]


class ToRelease(_WithPeer):
    """What we send to a release's peers, and what comes back."""

    def __str__(self) -> str:
        return f"{self.name}-to-{self.peer.name}"

    def check(self, obj: Any) -> None:
        """With its changes; as an answer; without changes, there and back; and in our own version, read by skipping."""
        for where in ("sender", wire.REPLY):
            if (data := self._sent(obj, where)) is not None:
                self._understood(data, obj)
        obj.reset_changes()
        if (data := self._sent(obj)) is not None:
            self._comes_back(obj, data)
        self._skips(obj)

    def _comes_back(self, obj: Any, data: bytes) -> None:
        there = self._understood(data, obj)
        form = plain(data)
        back = self._read_by_us(wire.encode(there), name_of(form))
        for lost in in_objects(obj, back, form, start(name_of(form)), self.peer.manifest):
            found = f"{shown(lost.sent)} went out, and came back as {shown(lost.found)}"
            do = "write or mend a forwardport that undoes it, or say lossy=True of a backport that does not tell all"
            raise self.failed(lost.path, found, do)

    def _skips(self, obj: Any) -> None:
        """Our own form, for a peer that our readable_from lets read it."""
        shapes = obj.__shape__.reachable(subclasses=True)
        if any(shape.name not in self.peer.objects for shape in shapes):
            return
        data, ours = wire.encode(obj), self.project.registry.manifest
        try:
            there = self._read_by_peer(data, self.name, sender=ours)
        except NotReadable:
            return
        form = plain(data)
        found = plain(wire.encode(there))
        for wrong in in_forms(form, found, start(self.name), lambda name, field: field not in self._fields(name)):
            if wrong.found not in self.peer.fallbacks:
                raise self._other_type(wrong)
        for gap in gaps(form, self.peer.objects, start(self.name)):
            if self._is_loss(gap, obj):
                raise self._gap(gap)


class FromRelease(_WithPeer):
    """What a release's peers say, and what they are answered. ``source`` is the class as they have it."""

    def __str__(self) -> str:
        return f"{self.name}-from-{self.peer.name}"

    def check(self, obj: Any) -> None:
        """It is read, complete, and goes back as it was, but for what a rewrite may touch."""
        obj.reset_changes()
        data = wire.encode(obj)
        try:
            ours = self._read_by_us(data, self.name)
        except NotReadable:
            return
        self._is_whole(obj, ours)
        if self.source.__shape__.version > ours.__shape__.version:
            return
        if (answer := self._sent(ours)) is None:
            return
        back = self._understood(answer, ours)
        for lost in in_forms(plain(data), plain(wire.encode(back)), start(self.name), self._may_differ):
            if lost.found not in self._fallbacks:
                found = f"{shown(lost.sent)} came in, and went back as {shown(lost.found)}"
                raise self.failed(lost.path, found, "let the backport undo what is read from the older version")

    def _is_whole(self, theirs: Any, ours: Any) -> None:
        if not all(theirs.is_set(name) for name in theirs.__shape__.fields):
            return
        for gap in gaps(plain(wire.encode(ours)), self._ours, start(self.name)):
            found = f"{self.peer.name} does not say it, and it arrives unset"
            do = f'say since="{self._version(gap.object)}" and a default, or write a forwardport that says it'
            raise self.failed(gap.path, found, do)

    def _may_differ(self, name: str, field: str) -> bool:
        ours = self._ours.get(name)
        return ours is None or crosses(ours.__shape__, self.peer.objects[name].__shape__.version, field)

    @cached_property
    def _fallbacks(self) -> list[Any]:
        """What our code reads members of enums as that it does not know."""
        return fallbacks_in(said({"objects": {name: object_in_words(cls) for name, cls in self._ours.items()}}))
