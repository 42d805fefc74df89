"""One object in a frozen release and in the code: what a peer of that release would not survive, or could not see.

Within one version, nothing that peers or code can see may differ. Across versions, what differs must be covered: a new
field by ``since``, a removed one by a tombstone, another type by a named backport (what we say to an older peer) and a
forwardport (what an older peer says, or left at rest).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from midflight.upgrade.compare_marks import default_change, mark_changes
from midflight.upgrade.compare_rewrites import rewrite_changes
from midflight.upgrade.compare_signatures import signature_findings
from midflight.upgrade.finding import Category, Finding
from midflight.upgrade.reading import Part, Rewrite, Signature, Thing
from midflight.upgrade.suggestions import backport_lines, class_line, field_line, forwardport_lines
from midflight.upgrade.types import Step, step, type_change
from midflight.versions import Version


def object_findings(old: Thing, new: Thing) -> Iterator[Finding]:
    """What ``new`` does to peers that have ``old``."""
    if new.version < old.version:
        yield Finding(
            Category.WIRE, new.name, f"version went back from {old.version} to {new.version}",
            f"a peer takes our {new.name} {new.version} for something older than it is",
            f"{new.name} {old.version}, or higher", class_line(new.name, old.version),
        )  # fmt: skip
        return
    pair = Pair(old, new)
    yield from pair.major()
    for name in dict.fromkeys([*old.fields, *new.fields]):
        yield from pair.field(name)
    yield from pair.rewrites("backport", old.backports, new.backports)
    yield from pair.rewrites("forwardport", old.forwardports, new.forwardports)
    yield from pair.readable()
    yield from pair.remotables()


@dataclass(frozen=True)
class Pair:
    """One object, then and now."""

    old: Thing
    new: Thing

    @property
    def same(self) -> bool:
        return self.old.version == self.new.version

    @property
    def due(self) -> Version:
        """The version that the change takes: the code's own, if it was raised already."""
        return Version(self.new.version.major, self.new.version.minor + 1) if self.same else self.new.version

    @property
    def bump(self) -> str:
        return f"{self.new.name} {self.due}" + ("" if self.same else " (it is)")

    @property
    def head(self) -> str:
        return class_line(self.new.name, self.due) + "\n" if self.same else ""

    def major(self) -> Iterator[Finding]:
        """Across a major, some backport must lead to what peers know."""
        if self.new.version.major == self.old.version.major or self._crossing(self.new.backports):
            return
        yield Finding(
            Category.WIRE, self.new.name, f"major raised to {self.new.version}, and no backport leads back",
            f"{self.new.name} cannot be sent to a peer of {self.old.version}: CannotBackport",
            f"a backport before {self.new.version}",
            f'    @backport(before="{self.new.version}")\n'
            f"    def was_{self.old.version.major}(self, wire: Wire) -> None:\n"
            f'        """What {self.new.name} was before {self.new.version}."""',
        )  # fmt: skip

    def field(self, name: str) -> Iterator[Finding]:
        """One field, whether it came, went, changed its type or its marks."""
        old, new = self.old.fields.get(name), self.new.fields.get(name)
        then = old is not None and old.exists_in(self.old.version)
        if new is not None and new.since is not None and new.since > self.new.version:
            yield self._unborn(name, new.since)
        elif old is None and new is not None:
            yield from self._added(name, new)
        elif new is None and old is not None and then:
            yield from self._removed(name, old)
        elif old is not None and old.until is not None and not then and new is not None and new.until is None:
            yield self._risen(name, old.until)
        elif old is not None and new is not None:
            yield from self._lives(name, old, new)
            yield from self._type(name, old, new)
            yield from self._marks(name, old, new) if then else self._grave(name, old, new)

    def _unborn(self, name: str, since: Version) -> Finding:
        due = f"{self.new.name} {since}, or a since that is not higher than the version"
        return self._found(
            Category.WIRE, name, f"says since {since}, but {self.new.name} is {self.new.version}",
            "it is never sent to anybody", due, class_line(self.new.name, since),
        )  # fmt: skip

    def _risen(self, name: str, until: Version) -> Finding:
        return self._found(
            Category.STORE, name, f"came back, though a field of this name was removed in {until}",
            "an older peer, or what it left at rest, means the old one by it", "another name",
        )  # fmt: skip

    def _added(self, name: str, new: Part) -> Iterator[Finding]:
        if new.since is not None and new.since > self.old.version:
            return
        if self._covered(self.new.backports, name) and self._covered(self.new.forwardports, name):
            return
        if new.until is not None and new.until <= self.old.version:
            return
        said = f"with since {new.since}" if new.since else "without since"
        yield self._found(
            Category.WIRE, name, f"added {said}",
            f"{self.new.name} {self.old.version} has no such field: a peer loses it silently, and leaves it unset in "
            "what it sends", f'{self.bump}, and since="{self.due}" with a way to live without it',
            self.head + field_line(name, new, since=str(self.due)),
        )  # fmt: skip

    def _removed(self, name: str, old: Part) -> Iterator[Finding]:
        if any(name in rewrite.touches for rewrite in self._crossing(self.new.backports)):
            return
        yield self._found(
            Category.WIRE, name, "removed without a tombstone",
            f"a peer that has {self.new.name} {self.old.version} expects it, and the name could come back with another "
            "meaning", f'{self.bump}, and the field kept with until="{self.due}"{self._renamed(old)}',
            self.head + field_line(name, old, until=str(self.due), **({"since": str(old.since)} if old.since else {})),
        )  # fmt: skip

    def _renamed(self, old: Part) -> str:
        """The one field of its type that came may be this one by another name, which only its author knows."""
        came = [
            name for name, new in self.new.fields.items()
            if name not in self.old.fields and new.type == old.type and new.since is None
        ]  # fmt: skip
        return f"; if it is only called {came[0]} now, a backport and a forwardport instead" if len(came) == 1 else ""

    def _lives(self, name: str, old: Part, new: Part) -> Iterator[Finding]:
        """It must still exist, and only exist, in the versions that have been released with it."""
        version = self.old.version
        if old.exists_in(version) == new.exists_in(version):
            return
        if old.exists_in(version):
            yield self._found(
                Category.WIRE, name, f"said to exist {_life(new)}", f"{self.new.name} {version} has it, and a peer "
                "would not be sent it any more", f"{self.bump}, with the life that was released: {_life(old)}",
            )  # fmt: skip
        else:
            yield self._found(
                Category.WIRE, name, f"said to exist {_life(new)}", f"{self.new.name} {version} does not have it",
                f"{self.bump}, with the life that was released: {_life(old)}",
            )  # fmt: skip

    def _type(self, name: str, old: Part, new: Part) -> Iterator[Finding]:
        change = step(old.type, new.type)
        wider = change.wider and new.exists_in(self.old.version) and not self._covered(self.new.backports, name)
        narrower = change.narrower and not self._covered(self.new.forwardports, name)
        if not (wider or narrower or (change.changed and self.same)):
            return
        rewrites = self._rewrites_due(name, old, new, change, wider, narrower)
        ports = " and ".join(f"a {port}" for port in rewrites)
        yield self._found(
            _category(change, wider, narrower), name, type_change(old.type, new.type, change),
            "; ".join(self._type_breaks(change, wider, narrower)),
            f"{self.bump}, {ports}" if ports else self.bump,
            (self.head + "\n\n".join(rewrites.values())).rstrip(),
        )  # fmt: skip

    def _rewrites_due(
        self, name: str, old: Part, new: Part, change: Step, wider: bool, narrower: bool
    ) -> dict[str, str]:
        rewrites = {}
        if wider:
            rewrites[f"backport before {self.due}"] = backport_lines(name, old, new, change, self.due)
        if narrower:
            rewrites[f"forwardport since {self.due}"] = forwardport_lines(name, old, new, change, self.due)
        return rewrites

    def _type_breaks(self, change: Step, wider: bool, narrower: bool) -> Iterator[str]:
        version = f"{self.new.name} {self.old.version}"
        if change.only_in_code:
            yield f"another code of {version} takes other values for it"
        elif change.unknown and not (change.gained or change.lost):
            yield f"two codes of {version} read a member that they do not know differently"
        elif change.gained and change.fallback and not wider:
            yield f"a reader of {version} takes {', '.join(change.gained)} for {change.fallback}, and cannot tell why"
        elif change.codec and wider:
            yield f"a reader of {version} refuses what it says, or takes it for something else"
        elif wider or not narrower:
            what = ", ".join(change.gained) or "what only the new type can say"
            yield f"a reader of {version} refuses {what}"
        if narrower:
            what = ", ".join(change.lost) or f"what {version} may hold"
            yield f"this code refuses {what}, sent by a peer or left at rest"

    def _marks(self, name: str, old: Part, new: Part) -> Iterator[Finding]:
        """What code can see and rows hold, and a new version announces."""
        for category, change, breaks, due in mark_changes(old, new) if self.same else ():
            yield self._found(category, name, change, breaks, self.bump + due, self.head.rstrip())

    def _grave(self, name: str, old: Part, new: Part) -> Iterator[Finding]:
        """The default of a tombstone is what older peers are told."""
        if self.same and old.default is not None and new.default is not None and old.default != new.default:
            yield self._found(
                Category.WIRE, name, default_change(old.default, new.default),
                f"two codes of {self.new.name} {self.new.version} tell a peer from before {old.until} different things",
                self.bump, self.head.rstrip(),
            )  # fmt: skip

    def readable(self) -> Iterator[Finding]:
        """Who may read it by skipping, where no rewrite and no tombstone that came or went tells that already."""
        before, now = self.old.readable_from, self.new.readable_from
        if not self.same or None in (before, now) or before == now or _turns(self.old) != _turns(self.new):
            return
        yield Finding(
            Category.WIRE, self.new.name, f"readable from {now}, and was from {before}",
            f"two codes of {self.new.name} {self.new.version} tell older readers differently whether they may skip "
            "what they do not know", self.bump, self.head.rstrip(),
        )  # fmt: skip

    def rewrites(self, what: str, old: Mapping[str, Rewrite], new: Mapping[str, Rewrite]) -> Iterator[Finding]:
        """Named rewrites: one that does something else makes another wire form of the same version."""
        for name in sorted({*old, *new} if self.same else ()):
            for category, change, breaks in rewrite_changes(what, old.get(name), new.get(name)):
                broken = breaks.format(name=self.new.name)
                yield self._found(category, f"{name}()", change, broken, self.bump, self.head.rstrip())

    def remotables(self) -> Iterator[Finding]:
        """Methods that peers call on a conductor."""
        for name in sorted({*self.old.remotables, *self.new.remotables}):
            old, new = self.old.remotables.get(name), self.new.remotables.get(name)
            path = f"{self.new.name}.{name}()"
            if old is None and self.same:
                yield self._found(
                    Category.RPC, f"{name}()", "remotable added", f"a conductor that also has {self.new.name} "
                    f"{self.old.version} does not know it", self.bump, self.head.rstrip(),
                )  # fmt: skip
            elif new is None:
                yield self._found(
                    Category.RPC, f"{name}()", "remotable removed", "a peer still calls it: UnknownRemotable",
                    "the method, until no peer in the window has it",
                )  # fmt: skip
            elif old is not None:
                yield from signature_findings(path, old, new, self.bump if self.same else "", self.head.rstrip())
                yield from self._parameters_added(name, old, new)

    def _parameters_added(self, remotable: str, old: Signature, new: Signature) -> Iterator[Finding]:
        for name in new.parameters.keys() - old.parameters.keys() if self.same else ():
            if new.parameters[name].default is not None:
                yield self._found(
                    Category.RPC, f"{remotable}({name})", "parameter added",
                    f"a conductor that also has {self.new.name} {self.old.version} does not take it",
                    self.bump, self.head.rstrip(),
                )  # fmt: skip

    def _crossing(self, rewrites: Mapping[str, Rewrite]) -> list[Rewrite]:
        return [rewrite for rewrite in rewrites.values() if self.old.version < rewrite.at <= self.new.version]

    def _covered(self, rewrites: Mapping[str, Rewrite], name: str) -> bool:
        return any(rewrite.may_touch(name) for rewrite in self._crossing(rewrites))

    def _found(
        self, category: Category, name: str, change: str, breaks: str, due: str, suggestion: str = ""
    ) -> Finding:
        return Finding(category, f"{self.new.name}.{name}", change, breaks, due, suggestion)


def _category(change: Step, wider: bool, narrower: bool) -> Category:
    if change.only_in_code:
        return Category.CODE
    return Category.STORE if narrower and not wider else Category.WIRE


def _turns(thing: Thing) -> set[Version | None]:
    """The versions in which readers could no longer skip what is new."""
    return {rewrite.at for rewrite in thing.backports.values()} | {part.until for part in thing.fields.values()}


def _life(part: Part) -> str:
    since = f"since {part.since}" if part.since else "from the start"
    return f"{since} until {part.until}" if part.until else since
