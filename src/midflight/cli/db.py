"""``midflight db``: the schema. These commands open the database themselves."""

from __future__ import annotations

from cyclopts import App

from midflight.cli.options import ConfigFile, DryRun, Json
from midflight.cli.output import Output
from midflight.cli.place import Place, open_place
from midflight.conductor.contract import release_of
from midflight.db.schema.runner import SchemaRunner

app = App(name="db", help="The schema: expand it, and see how it stands.")


@app.command
def expand(*, dry_run: DryRun = False, config: ConfigFile = None, json: Json = False) -> int:
    """Apply what the schema lacks, additions only, from a copy of the code that will be deployed.

    It waits for no lock longer than others may wait behind it, and tries again; after a minute it gives up, says who
    is in the way, and exits 75. Killed at any point, it goes on where it was.
    """
    out, place = Output(json=json), open_place(config)
    if dry_run:
        return _show(out, _runner(place).plan())
    applied = _runner(place).expand(place.project.migrations)
    release = release_of(place.project)
    for revision in applied:
        out.mark("done", f"revision {revision}")
    out.say(f"the schema is expanded to {release}" if applied else f"nothing to do: the schema is that of {release}")
    out.document({"release": release, "applied": applied})
    return 0


app.command(expand, name="sync", help="The same as expand.")


@app.command
def status(*, config: ConfigFile = None, json: Json = False) -> int:
    """How the schema stands to this code: 0 when nothing is missing, 1 when there is something to expand."""
    out, found = Output(json=json), _runner(open_place(config)).status()
    out.say(
        f"expanded by: {found.release or 'nobody yet'}{f', at {found.at:%Y-%m-%d %H:%M:%S} UTC' if found.at else ''}"
    )
    out.say(f"revisions: {', '.join(found.revisions) or 'none'}")
    if found.unknown:
        out.say(f"newer than this code: {', '.join(found.unknown)}")
    if found.pending:
        out.say(f"to be expanded: {', '.join(found.pending)}")
    if found.unfinished:
        out.say(f"left to do by a runner that was killed: {', '.join(found.unfinished)}")
    elif found.missing:
        out.say(f"missing, and no revision adds it: {', '.join(found.missing)}")
    out.document(found)
    return 1 if found.pending or found.unfinished or found.missing else 0


def _show(out: Output, plan: list[tuple[str, str]]) -> int:
    """What would be done, as SQL: 0 where that is nothing, else 1."""
    for revision, sql in plan:
        for line in (f"-- revision {revision}", *sql.splitlines(), ""):
            out.say(line)
    if not plan:
        out.say("nothing to do")
    out.document({"revisions": [{"revision": revision, "sql": sql} for revision, sql in plan]})
    return 1 if plan else 0


def _runner(place: Place) -> SchemaRunner:
    project = place.project
    return SchemaRunner(place.database, project.schema, project.tables, release_of(project))
