"""What squawk says of a revision's SQL, where it is installed: a second pair of eyes, whose findings are warnings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator

from midflight.db.lint.finding import Code, Finding

SECONDS = 30.0

_NOT_ASKED = (
    "require-lock-timeout", "require-statement-timeout",  # the runner bounds every wait
    "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity",
    "prefer-text-field", "prefer-timestamptz",
    "prefer-robust-stmts",  # a revision is one transaction, and its steps look first
    "ban-drop-column", "ban-drop-table",  # an error in expand, and in contract refused while anybody needs it
    "ban-drop-function", "ban-drop-trigger",  # with a mirror they go, and whoever needs it is asked for its column
    "changing-column-type",  # where rows are read or written for it, that is seen
)  # fmt: skip
"""Rules about taste, and about what is cared for."""


def squawk(revision: str, sql: str) -> Iterator[Finding]:
    """Nothing where there is no squawk, or it does not answer as expected."""
    beside = sysconfig.get_path("scripts")
    program = shutil.which("squawk", path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))
    if program is None or not sql:
        return
    command = [program, "--reporter", "json", "--assume-in-transaction", "--pg-version", "15"]
    command += ["--exclude", ",".join(_NOT_ASKED)]
    answer = subprocess.run(command, input=sql, capture_output=True, text=True, timeout=SECONDS, check=False)
    try:
        told = json.loads(answer.stdout or "[]")
        for violation in told:
            rule, message = violation["rule_name"], str(violation.get("message") or "").strip()
            hits, rewrite = "what squawk's documentation says", str(violation.get("help") or "see squawkhq.com/docs")
            yield Finding(Code.SQUAWK, revision, rule, message or rule, hits, rewrite)
    except (ValueError, KeyError, TypeError, AttributeError):
        return
