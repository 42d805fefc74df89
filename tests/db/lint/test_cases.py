"""Revisions, bad and fine, and what is found in each. A case is added for each thing that was once got wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from midflight.db.lint.facts import TableFacts
from midflight.db.lint.finding import Code, Finding, Severity
from midflight.db.lint.linter import Linter
from midflight.db.schema.frozen_tables import FrozenColumn, FrozenTable, FrozenTables
from midflight.errors import ProjectError
from tests.db.schema.folders import add

BASE = """\
op.create_table("flavors", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(40)))
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.Uuid, nullable=False, unique=True),
        sa.Column("host", sa.String(40)),
        sa.Column("size", sa.Integer, nullable=False, server_default="1"),
        sa.Column("meta", sa.JSON),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("flavor_id", sa.Integer, sa.ForeignKey("flavors.id")),
    )
    op.create_table(
        "links",
        sa.Column("instance_id", sa.Integer, sa.ForeignKey("instances.id"), primary_key=True),
        sa.Column("flavor_id", sa.Integer, sa.ForeignKey("flavors.id"), primary_key=True),
    )"""


def column(text: str) -> FrozenColumn:
    return FrozenColumn.read(text)


JUNO = FrozenTables(
    "juno",
    {
        "flavors": FrozenTable({"id": column("INTEGER, not null, default"), "name": column("VARCHAR(40)")}, ("id",)),
        "instances": FrozenTable(
            {
                "id": column("INTEGER, not null, default"),
                "uuid": column("UUID, not null"),
                "host": column("VARCHAR(40)"),
                "size": column("INTEGER, not null, default"),
                "meta": column("JSON"),
                "at": column("TIMESTAMP WITH TIME ZONE"),
                "flavor_id": column("INTEGER"),
            },
            ("id",),
        ),
        "links": FrozenTable(
            {"instance_id": column("INTEGER, not null"), "flavor_id": column("INTEGER, not null")},
            ("instance_id", "flavor_id"),
        ),
    },
)

ADD = 'op.add_column("instances", sa.Column("x", sa.Integer))'

CASES: dict[str, tuple[list[str], set[str]]] = {
    # what is fine
    "nothing": (["pass"], set()),
    "a nullable column": ([ADD], set()),
    "a column with a constant": (['op.add_column("instances", sa.Column("x", sa.Integer, server_default="7"))'], set()),
    "a strict column with a constant": (
        ['op.add_column("instances", sa.Column("x", sa.Integer, nullable=False, server_default="7"))'], set(),
    ),
    "a column by the helper": (['expand.add_column("instances", sa.Column("x", sa.Integer))'], set()),
    "a column that says when": (
        ['op.add_column("instances", sa.Column("x", sa.DateTime, server_default=sa.text("now()")))'], set(),
    ),
    "an index by the helper": (['expand.add_index("ix", "instances", ["host"])'], set()),
    "a table": (['op.create_table("disks", sa.Column("id", sa.Integer, primary_key=True))'], set()),
    "a table with an index": (
        ['op.create_table("disks", sa.Column("id", sa.Integer, primary_key=True), '
         'sa.Column("n", sa.Integer, index=True))'],
        set(),
    ),
    "a table that refers to one": (
        ['op.create_table("disks", sa.Column("id", sa.Integer, primary_key=True), '
         'sa.Column("i", sa.Integer, sa.ForeignKey("instances.id")))'],
        set(),
    ),
    "a foreign key by the helper": (
        ['expand.add_column("instances", sa.Column("x", sa.Integer))',
         'expand.add_foreign_key("fk", "instances", ["x"], "flavors", ["id"])'],
        {"several-locks"},
    ),
    "a check on a new column": (
        ['expand.add_column("instances", sa.Column("x", sa.Integer))', 'expand.add_check("ck", "instances", "x > 0")'],
        set(),
    ),
    "a relaxed column": (['expand.relax_column("instances", "uuid")'], set()),
    "a mirror": (
        ['expand.add_column("instances", sa.Column("node", sa.String(40)))',
         'expand.mirror_column("instances", "host", "node")'],
        set(),
    ),
    "a wider text": (['op.alter_column("instances", "host", type_=sa.String(80))'], set()),
    "text without a bound": (['op.alter_column("instances", "host", type_=sa.Text())'], set()),
    "another default": (['op.alter_column("instances", "size", server_default="2")'], set()),
    "rows for a new table": (
        ['op.create_table("kinds", sa.Column("id", sa.Integer))', 'op.execute("INSERT INTO kinds VALUES (1)")'], set(),
    ),
    "a question": (['op.get_bind().execute(sa.text("SELECT 1")).scalar_one()'], set()),
    "a comment on a table": (['op.execute("COMMENT ON TABLE instances IS \'machines\'")'], set()),
    "a view": (['op.execute("CREATE VIEW hosts AS SELECT DISTINCT host FROM instances")'], set()),
    "a sequence": (['op.execute("CREATE SEQUENCE numbers")'], set()),
    # what keeps others waiting
    "an index": (['op.create_index("ix", "instances", ["host"])'], {"scan-under-lock"}),
    "a unique index": (
        ['op.create_index("ix", "instances", ["uuid", "id"], unique=True)'], {"scan-under-lock", "new-unique"},
    ),
    "a column at random": (
        ['op.add_column("instances", sa.Column("x", sa.Float, server_default=sa.text("random()")))'], {"rewrite"},
    ),
    "a computed column": (
        ['op.add_column("instances", sa.Column("x", sa.Integer, sa.Computed("size + 1", persisted=True)))'],
        {"rewrite"},
    ),
    "a serial column": (['op.execute("ALTER TABLE instances ADD COLUMN x SERIAL")'], {"rewrite"}),
    "another type": (['op.alter_column("instances", "size", type_=sa.BigInteger())'], {"rewrite"}),
    "a narrower text": (['op.alter_column("instances", "host", type_=sa.String(20))'], {"rewrite"}),
    "a foreign key": (
        ['op.create_foreign_key("fk", "instances", "flavors", ["size"], ["id"])'],
        {"scan-under-lock", "new-foreign-key"},
    ),
    "a check": (
        ['op.create_check_constraint("ck", "instances", "size < 1000000")'],
        {"scan-under-lock", "new-check", "incompatible"},
    ),
    "a validated check": (
        ['op.execute("ALTER TABLE instances ADD CONSTRAINT ck CHECK (id > 0) NOT VALID")',
         'op.execute("ALTER TABLE instances VALIDATE CONSTRAINT ck")'],
        {"scan-under-lock", "new-check"},
    ),
    "a long wait under a lock": ([ADD, 'op.execute("SELECT pg_sleep(0.7)")'], {"long-hold"}),
    "a whole table locked": (['op.execute("LOCK TABLE instances IN SHARE MODE")', ADD], {"explicit-lock"}),
    "clustered": (['op.execute("CLUSTER instances USING instances_pkey")'], {"rewrite"}),
    "two tables": (
        [ADD, 'op.add_column("flavors", sa.Column("x", sa.Integer))'], {"several-locks"},
    ),
    "a lock held across work": (
        ['op.add_column("flavors", sa.Column("x", sa.Integer))', 'op.execute("SELECT count(*) FROM instances")'],
        {"lock-held-across"},
    ),
    # what changes rows
    "all rows": (['op.execute("UPDATE instances SET size = 2")'], {"whole-table"}),
    "some rows": (['op.execute("UPDATE instances SET size = 2 WHERE id < 10")'], {"rows-changed"}),
    "rows deleted": (['op.execute("DELETE FROM links WHERE instance_id < 10")'], {"rows-changed"}),
    "rows added": (['op.execute("INSERT INTO flavors (id, name) VALUES (100000, \'m1\')")'], {"rows-changed"}),
    "truncated": (['op.execute("TRUNCATE links")'], {"whole-table"}),
    "filled by the revision": (
        [ADD, 'op.execute("UPDATE instances SET x = size")'], {"whole-table"},
    ),
    # what old releases do not survive
    "a strict column": (
        ['op.execute("DELETE FROM links")', 'op.execute("DELETE FROM instances")',
         'op.add_column("instances", sa.Column("x", sa.Integer, nullable=False))'],
        {"whole-table", "incompatible"},
    ),
    "a column that must be written": (
        ['op.execute("UPDATE instances SET host = \'h\' WHERE host IS NULL")',
         'op.alter_column("instances", "host", nullable=False)'],
        {"scan-under-lock", "incompatible"},
    ),
    "a column dropped": (['op.drop_column("instances", "meta")'], {"removes", "incompatible"}),
    "a column renamed": (
        ['op.alter_column("instances", "host", new_column_name="node")'], {"removes", "incompatible"},
    ),
    "a table renamed": (['op.rename_table("flavors", "kinds")'], {"removes", "incompatible"}),
    "a default dropped": (
        ['op.alter_column("instances", "size", server_default=None)'], {"incompatible"},
    ),
    "a trigger that refuses": (
        ["op.execute(\"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$\")",
         'op.execute("CREATE TRIGGER no BEFORE DELETE ON flavors FOR EACH ROW EXECUTE FUNCTION no()")'],
        {"incompatible"},
    ),
    "a unique column": (['op.execute("ALTER TABLE instances ADD COLUMN x INTEGER UNIQUE")'], {"scan-under-lock"}),
    "a column that refers to a table": (
        ['op.execute("ALTER TABLE instances ADD COLUMN x INTEGER REFERENCES flavors (id)")'], set(),
    ),
    "unlogged": (['op.execute("ALTER TABLE links SET UNLOGGED")'], {"rewrite"}),
    "an index dropped": (['op.execute("DROP INDEX IF EXISTS nowhere")'], set()),
    "rows changed by a block": (
        ['op.execute("DO $$ BEGIN UPDATE flavors SET name = name || id; END $$")'], {"whole-table"},
    ),
    "a partition": (
        ['op.execute("CREATE TABLE logs (at DATE) PARTITION BY RANGE (at)")',
         "op.execute(\"CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')\")"],
        set(),
    ),
    "its own commit": (['op.execute("COMMIT")', ADD], {"leaves-transaction"}),
    # what is half-done, or goes its own way
    "left unvalidated": (
        ['op.execute("ALTER TABLE instances ADD CONSTRAINT ck CHECK (id > 0) NOT VALID")'],
        {"left-invalid", "new-check"},
    ),
    "its own timeout": (['op.execute("SET LOCAL lock_timeout = 0")'], {"sets-timeout"}),
    "a mistake": (['op.execute("ALTER TABLE nowhere ADD COLUMN x INTEGER")'], {"fails"}),
    "concurrently in a transaction": (
        ['op.execute("CREATE INDEX CONCURRENTLY ix ON instances (host)")'], {"fails"},
    ),
}  # fmt: skip


def lint(
    url: str, folder: Path, *lines: str, extra: str = "", facts: Mapping[str, TableFacts] | None = None
) -> list[Finding]:
    """The findings in a revision 0002 of these lines; none are expected in the first one."""
    add(folder / "expand", "0001", None, BASE)
    add(folder / "expand", "0002", "0001", "\n    ".join(lines), extra=extra)
    first, second = Linter(url, folder, (JUNO,), facts=facts, today=date(2026, 6, 1)).run()
    assert first.findings == ()
    assert (second.revision, len(second.digest)) == ("0002", 16)
    return [finding for finding in second.findings if finding.code is not Code.SQUAWK]


@pytest.mark.parametrize("name", CASES)
def test_each_case(name: str, postgresql_url: str, tmp_path: Path) -> None:
    """What is found is what was expected, each with a cause, whom it hits, and what to write instead."""
    lines, expected = CASES[name]
    found = lint(postgresql_url, tmp_path, *lines)
    assert {str(finding.code) for finding in found} == expected, [finding.cause for finding in found]
    assert all(finding.cause and finding.hits and finding.rewrite for finding in found)


def test_there_are_enough_cases() -> None:
    """Bad ones and fine ones, at least forty."""
    fine = [name for name, (_, expected) in CASES.items() if not expected]
    assert (len(CASES) >= 40, len(fine) >= 15) == (True, True)


def test_every_severity_is_known() -> None:
    """Errors keep a revision back, warnings do not, and a waiver says which is which."""
    assert [*Severity] == ["error", "warn", "waived"]
    assert len(Code) == 21


SMALL = {"instances": TableFacts(200, 65536, 0.1)}
BUSY = {"instances": TableFacts(200, 65536, 80.0)}
LARGE = {"instances": TableFacts(40_000_000, 9_000_000_000, 250.0)}
INDEX = 'op.create_index("ix", "instances", ["host"])'


@pytest.mark.parametrize(("facts", "severity"), [({}, "error"), (SMALL, "warn"), (LARGE, "error"), (BUSY, "error")])
def test_how_bad_it_is_production_says(
    facts: dict[str, TableFacts], severity: str, postgresql_url: str, tmp_path: Path
) -> None:
    """What takes as long as there are rows is a warning where there are few; without facts, many are assumed."""
    (found,) = lint(postgresql_url, tmp_path, INDEX, facts=facts)
    assert found.severity == severity
    assert (not facts) or str(facts["instances"]) in found.cause


IMPORT = "from datetime import date\n"


@pytest.mark.parametrize(
    ("waivers", "expected"),
    [
        ('{"scan-under-lock:instances": ("two hundred rows", date(2026, 7, 1))}', [("scan-under-lock", "waived")]),
        ('{"scan-under-lock": ("few rows", date(2026, 6, 1))}', [("scan-under-lock", "waived")]),
        (
            '{"scan-under-lock": ("few rows", date(2026, 5, 31))}',
            [("scan-under-lock", "error"), ("expired-waiver", "error")],
        ),
        (
            '{"rewrite:instances": ("few rows", date(2026, 7, 1))}',
            [("scan-under-lock", "error"), ("idle-waiver", "warn")],
        ),
    ],
)
def test_waivers(waivers: str, expected: list[tuple[str, str]], postgresql_url: str, tmp_path: Path) -> None:
    """They stand in the revision with a reason and the last day on which they hold; one that waives nothing is told."""
    found = lint(postgresql_url, tmp_path, INDEX, extra=f"{IMPORT}waivers = {waivers}")
    assert [(str(finding.code), str(finding.severity)) for finding in found] == expected


@pytest.mark.parametrize("waivers", ["['rewrite']", "{'rewrites': ('why', date(2026, 7, 1))}", "{'rewrite': 'why'}"])
def test_waivers_that_are_none(waivers: str, postgresql_url: str, tmp_path: Path) -> None:
    """The file is named, and how a waiver is written."""
    with pytest.raises(
        ProjectError, match=r"0002.py: received .*waiver.*, expected waivers = {\"rewrite:instances\": "
    ):
        lint(postgresql_url, tmp_path, INDEX, extra=f"{IMPORT}waivers = {waivers}")


def test_a_contract_revision_is_held_against_this_code(postgresql_url: str, tmp_path: Path) -> None:
    """Those before it may lose what it takes away; this code must not."""
    add(tmp_path / "expand", "0001", None, BASE)
    drop = 'contract.drop_column("instances", "meta")'
    add(tmp_path / "contract", "c1", None, drop, extra="depends_on = '0001'")
    _, contract = Linter(postgresql_url, tmp_path, (), JUNO, today=date(2026, 6, 1)).run()
    wrong = [finding for finding in contract.findings if finding.code is not Code.SQUAWK]
    assert [str(finding.code) for finding in wrong] == ["incompatible"]
    assert "juno cannot read instances any more" in wrong[0].cause


def test_a_wider_text_and_the_end_of_a_mirror(postgresql_url: str, tmp_path: Path) -> None:
    """What our own generator writes is fine, also to who only reads the text of it."""
    wider = 'op.alter_column("instances", "host", type_=sa.String(length=80))'
    node = 'expand.add_column("instances", sa.Column("node", sa.String(40)))'
    mirror = 'expand.mirror_column("instances", "host", "node")'
    add(tmp_path / "expand", "0001", None, BASE)
    add(tmp_path / "expand", "0002", "0001", "\n    ".join((wider, node, mirror)))
    drop = 'contract.drop_column("instances", "host", mirrored_by="node")'
    add(tmp_path / "contract", "c1", None, drop, extra="depends_on = '0002'")
    _, expand, contract = Linter(postgresql_url, tmp_path, (), today=date(2026, 6, 1)).run()
    assert (expand.findings, contract.findings) == ((), ())


def test_a_table_that_takes_no_rows(postgresql_url: str, tmp_path: Path) -> None:
    """What could not be tried is told as such, and not as fine."""
    odd = 'op.create_table("odd", sa.Column("a", sa.Integer, sa.CheckConstraint("a = -1 AND a = 1"), nullable=False))'
    add(tmp_path / "expand", "0001", None, odd)
    add(tmp_path / "expand", "0002", "0001", "pass")
    _, second = Linter(postgresql_url, tmp_path, (), today=date(2026, 6, 1)).run()
    assert [(str(finding.code), finding.table) for finding in second.findings if finding.code is not Code.SQUAWK] == [
        ("no-rows", "odd")
    ]
