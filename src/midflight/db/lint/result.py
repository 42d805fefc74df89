"""What was found in each revision, kept beside them under the digest of its file, so that a gate can tell what was
linted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from midflight import toml
from midflight.db.lint.finding import Severity
from midflight.db.lint.linter import Linted, digest_of, lines_of
from midflight.errors import ProjectError

FILE = "linted.toml"
"""In the schema folder."""

_HEADER = (
    "# What `midflight db lint` has found in each revision, by the digest of its file. Commit it; never edit it.\n"
)


@dataclass(frozen=True)
class Result:
    """Of one revision."""

    digest: str
    errors: list[str] = field(default_factory=list)
    """Each finding by its code and table."""
    warnings: list[str] = field(default_factory=list)
    waived: list[str] = field(default_factory=list)


def of(linted: Linted) -> Result:
    """What is kept of one revision."""
    found: dict[Severity, list[str]] = {severity: [] for severity in Severity}
    for finding in linted.findings:
        found[finding.severity].append(f"{finding.code} {finding.table}".strip())
    return Result(linted.digest, found[Severity.ERROR], found[Severity.WARN], found[Severity.WAIVED])


def write(schema: Path, linted: Iterable[Linted]) -> Path:
    """Keep the results, in place of earlier ones."""
    results = {each.revision: {name: found for name, found in asdict(of(each)).items() if found} for each in linted}
    path = schema / FILE
    path.write_text(f"{_HEADER}\n{toml.dumps(results)}")
    return path


def read(schema: Path) -> dict[str, Result]:
    """What was kept, by revision. Raises ProjectError for a file that says something else."""
    path = schema / FILE
    try:
        said: Mapping[str, Mapping[str, object]] = tomllib.loads(path.read_text())
        return {revision: Result(**words) for revision, words in said.items()}  # type: ignore[arg-type]  # as it was written
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as wrong:
        raise ProjectError(where=str(path), reason=f"has no results of a lint: {wrong}") from None


def unlinted(schema: Path) -> dict[str, str]:
    """Expand revisions that nobody may rely on, each with the reason: not linted as it stands, or with errors."""
    results, found = read(schema), dict[str, str]()
    for script, branch in lines_of(schema):
        result = results.get(script.revision)
        if branch != "expand":
            continue
        if result is None or result.digest != digest_of(script):
            found[script.revision] = "never linted" if result is None else "changed since it was linted"
        elif result.errors:
            found[script.revision] = f"has errors ({', '.join(result.errors)})"
    return found
