from __future__ import annotations

from pathlib import Path

import pytest

from midflight.db.schema.files import RevisionFiles
from midflight.errors import ProjectError
from tests.db.schema.folders import add, juno_schema, kilo_schema


def test_order(tmp_path: Path) -> None:
    """Revisions come in the order of their references, not of their names."""
    add(tmp_path, "zebra", None, "pass")
    add(tmp_path, "ant", "zebra", "pass")
    add(tmp_path, "mole", "ant", "pass")
    files = RevisionFiles(tmp_path)
    assert [script.revision for script in files.line] == ["zebra", "ant", "mole"]
    assert [script.revision for script in files.pending(["zebra"])] == ["ant", "mole"]
    assert files.pending(["mole"]) == []
    assert files.unknown(["mole", "yak"]) == ["yak"]


def test_merged_lines(tmp_path: Path) -> None:
    """Two lines that a merge revision joins again are one line."""
    add(tmp_path, "a", None, "pass")
    add(tmp_path, "b", "a", "pass")
    add(tmp_path, "c", "a", "pass")
    path = add(tmp_path, "d", None, "pass")
    path.write_text(path.read_text().replace("down_revision = None", "down_revision = ('b', 'c')"))
    order = [script.revision for script in RevisionFiles(tmp_path).line]
    assert (order[0], set(order[1:3]), order[3]) == ("a", {"b", "c"}, "d")


def test_other_branch_is_left_alone(tmp_path: Path) -> None:
    """The contract branch stands on the expand branch and is not part of its line."""
    kilo_schema(tmp_path)
    files = RevisionFiles(tmp_path / "expand", [tmp_path / "contract"])
    assert [script.revision for script in files.line] == ["0001", "0002"]
    assert files.pending(["0002", "c0002"]) == []


def test_empty_line(tmp_path: Path) -> None:
    """A folder without revisions is a line of none."""
    assert RevisionFiles(tmp_path).line == []


def test_nothing_is_left_beside_the_files(tmp_path: Path) -> None:
    """Reading revisions writes nothing into the project's folder."""
    RevisionFiles(juno_schema(tmp_path) / "expand")
    assert [path.name for path in (tmp_path / "expand").iterdir()] == ["0001.py"]


def refused(folder: Path) -> str:
    with pytest.raises(ProjectError) as wrong:
        RevisionFiles(folder / "expand", [folder / "contract"])
    return str(wrong.value)


def test_syntax_error(tmp_path: Path) -> None:
    """A syntax error is told with file and line."""
    path = juno_schema(tmp_path) / "expand" / "0002.py"
    path.write_text("revision = '0002'\ndown_revision = = '0001'\n")
    assert refused(tmp_path) == f"{path}:2: invalid syntax."


def test_failing_module(tmp_path: Path) -> None:
    """A file that fails when it is read is named with its error."""
    path = juno_schema(tmp_path) / "expand" / "0002.py"
    path.write_text("import no_such_module\n")
    assert refused(tmp_path) == f"{path}: ModuleNotFoundError: No module named 'no_such_module'."


@pytest.mark.parametrize("name", ["revision", "down_revision", "upgrade"])
def test_incomplete_module(tmp_path: Path, name: str) -> None:
    """A file that is no revision file is told what it lacks."""
    path = juno_schema(tmp_path) / "expand" / "0001.py"
    path.write_text(path.read_text().replace(f"{name} =", "other =").replace("def upgrade", f"def {name}_"))
    if name == "revision":
        path.write_text("down_revision = None\n")
    assert refused(tmp_path) == f"{path}: it does not define {name}, as a revision file does."


def test_two_heads(tmp_path: Path) -> None:
    """Two heads are named, with the way out."""
    juno_schema(tmp_path)
    add(tmp_path / "expand", "0002", "0001", "pass")
    add(tmp_path / "expand", "0003", "0001", "pass")
    reason = "there are two heads: 0002.py and 0003.py; make one the down_revision of the other"
    assert refused(tmp_path) == f"{tmp_path / 'expand'}: {reason}."


def test_unknown_reference(tmp_path: Path) -> None:
    """A reference to a revision that does not exist names the file that has it."""
    path = add(juno_schema(tmp_path) / "expand", "0002", "0007", "pass")
    assert refused(tmp_path) == f"{path}: it refers to revision 0007, which is in no file."


def test_identifier_twice(tmp_path: Path) -> None:
    """An identifier that is used twice names both files."""
    first = juno_schema(tmp_path) / "expand" / "0001.py"
    second = tmp_path / "expand" / "copy.py"
    second.write_text(first.read_text())
    assert refused(tmp_path) == f"{second}: revision 0001 is in {first} too; an identifier is used once."


def test_circle(tmp_path: Path) -> None:
    """Revisions in a circle are refused."""
    add(tmp_path / "expand", "0001", "0002", "pass")
    add(tmp_path / "expand", "0002", "0001", "pass")
    assert refused(tmp_path) == f"{tmp_path / 'expand'}: its revisions stand on each other in a circle."


def test_circle_beside_a_line(tmp_path: Path) -> None:
    """A circle is found beside a sound line, too."""
    juno_schema(tmp_path)
    add(tmp_path / "expand", "0003", "0004", "pass")
    add(tmp_path / "expand", "0004", "0003", "pass")
    assert "Cycle is detected in revisions (0003, 0004)" in refused(tmp_path)


def test_expand_upon_contract(tmp_path: Path) -> None:
    """An expand revision must not need a contract revision to be run first."""
    kilo_schema(tmp_path)
    add(tmp_path / "expand", "0003", "0002", "pass", extra="depends_on = 'c0002'")
    path = tmp_path / "contract" / "c0002.py"
    assert refused(tmp_path) == f"{path}: revisions in expand/ lead through it; they may stand on each other only."
