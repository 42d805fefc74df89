"""A new pair of revisions: one that expands, one that contracts what it leaves behind and depends on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script.base import Script
from sqlalchemy import MetaData

from midflight.db.cluster import lent
from midflight.db.engine import create, is_postgresql, parse
from midflight.db.schema.autogenerate import Pair, compare
from midflight.db.schema.files import HEAD, RevisionFiles
from midflight.db.schema.finish import finish
from midflight.db.schema.line import contract_files, run_removal
from midflight.db.schema.run import Run
from midflight.db.schema.runner import SchemaRunner
from midflight.db.schema.session import Session
from midflight.errors import ProjectError, UsageError

_EXPAND = '''\
"""{message}"""

import sqlalchemy as sa
from alembic import op

from midflight import expand

revision = "{revision}"
down_revision = {down}


def upgrade() -> None:
    """Only adds: releases that do not know it work on."""
    {body}
'''
_CONTRACT = '''\
"""{message}: what no release needs any more"""

import sqlalchemy as sa
from alembic import op

from midflight import contract

revision = "{revision}"
down_revision = {down}
depends_on = "{depends}"


def upgrade() -> None:
    """Applied by `midflight db contract`, when nobody is left who needs it."""
    {body}
'''


def generate(schema: Path, message: str, pair: Pair | None = None) -> list[Path]:
    """Write the files of a pair and return them; those of an empty pair, for somebody to fill in, without one.

    A contract revision with nothing to do is not written. Each folder's file HEAD names its last revision, so that two
    people who add one at the same time meet in the version control. Raises UsageError for a message without words, and
    for a pair in which there is nothing.
    """
    words = re.findall(r"\w+", message)
    if not words:
        raise UsageError(reason=f"received the message {message!r}, expected some words: -m 'a flavor in one column'")
    if pair is not None and not (pair.expand or pair.contract):
        raise UsageError(reason="the revisions lead to these tables already: there is nothing to write")
    bodies = pair or Pair(["pass"], ["pass"])
    _begin(schema)
    line, contracts = RevisionFiles(schema / "expand", [schema / "contract"]), contract_files(schema)
    revision, slug = _next(line), "_".join(words).lower()[:60]
    written = []
    if bodies.expand:
        written.append(_write(schema / "expand", revision, slug, _EXPAND, message, bodies.expand, line.line))
    if bodies.contract:
        before = contracts.line if contracts else []
        depends = revision if bodies.expand else line.line[-1].revision
        written.append(
            _write(schema / "contract", f"{revision}c", slug, _CONTRACT, message, bodies.contract, before, depends)
        )
    return written


def missing(url: str, schema: Path, tables: MetaData, release: str) -> Pair:
    """What the revisions do not lead to, found on an empty database of the same kind as the one of ``url``."""
    _begin(schema)
    with _scratch(url) as scratch:
        SchemaRunner(scratch, schema, None, release).expand()
        engine = create(parse(scratch))
        try:
            with engine.connect() as connection:
                _contract(Session(connection), schema)
                with Session(connection).transaction(writes=False):
                    return compare(connection, tables)
        finally:
            engine.dispose()


def _begin(schema: Path) -> None:
    """A project's first revision finds no folder."""
    (schema / "expand").mkdir(parents=True, exist_ok=True)


@contextmanager
def _scratch(url: str) -> Iterator[str]:
    if not is_postgresql(parse(url)):
        with TemporaryDirectory(prefix="mf-scratch-") as folder:
            yield f"sqlite:///{folder}/scratch.db"
        return
    with lent(None) as empty:
        yield empty


def _contract(session: Session, schema: Path) -> None:
    """As it will be when all is taken away."""
    files = contract_files(schema)
    for script in files.line if files else []:
        run = Run(script.revision, "contract")
        with session.transaction(writes=True) as connection:
            run_removal(connection, script, run)
        for number, step in enumerate(run.steps):
            finish(session, script.revision, number, step)


def _next(line: RevisionFiles) -> str:
    """Four digits, one more than the last one's."""
    numbers = [int(found[0]) for script in line.line if (found := re.match(r"\d+", script.revision))]
    return f"{max(numbers, default=0) + 1:04}"


def _write(
    folder: Path, revision: str, slug: str, template: str, message: str, body: list[str], before: list[Script],
    depends: str = "",
) -> Path:  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / f"{revision}_{slug}.py"
    if path.exists():
        raise ProjectError(where=str(path), reason="there is such a file already")
    down = f'"{before[-1].revision}"' if before else None
    said = message.replace("\\", " ").replace('"', "'")
    text = template.format(message=said, revision=revision, down=down, depends=depends, body="\n    ".join(body))
    path.write_text(_without_unused_imports(text))
    (folder / HEAD).write_text(f"{revision}\n")
    return path


def _without_unused_imports(text: str) -> str:
    body = text[text.index("def upgrade") :]
    for name, line in (("sa", "import sqlalchemy as sa\n"), ("op", "from alembic import op\n")):
        if f"{name}." not in body:
            text = text.replace(line, "")
    for name in ("expand", "contract"):
        if f"{name}." not in body:
            text = text.replace(f"from midflight import {name}\n", "")
    return re.sub(r"\n{3,}(?=revision|from|import)", "\n\n", text)
