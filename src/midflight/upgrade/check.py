"""`release check`: the code against every release in the skew window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from midflight.project import Project
from midflight.upgrade.compare_bases import base_findings
from midflight.upgrade.compare_errors import error_findings
from midflight.upgrade.compare_interfaces import interface_findings
from midflight.upgrade.compare_objects import object_findings
from midflight.upgrade.finding import Category, Finding, merged
from midflight.upgrade.frozen import frozen
from midflight.upgrade.holders import holders_of
from midflight.upgrade.missing import missing
from midflight.upgrade.reading import Said, said
from midflight.upgrade.window import Window, window_of
from midflight.upgrade.wording import project_in_words


@dataclass(frozen=True)
class Check:
    """What was compared, and what was found."""

    window: Window
    findings: tuple[Finding, ...]
    raised: tuple[str, ...]
    """What is new since the last release in the window, and bumped as it should be: ``Instance 1.16 → 1.17``."""


def check(project: Project, name: str | None = None) -> Check:
    """Compare the project's code, as release ``name`` if given, with every release in its skew window.

    Raises ProjectError where the source of a rewrite or a frozen file cannot be read.
    """
    window = window_of(project, name)
    code = said(project_in_words(project))
    past = {release.name: frozen(project, release.name) for release in window.releases}
    later = {release.name: frozen(project, release.name) for release in window.later}
    found = [*_compared(past, code), *missing(past, code), *_taken_versions(later, code)]
    raised = _raised(list(past.values())[-1], code) if past else ()
    return Check(window, tuple(_with_holders(finding, code) for finding in merged(found)), raised)


def _compared(past: Mapping[str, Said], code: Said) -> Iterator[tuple[str, Finding]]:
    for release, old in past.items():
        for finding in findings(old, code):
            yield release, finding


def findings(old: Said, new: Said) -> Iterator[Finding]:
    """All that ``new`` does to peers of ``old``."""
    for name, thing in old.objects.items():
        if name in new.objects:
            yield from object_findings(thing, new.objects[name])
        else:
            yield _gone(name, "object", Category.WIRE, "a peer still sends it: UnknownObject")
    for topic, api in old.interfaces.items():
        if topic in new.interfaces:
            yield from interface_findings(api, new.interfaces[topic])
        else:
            yield _gone(topic, "interface", Category.RPC, "a peer still calls it, and nobody listens: NotDelivered")
    yield from base_findings(old, new)
    yield from error_findings(old.errors, new.errors)


def _taken_versions(later: Mapping[str, Said], code: Said) -> Iterator[tuple[str, Finding]]:
    """A fix of an older release may take no version for something that a newer release means otherwise by it."""
    for release, new in later.items():
        pairs = [
            *(
                (name, object_findings(thing, new.objects[name]))
                for name, thing in code.objects.items()
                if name in new.objects
            ),
            *(
                (t, interface_findings(api, new.interfaces[t]))
                for t, api in code.interfaces.items()
                if t in new.interfaces
            ),
        ]
        for name, found in pairs:
            version = code.versions[name]
            if version == new.versions[name] and (first := next(found, None)):
                yield release, _taken(name, release, f"{name} {version}", first)


def _taken(name: str, release: str, version: str, first: Finding) -> Finding:
    return Finding(
        first.category, name, f"is not what {release} means by {version}: {first.path} {first.change} there",
        "a peer takes the one for the other", f"what {release} says, or the version as it was before",
    )  # fmt: skip


def _gone(name: str, what: str, category: Category, breaks: str) -> Finding:
    due = f"the {what} in Project({what}s=…), until no peer in the window has it"
    return Finding(category, name, f"{what} removed", breaks, due)


_TRAVELS = (Category.WIRE, Category.STORE)


def _with_holders(finding: Finding, code: Said) -> Finding:
    """Where a peer meets the object, though it never asks for it: inside other objects, in arguments, in results."""
    name = finding.path.partition(".")[0]
    held = holders_of(name, code) if name in code.objects and finding.category in _TRAVELS else []
    return replace(finding, met_in=tuple(held))


def _raised(old: Said, new: Said) -> tuple[str, ...]:
    before, after = old.versions, new.versions
    changed = [name for name in after if after[name] != before.get(name)]
    return tuple(f"{name} {before.get(name, 'new')} → {after[name]}" for name in changed)
