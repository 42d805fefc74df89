"""How large production's tables are, and what was found when the revisions were tried out: both kept beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from midflight.db.engine import create, parse, transaction
from midflight.db.lint import facts, result
from midflight.db.lint.facts import TableFacts
from midflight.db.lint.finding import Code, Finding, Severity
from midflight.db.lint.linter import Linted, digest_of, lines_of
from midflight.errors import ProjectError
from tests.db.schema.folders import juno_schema, kilo_schema


def test_facts_of_a_database(database_url: str, tmp_path: Path) -> None:
    """Rows of each table on both engines; they are read again as they were written."""
    engine = create(parse(database_url))
    with transaction(engine, writes=True) as connection:
        connection.execute(text("CREATE TABLE instances (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO instances VALUES (1), (2), (3)"))
        connection.execute(text("CREATE TABLE mf_journal (id INTEGER)"))
    if engine.dialect.name == "postgresql":
        with transaction(engine, writes=True) as connection:
            connection.execute(text("ANALYZE instances"))
    with transaction(engine, writes=False) as connection:
        found = facts.gather(connection)
    engine.dispose()
    assert list(found) == ["instances"]
    assert found["instances"].rows == 3
    facts.write(tmp_path, found)
    assert facts.read(tmp_path) == found
    assert str(TableFacts(1_234_567, 89_000_000, 12.5)) == "1,234,567 rows, 89.0 MB, 12.5 writes/s"


def test_no_facts(tmp_path: Path) -> None:
    """None where none were kept; a file that says something else is named."""
    assert facts.read(tmp_path) == {}
    (tmp_path / facts.FILE).write_text("[instances]\nrows = 1\ncolour = 2")
    with pytest.raises(ProjectError, match=r"facts.toml: has no facts about tables"):
        facts.read(tmp_path)


def finding(severity: Severity) -> Finding:
    return Finding(Code.REWRITE, "0002", "instances", "cause", "hits", "rewrite", severity)


def test_a_result_is_of_the_file_as_it_stands(tmp_path: Path) -> None:
    """A revision that was never tried, that was changed since, or that has errors is named with the reason."""
    schema = kilo_schema(tmp_path)
    assert result.unlinted(schema) == {"0001": "never linted", "0002": "never linted"}
    linted = [Linted(script.revision, branch, digest_of(script), ()) for script, branch in lines_of(schema)]
    result.write(schema, linted)
    assert result.unlinted(schema) == {}
    found = (finding(Severity.WARN), finding(Severity.WAIVED))
    result.write(schema, [linted[0], Linted("0002", "expand", linted[1].digest, found)])
    assert result.unlinted(schema) == {}
    assert result.read(schema)["0002"].waived == ["rewrite instances"]
    result.write(schema, [linted[0], Linted("0002", "expand", linted[1].digest, (finding(Severity.ERROR),))])
    assert result.unlinted(schema) == {"0002": "has errors (rewrite instances)"}
    path = next((schema / "expand").glob("0002*"))
    path.write_text(path.read_text() + "\n")
    assert result.unlinted(schema) == {"0002": "changed since it was linted"}


def test_a_result_that_is_none(tmp_path: Path) -> None:
    """The file is named."""
    schema = juno_schema(tmp_path)
    (schema / result.FILE).write_text("[[[")
    with pytest.raises(ProjectError, match=r"linted.toml: has no results of a lint"):
        result.unlinted(schema)
