"""``midflight release``: frozen releases."""

from __future__ import annotations

from typing import Any

from cyclopts import App

from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import Place, open_place
from midflight.conductor.contract import FRAMEWORK, UNRELEASED, release_of
from midflight.errors import BrokerUnreachable, NoConductor, RpcError
from midflight.project import Project
from midflight.upgrade.at_rest import Found
from midflight.upgrade.check import Check
from midflight.upgrade.check import check as check_contract
from midflight.upgrade.chronicle import chronicle
from midflight.upgrade.finding import Finding
from midflight.upgrade.freeze import freeze as freeze_release
from midflight.upgrade.frozen import frozen
from midflight.upgrade.operator import operating
from midflight.upgrade.reading import Said, said
from midflight.upgrade.retire import Mark, Retirement, floor_above
from midflight.upgrade.retire import retire as retire_release
from midflight.upgrade.verdict import Status
from midflight.upgrade.wording import project_in_words
from midflight.versions import Release

app = App(name="release", help="Frozen releases: what each understands.")

_SHOWN = 4


@app.command
def freeze(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Write down what the project's code can say, as releases/NAME.toml, for people to review.

    Done already with the same content, nothing happens; with another content it is refused.

    Parameters
    ----------
    name
        Letters, digits, - and _; a fix of a release is NAME.1.
    """
    out, place = Output(json=json), open_place(config)
    done = freeze_release(place.project, name)
    out.mark("done", f"{done.path} {'written' if done.written else 'says the same already'}; review and commit it")
    out.document({"release": name, "sequence": done.sequence, "path": str(done.path), "written": done.written})
    return 0


@app.command
def check(release: str | None = None, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Compare the code with every release in the skew window.

    Exits 0 when it is unchanged or properly bumped, 2 when peers would break. Each finding says who breaks, which
    version or backport is due, and gives lines to paste.

    Parameters
    ----------
    release
        The name under which the code is to be frozen, like kilo.1; else what it is, or the release after the last.
    """
    out, place = Output(json=json), open_place(config)
    checked = check_contract(place.project, release)
    for finding in checked.findings:
        _print_finding(out, finding)
    _print_outcome(out, checked)
    out.document(_checked(checked))
    return 2 if checked.findings else 0


def _print_finding(out: Output, finding: Finding) -> None:
    out.mark("fail", f"{finding.path}: {finding.change} ({finding.category})")
    for head, words in (
        ("breaks", f"{', '.join(finding.peers)}: {finding.breaks}"),
        ("met in", _some(finding.met_in)),
        ("due", finding.due),
    ):
        if words:
            out.say(f"  {head:<8}{words}")
    for line in finding.suggestion.splitlines():
        out.say(f"  | {line}".rstrip())
    out.say("")


def _some(places: tuple[str, ...]) -> str:
    more = f", and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return ", ".join(places[:_SHOWN]) + more


def _print_outcome(out: Output, checked: Check) -> None:
    window, count = checked.window, len(checked.findings)
    if not window.releases:
        out.mark("pass", "no release is frozen yet, so there is no peer to break: midflight release freeze NAME")
    elif count:
        what = "1 change" if count == 1 else f"{count} changes"
        out.mark("fail", f"{what} that peers in the skew window ({window.names}) would not survive")
    else:
        last = window.releases[-1].name
        how = (
            f"properly bumped since {last}: {', '.join(checked.raised)}"
            if checked.raised
            else f"unchanged since {last}"
        )
        out.mark("pass", f"compared with {window.names}; {how}")


def _checked(checked: Check) -> dict[str, Any]:
    return {
        "code": checked.window.code,
        "window": [release.name for release in (*checked.window.releases, *checked.window.later)],
        "raised": list(checked.raised),
        "findings": [finding.to_wire() for finding in checked.findings],
    }


@app.command
def diff(before: str, after: str | None = None, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """What changed from one release to another, in words.

    Parameters
    ----------
    before
        A frozen release.
    after
        Another; else the code as it is.
    """
    out, place = Output(json=json), open_place(config)
    old, new = (_said(place.project, name) for name in (before, after))
    chapters = chronicle(old, new)
    for chapter in chapters:
        out.say(chapter.title)
        for line in chapter.lines:
            out.say(f"  {line}")
    if not chapters:
        out.say(f"{before} and {after or 'the code'} say the same")
    document = [{"title": chapter.title, "lines": list(chapter.lines)} for chapter in chapters]
    out.document({"before": before, "after": after, "chapters": document})
    return 0


def _said(project: Project, name: str | None) -> Said:
    if name is None:
        return said(project_in_words(project))
    return frozen(project, project.release(name).name)


@app.command
async def retire(release: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """The marks in the code that may go with a release.

    That is since, backports and adapters which only its peers needed. A conductor counts the objects at rest that need
    them too. Nothing is changed. Exits 0 when there are none, 1 when there are, 2 while the release is in the skew
    window of the next one or rows need it, 4 while nobody can say whether they do.

    Parameters
    ----------
    release
        The frozen release that no peer runs any more.
    """
    out, place = Output(json=json), open_place(config)
    retirement = retire_release(place.project, release)
    if retirement.asks_rows:
        retirement = await _with_rows(retirement, place)
    for mark in retirement.marks:
        _print_mark(out, mark, retirement.stands(mark))
    _print_retirement(out, retirement)
    out.document(
        {
            "release": release,
            "status": retirement.status.value,
            "window": list(retirement.window),
            "marks": [_mark(mark, retirement.stands(mark)) for mark in retirement.marks],
            "at_rest": [_needing(found) for found in retirement.needing],
            "because": [{"status": fact.status.value, "words": fact.words} for fact in retirement.facts],
        }
    )
    return retirement.status.exit_code


async def _with_rows(retirement: Retirement, place: Place) -> Retirement:
    try:
        async with operating(place.config, place.project) as operator:
            fleet, rows = await operator.fleet(), await operator.versions_at_rest()
    except (NoConductor, BrokerUnreachable, RpcError) as wrong:
        return retirement.without_rows(str(wrong))
    return retirement.with_rows(rows, floor_above(place.project, retirement.release, fleet.store_floor))


def _print_mark(out: Output, mark: Mark, stands: Status) -> None:
    if stands is Status.PASS:
        out.mark("ready", f"{mark.path}: {mark.mark} may go, {mark.because}")
    else:
        why = "stays: rows may need it" if stands is Status.FAIL else "may go only if no row needs it"
        out.mark(stands.value, f"{mark.path}: {mark.mark} {why}")


def _mark(mark: Mark, stands: Status) -> dict[str, str]:
    return {"path": mark.path, "mark": mark.mark, "because": mark.because, "status": stands.value}


def _needing(found: Found) -> dict[str, Any]:
    return {
        "column": found.column,
        "object": found.object,
        "version": str(found.version),
        "count": found.count,
    }


def _print_retirement(out: Output, retirement: Retirement) -> None:
    release, window = retirement.release, ", ".join(retirement.window)
    if retirement.in_window:
        out.mark("fail", f"{release} is in the skew window of the next release ({window}): its peers need every mark")
    elif not retirement.marks:
        out.mark("pass", f"no mark in the code is there for {release}")
    for fact in retirement.facts:
        out.mark(fact.status.value, fact.words)


@app.command(name="list")
def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """All frozen releases, oldest first, and which of them this code is."""
    out, place = Output(json=json), open_place(config)
    releases = place.project.releases
    code = release_of(place.project)
    out.table(
        ("", "release", "interfaces", "objects", "this code"),
        [(str(r.sequence), r.name, *_versions(r, place.project), "yes" if r.name == code else "-") for r in releases],
    )
    if code == UNRELEASED:
        out.say("this code is no frozen release: midflight release freeze NAME")
    out.document([{**_document(release), "this_code": release.name == code} for release in releases])
    return 0


def _versions(release: Release, project: Project) -> tuple[str, str]:
    """The project's own interfaces and objects, with their versions."""
    named = {name: f"{name} {version}" for name, version in release.manifest.items() if name not in FRAMEWORK}
    topics = [words for name, words in named.items() if name in project.contract.interfaces]
    return ", ".join(topics) or "-", ", ".join(words for words in named.values() if words not in topics) or "-"


def _document(release: Release) -> dict[str, Any]:
    versions = {name: str(version) for name, version in release.manifest.items()}
    return {
        "release": release.name,
        "sequence": release.sequence,
        "manifest": versions,
        "digest": release.manifest.digest,
    }
