"""``midflight upgrade rehearse``: the whole road, on a scratch fleet."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.errors import UsageError
from midflight.references import load
from midflight.upgrade.rehearsed import Report, StepTaken, make_room, write


def rehearse(
    *,
    from_: Annotated[str, Parameter(name="--from")],
    to: str,
    data: Path | None = None,
    fleet: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Go the whole road to a release, with every way back, on a broker and a database that are started for it.

    Real processes of both releases run here; production is not touched. The report is kept beside the frozen releases.
    Exits 0 when all of it was gone and every gate passed, 1 when gates had something to say, 2 when a step failed.

    Parameters
    ----------
    from_
        The release that production runs, and where its code is: juno=../juno, a folder, a wheel, or a commit, tag or
        branch of this repository; juno alone is the tag juno.
    to
        The release to upgrade to: the code here.
    data
        A copy of production's database to do it on: an SQLite file, or what pg_dump --no-owner --no-privileges wrote;
        else it begins empty, with the release before finalized.
    fleet
        The project's own fleet, package.module:Class, which is a MixedFleet: its members, its hooks and its users; else
        two conductors, and one member of each service.
    """
    out, place = Output(json=json), open_place(config)
    from midflight.testing.real_fleet import RealFleet  # no other command needs it
    from midflight.testing.rehearsal import fleet_of, rehearsal

    kind = fleet_of(place.project, place.config)
    if fleet is not None:
        kind = load(fleet, "Fleet", f"--fleet {fleet}")
        if not (isinstance(kind, type) and issubclass(kind, RealFleet)):
            raise UsageError(reason=f"received --fleet {fleet}, which is no MixedFleet of midflight.testing's")
    releases = dict([_release(from_), (to, Path.cwd())])
    if len(releases) < 2:
        raise UsageError(reason=f"received {to} as both ends of the road")
    folder = Path(tempfile.mkdtemp(prefix="mf-rehearsal-"))
    given = f"a copy, {data.name}" if data else f"what {fleet} wrote" if fleet else "none"
    try:
        prepared = rehearsal(kind, releases, folder, data)
        make_room(place.project, to)
        report = prepared.rehearse(given, lambda taken: _tell(out, taken))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _sum_up(out, report)
    if report.failed:
        first, *more = report.failed.splitlines()
        out.mark("fail", first)
        for line in more:
            out.say(line)
        out.say(f"the logs of all processes are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    out.mark("done", f"{write(place.project, report)} written; commit it")
    out.document(report)
    return _exit_code(report)


def _release(given: str) -> tuple[str, Path | str]:
    """A name, and where its code is: a path where there is one or it looks like one, else a commit."""
    name, _, where = given.partition("=")
    path = Path(where)
    if where.startswith("~/"):  # behind the = no shell has seen to it
        path = path.expanduser()
    is_path = path.exists() or path.is_absolute() or where.startswith(".") or path.suffix == ".whl"
    return name, path.resolve() if where and is_path else where or name


def _tell(out: Output, taken: StepTaken) -> None:
    back = "" if taken.back is None else f", back in {taken.back:.1f} s"
    out.mark(taken.gate, f"{taken.name}: {taken.seconds:.1f} s{back}")
    for words in taken.because:
        out.say(f"  {words}")


def _sum_up(out: Output, report: Report) -> None:
    for revision, found in report.lint.items():
        out.say(f"revision {revision}: {', '.join(found) or 'nothing found by db lint'}")
    if report.expand_seconds is not None:
        rows = ", ".join(f"{table} {number:,}" for table, number in report.rows.items())
        out.say(f"db expand with as many rows as production has took {report.expand_seconds:.1f} s ({rows})")
    for what, number in report.translations.items():
        name, newer, older = what.split()
        out.say(f"translated: {number} × {name} from {newer} to {older}")


def _exit_code(report: Report) -> int:
    if report.failed:
        return 2
    return 0 if all(taken.gate == "pass" for taken in report.steps) else 1
