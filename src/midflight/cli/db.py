"""``midflight db``: the schema. These commands open the database themselves."""

from __future__ import annotations

from cyclopts import App

from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import Place, open_place
from midflight.conductor.contract import release_of
from midflight.db.schema.runner import SchemaRunner

app = App(name="db", help="The schema: expand it, and see how it stands.")


@app.command
def expand(*, config: ConfigFile = None, json: Json = False) -> int:
    """Apply what the schema lacks, additions only, from a copy of the code that will be deployed."""
    out, place = Output(json=json), open_place(config)
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
    elif found.missing:
        out.say(f"missing, and no revision adds it: {', '.join(found.missing)}")
    out.document(found)
    return 1 if found.pending or found.missing else 0


def _runner(place: Place) -> SchemaRunner:
    project = place.project
    return SchemaRunner(place.database, project.schema, project.tables, release_of(project))
