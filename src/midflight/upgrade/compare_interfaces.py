"""One interface in a frozen release and in the code: what a peer that speaks the older one would not survive.

Within a major, versions only add: an endpoint or a parameter that is new says ``since``, and nothing else may change
for an older caller. Another major keeps the older one served, at least as high as its peers speak it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from midflight.upgrade.compare_signatures import signature_findings
from midflight.upgrade.finding import Category, Finding
from midflight.upgrade.reading import Api, Part, Signature, read_adapter
from midflight.upgrade.suggestions import value_line
from midflight.upgrade.types import annotation
from midflight.versions import Version


def interface_findings(old: Api, new: Api) -> Iterator[Finding]:
    """What ``new`` does to peers that speak ``old``."""
    served = new.highest(old.version.major)
    if served is None or served < old.version:
        yield _not_served(old, new, served)
    else:
        yield from Meeting(old, new, served).findings()


def _not_served(old: Api, new: Api, served: Version | None) -> Finding:
    if new.version < old.version:
        due = f'version="{old.version}", or higher'
        return _found(new, f"version went back from {old.version} to {new.version}", old, due, due)
    older = sorted({*(v for v in new.serves if v.major != old.version.major), old.version})
    given = f"serves=({' '.join(_quoted(version) for version in older)})"
    change = f"{old.version.major}.x is served up to {served}" if served else f"{old.version} is no longer served"
    return _found(new, change, old, f"{given}, and an adapter beside each endpoint that changed", given)


def _quoted(version: Version) -> str:
    return f'"{version}",'


def _found(new: Api, change: str, old: Api, due: str, suggestion: str) -> Finding:
    breaks = f"a peer that speaks {new.topic} {old.version} is rejected: VersionRejected"
    return Finding(Category.RPC, new.topic, change, breaks, due, suggestion)


@dataclass(frozen=True)
class Meeting:
    """Two codes that meet in one major; ``served`` is the code's highest version of it."""

    old: Api
    new: Api
    served: Version

    @property
    def same(self) -> bool:
        return self.old.version == self.served

    @property
    def due(self) -> Version:
        return Version(self.served.major, self.served.minor + 1) if self.same else self.served

    @property
    def bump(self) -> str:
        return f"{self.new.topic} {self.due}" + ("" if self.same else " (it is)")

    @property
    def line(self) -> str:
        """The head of the interface with its new version, where it is our own major."""
        if not self.same:
            return ""
        if self.served.major == self.new.version.major:
            return f'topic="{self.new.topic}", version="{self.due}"'
        return f'serves=("{self.due}",)'

    def findings(self) -> Iterator[Finding]:
        """Endpoint by endpoint, then the adapters."""
        major = self.served.major
        before, after = self.old.endpoints.get(major, {}), self.new.endpoints.get(major, {})
        for name in sorted({*before, *after}):
            yield from self._endpoint(name, before.get(name), after.get(name))
        if self.old.version == self.new.version:
            yield from self._adapters(self.old.adapters, self.new.adapters)

    def _endpoint(self, name: str, old: Signature | None, new: Signature | None) -> Iterator[Finding]:
        path = f"{self.new.topic}.{name}()"
        if old is None and new is not None:
            yield from self._added(path, new)
        elif new is None:
            yield Finding(
                Category.RPC, path, f"endpoint removed within major {self.served.major}", "a peer still calls it",
                f"the endpoint, until {self.new.topic} {self.served.major + 1}.0, and an adapter before it",
            )  # fmt: skip
        elif old is not None:
            if "heard only" in new.marks and "heard only" not in old.marks:
                yield self._heard_only(path)
            yield from signature_findings(path, old, new, self.bump if self.same else "", self.line)
            for parameter, part in new.parameters.items():
                if parameter not in old.parameters:
                    yield from self._parameter(name, parameter, part)
                elif part.since and part.since > self.old.version:
                    yield self._moved(f"{self.new.topic}.{name}({parameter})", part.since)
            if new.since and new.since > self.old.version:
                yield self._moved(path, new.since)

    def _added(self, path: str, new: Signature) -> Iterator[Finding]:
        if new.since is None or new.since <= self.old.version:
            yield Finding(
                Category.RPC, path, f"endpoint added, and says since {new.since}",
                f"a peer of {self.new.topic} {self.old.version} is called and does not know it",
                f'{self.bump}, and since="{self.due}"',
                "\n".join(filter(None, (self.line, f'    @endpoint(since="{self.due}")'))),
            )  # fmt: skip

    def _parameter(self, endpoint: str, name: str, part: Part) -> Iterator[Finding]:
        if part.default is None or (part.since is not None and part.since > self.old.version):
            return
        line = f'    {name}: {annotation(part.type)} = param({value_line(part)}, since="{self.due}")'
        yield Finding(
            Category.RPC, f"{self.new.topic}.{endpoint}({name})",
            f"parameter added with since {part.since}" if part.since else "parameter added without since",
            f"a peer of {self.new.topic} {self.old.version} is sent it and does not take it",
            f"{self.bump}, and a parameter that says since", "\n".join(filter(None, (self.line, line))),
        )  # fmt: skip

    def _moved(self, path: str, since: Version) -> Finding:
        return Finding(
            Category.RPC, path, f"says since {since} now", f"{self.new.topic} {self.old.version} has it already, and "
            "its peers would not be sent it any more: PinnedOut", "the since that was released",
        )  # fmt: skip

    def _heard_only(self, path: str) -> Finding:
        return Finding(
            Category.RPC, path, f"cannot be said in {self.old.version} any more",
            f"this code cannot call a peer of {self.new.topic} {self.old.version}: PinnedOut",
            "a revert beside its adapter", f'    @….revert(before="{self.new.version.major}.0")\n    @staticmethod',
        )  # fmt: skip

    def _adapters(self, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Finding]:
        """What an adapter does, it must go on doing for as long as the version stays. Whether one may go is asked of
        all peers at once."""
        for name in sorted({*old, *new}):
            then, now = read_adapter(old.get(name, "")), read_adapter(new.get(name, ""))
            if now and then != now:
                change = "the adapter's body changed" if then else "adapter added"
                yield Finding(
                    Category.RPC, f"{self.new.topic}.{name}", change,
                    "two codes of one version translate differently", f"{self.new.topic} {self.due}", self.line,
                )  # fmt: skip
