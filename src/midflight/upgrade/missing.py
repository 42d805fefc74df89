"""Named rewrites and adapters that some release in the skew window has, that the code has not, and that a peer needs.

One may go once no peer in the window is older than where it leads; so this is asked of all releases at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from midflight.upgrade.finding import Category, Finding
from midflight.upgrade.reading import Api, Rewrite, Said, Thing, read_adapter, told_adapter

Found = Iterator[tuple[str, Finding]]


def missing(past: Mapping[str, Said], code: Said) -> Found:
    """With the release whose peers need it."""
    for release, old in past.items():
        for name, thing in old.objects.items():
            now = code.objects.get(name)
            if now is not None:
                yield from _rewrites("backport", release, thing, now, _known(past, name, "backports"))
                yield from _rewrites("forwardport", release, thing, now, _known(past, name, "forwardports"))
        for topic, api in old.interfaces.items():
            if topic in code.interfaces:
                yield from _adapters(release, api, code.interfaces[topic], _adapters_known(past, topic))


def _known(past: Mapping[str, Said], name: str, kind: str) -> dict[str, Rewrite]:
    """Every rewrite of an object that a release in the window has, by its name."""
    things = [old.objects[name] for old in past.values() if name in old.objects]
    return {key: rewrite for thing in things for key, rewrite in getattr(thing, kind).items()}


def _rewrites(what: str, release: str, old: Thing, now: Thing, known: Mapping[str, Rewrite]) -> Found:
    there: Mapping[str, Rewrite] = now.backports if what == "backport" else now.forwardports
    digests = {rewrite.digest for rewrite in there.values()}
    for key, rewrite in known.items():
        if key in there or rewrite.digest in digests or old.version >= rewrite.at:
            continue
        breaks = f"a peer that has {now.name} {old.version} needs it: {rewrite.says}"
        category = Category.WIRE if what == "backport" else Category.STORE
        due = f"the {what}, until no peer in the window is older than {rewrite.at}"
        yield release, Finding(category, f"{now.name}.{key}()", f"{what} removed", breaks, due)


def _adapters_known(past: Mapping[str, Said], topic: str) -> dict[str, str]:
    apis = [old.interfaces[topic] for old in past.values() if topic in old.interfaces]
    return {key: text for api in apis for key, text in api.adapters.items()}


def _adapters(release: str, old: Api, now: Api, known: Mapping[str, str]) -> Found:
    """Its endpoint may have another name by now: then the same body stands there."""
    digests = {read_adapter(text) for text in now.adapters.values()}
    for key, text in known.items():
        before = int(key.rpartition("_")[2])
        if key in now.adapters or read_adapter(text) in digests or old.version.major >= before:
            continue
        yield release, Finding(
            Category.RPC, f"{now.topic}.{key}", "adapter removed",
            f"a peer that speaks {now.topic} {old.version} needs it: {told_adapter(text)}",
            f"the adapter, until no peer in the window speaks less than {before}.0",
        )  # fmt: skip
