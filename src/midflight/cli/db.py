"""``midflight db``: the schema. These commands open the database themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from sqlalchemy import inspect

from midflight.cli.options import ConfigFile, DryRun, Json
from midflight.cli.output import Output
from midflight.cli.place import Place, open_place
from midflight.conductor import store_floor
from midflight.conductor.contract import release_of
from midflight.db import journal, tables
from midflight.db.lint import facts as facts_of_tables
from midflight.db.lint.finding import Finding, Severity
from midflight.db.lint.linter import Linted
from midflight.db.lint.result import write as write_result
from midflight.db.schema.contracting import ContractRunner, Way
from midflight.db.schema.generate import generate, missing
from midflight.db.schema.opening import looking, shared
from midflight.db.schema.runner import SchemaRunner, SchemaStatus
from midflight.errors import UsageError
from midflight.upgrade.linting import lint as run_lint
from midflight.upgrade.readers import readers

app = App(name="db", help="The schema: expand it, contract it, and see how it stands.")


@app.command
def expand(*, dry_run: DryRun = False, config: ConfigFile = None, json: Json = False) -> int:
    """Apply what the schema lacks, additions only, from a copy of the code that will be deployed.

    It waits for no lock longer than others may wait behind it, and tries again; after a minute it gives up, says who
    is in the way, and exits 75. Killed at any point, it goes on where it was.
    """
    out, place = Output(json=json), open_place(config)
    if dry_run:
        return _show(out, _runner(place).plan())
    runner = _runner(place)
    with looking(shared(place.database)) as connection:
        if inspect(connection).has_table(tables.forms.name):
            store_floor.refuse_renamed(connection, place.project)
    with journal.signing(place.person):
        applied = runner.expand(place.project.migrations)
    release = release_of(place.project)
    for revision in applied:
        out.mark("done", f"revision {revision}")
        _say_remarks(out, runner.remarks.get(revision, []))
    out.say(f"the schema is expanded to {release}" if applied else f"nothing to do: the schema is that of {release}")
    out.document({"release": release, "applied": applied, "remarks": runner.remarks})
    return 0


app.command(expand, name="sync", help="The same as expand.")


@app.command
def revision(
    *,
    message: Annotated[str, Parameter(name=("-m", "--message"))],
    autogenerate: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Write a new pair of revisions: expand, and contract, which depends on it.

    Parameters
    ----------
    message
        What it is about, in some words.
    autogenerate
        Fill it with what the tables in the code have and the revisions do not, found on an empty database. Read it.
    """
    out, place = Output(json=json), open_place(config)
    project, schema = place.project, _schema(place)
    if autogenerate and project.tables is None:
        raise UsageError(reason=f"project {project.name} has no tables to compare with: Project(tables=…)")
    pair = (
        missing(place.database, schema, project.tables, release_of(project))
        if project.tables is not None and autogenerate
        else None
    )
    written = generate(schema, message, pair)
    for path in written:
        out.mark("done", f"{path} written; read it, and commit it with HEAD")
    out.document({"written": [str(path) for path in written]})
    return 0


@app.command
def lint(*, scratch: str | None = None, config: ConfigFile = None, json: Json = False) -> int:
    """Try all revisions out on a scratch PostgreSQL with rows in it, and tell what they would do to those who work.

    Exits 0 where nothing is found, 1 for warnings only, 2 for errors. What was found is kept in linted.toml beside the
    revisions, and `midflight upgrade check schema` reads it.

    Parameters
    ----------
    scratch
        The URL of an empty PostgreSQL database that may be used up; else a server is started for it, and removed.
    """
    out, place = Output(json=json), open_place(config)
    schema = _schema(place)
    found = run_lint(place.project, schema, scratch)
    for name in found.untried:
        out.mark("unknown", f"the tables of {name} are not frozen (midflight release freeze {name}): it is not tried")
    linted = found.linted
    write_result(schema, linted)
    for each in linted:
        for finding in each.findings:
            _say_finding(out, each, finding)
    weights = [finding.severity for each in linted for finding in each.findings]
    errors, warnings = weights.count(Severity.ERROR), weights.count(Severity.WARN)
    waived = f", {weights.count(Severity.WAIVED)} waived" if Severity.WAIVED in weights else ""
    out.say(f"{len(linted)} revisions tried: {errors} errors, {warnings} warnings{waived}")
    out.document({"revisions": [asdict(each) for each in linted]})
    return 2 if errors else 1 if warnings else 0


def _say_finding(out: Output, linted: Linted, finding: Finding) -> None:
    word = {Severity.ERROR: "fail", Severity.WARN: "warn", Severity.WAIVED: "pass"}[finding.severity]
    where = f" ({finding.table})" if finding.table else ""
    out.mark(word, f"{linted.branch} {finding.revision}: {finding.code}{where}: {finding.cause}")
    out.say(f"  hits     {finding.hits}")
    out.say(f"  instead  {finding.rewrite}")


@app.command
def facts(
    *,
    write: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """How large the tables are, and how much is written to them: what `midflight db lint` weighs its findings by.

    Parameters
    ----------
    write
        Keep them in facts.toml beside the revisions.
    """
    out, place = Output(json=json), open_place(config)
    with looking(shared(place.database)) as connection:
        found = facts_of_tables.gather(connection)
    rows = [(name, f"{known.rows}", f"{known.bytes}", f"{known.writes_per_second:g}") for name, known in found.items()]
    out.table(["table", "rows", "bytes", "writes/s"], rows)
    if write:
        out.mark("done", f"{facts_of_tables.write(_schema(place), found)} written")
    out.document({name: asdict(known) for name, known in found.items()})
    return 0


Asked = Annotated[bool, Parameter(negative="", show_default=False)]


@app.command
def contract(
    *,
    hold: Asked = False,
    undo: Asked = False,
    purge: Asked = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Take away what no release needs any more: hide it, and drop it when nobody has missed it.

    Refused, by name, while a data migration is unproven or not finalized, while a member or a release that may come
    back uses it, and while it was hidden for too short a time. Without an option: --hold where something can be
    hidden, else --purge.

    Parameters
    ----------
    hold
        Hide it under another name: who still reads it fails at once, and nothing is lost.
    undo
        Bring back all that is hidden.
    purge
        Drop what was hidden for long enough, and do what cannot be hidden. There is no way back.
    """
    if hold + undo + purge > 1:
        raise UsageError(reason="received several of --hold, --undo and --purge, expected one of them")
    out, place = Output(json=json), open_place(config)
    runner = _contractor(place)
    way = Way.UNDO if undo else Way.PURGE if purge else Way.HOLD if hold else runner.next_way()
    if dry_run:
        return _show(out, runner.plan(way))
    with journal.signing(place.person):
        done = runner.run(way)
    for revision in done:
        out.mark("done", f"revision {revision} is {way.done}")
        _say_remarks(out, runner.remarks.get(revision, []))
    if not done:
        out.say(f"nothing to do: nothing is to be {way.done}")
    out.document({"done": done, "way": way, "remarks": runner.remarks})
    return 0


def _say_remarks(out: Output, remarks: Sequence[str]) -> None:
    for remark in remarks:
        out.mark("warn", remark, indent=2)


@app.command
def history(*, config: ConfigFile = None, json: Json = False) -> int:
    """What was done to the schema, by which release, and when."""
    out, entries = Output(json=json), _runner(open_place(config)).history()
    rows = [(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.kind.partition(".")[2], _words(entry.facts)) for entry in entries]
    out.table(["at", "what", "facts"], rows)
    out.document([{"at": entry.at, "what": entry.kind, **entry.facts} for entry in entries])
    return 0


def _words(facts: Mapping[str, Any]) -> str:
    said = {name: ", ".join(value) if isinstance(value, list) else value for name, value in facts.items()}
    return ", ".join(f"{name} {value}" for name, value in said.items() if value)


@app.command
def status(*, config: ConfigFile = None, json: Json = False) -> int:
    """How the schema stands to this code: 0 when nothing is missing, 1 when there is something to expand."""
    out, place = Output(json=json), open_place(config)
    found = _runner(place).status()
    contracts = _contractor(place).status() if place.project.schema and not found.pending else []
    _say_status(out, found)
    for each, against in contracts:
        out.say(f"contract {each.revision}: {each.state}, takes away {', '.join(each.removes) or 'nothing by name'}")
        for reason in against:
            out.say(f"  not yet: {reason}")
    told = [(each.revision, each.state, each.removes, against) for each, against in contracts]
    names = ("revision", "state", "removes", "against")
    out.document({**asdict(found), "contracts": [dict(zip(names, facts, strict=True)) for facts in told]})
    return 1 if found.pending or found.unfinished or found.missing else 0


def _say_status(out: Output, found: SchemaStatus) -> None:
    out.say(
        f"expanded by: {found.release or 'nobody yet'}{f', at {found.at:%Y-%m-%d %H:%M:%S} UTC' if found.at else ''}"
    )
    out.say(f"revisions: {', '.join(found.revisions) or 'none'}")
    if found.unknown:
        out.say(f"newer than this code: {', '.join(found.unknown)}")
    if found.pending:
        out.say(f"to be expanded: {', '.join(found.pending)}")
    for reason in found.against:
        out.say(f"  not yet: {reason}")
    if found.unfinished:
        out.say(f"left to do by a runner that was killed: {', '.join(found.unfinished)}")
    if found.missing and not (found.pending or found.unfinished):
        out.say(f"missing, and no revision adds it: {', '.join(found.missing)}")


def _show(out: Output, plan: list[tuple[str, str]]) -> int:
    """What would be done, as SQL: 0 where that is nothing, else 1."""
    for revision, sql in plan:
        for line in (f"-- revision {revision}", *sql.splitlines(), ""):
            out.say(line)
    if not plan:
        out.say("nothing to do")
    out.document({"revisions": [{"revision": revision, "sql": sql} for revision, sql in plan]})
    return 1 if plan else 0


def _contractor(place: Place) -> ContractRunner:
    project = place.project
    return ContractRunner(place.database, _schema(place), release_of(project), readers(project))


def _schema(place: Place) -> Path:
    if place.project.schema is None:
        raise UsageError(reason=f"project {place.project.name} has no schema folder: Project(schema=…)")
    return place.project.schema


def _runner(place: Place) -> SchemaRunner:
    project = place.project
    return SchemaRunner(place.database, project.schema, project.tables, release_of(project))
