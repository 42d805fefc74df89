"""The site of the documents: `make docs` builds it without a network, and it is read without one."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import midflight
from midflight import errors
from midflight.cli.examples import EXAMPLES
from midflight.config import Config
from midflight.db.lint import facts, result
from midflight.rpc.messages import PROTOCOL, Reply, Request

ROOT = Path(__file__).parents[1]
ENTRIES = {*Config.__struct_fields__} - {"path", "levels"}
LOADED = re.compile(r"<(?:script|img|link)\b[^>]*?(?:src|href)=\"([^\"]+)\"|url\(([^)]+)\)|@import")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A link that leads nowhere, or a page that cannot be written, is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    alone = ["unshare", "--net", *command]
    built = subprocess.run(alone, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout) == (0, ""), built.stdout + built.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    """Whoever adds one need not tell the site."""
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    assert {page for page in pages if page not in built and page.name != "README"} == set()
    assert {page.parent / "index" for page in pages if page.name == "README"} <= built


def test_it_can_be_built_from_an_sdist() -> None:
    """The pages at the root of the repository are in it; the README is by itself."""
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs/site/hooks.py")
    assert spec is not None
    assert spec.loader is not None
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert {f"/{name}" for name in hooks.OWN} - {*built["sdist"]["include"]} == {"/README.md"}


def test_what_it_loads_it_has(site: Path) -> None:
    """Scripts, styles, fonts and pictures lie beside the pages, and nothing is asked of another host."""
    away, missing = [], []
    for page in [*site.rglob("*.html"), *site.rglob("*.css")]:
        for found in LOADED.finditer(page.read_text()):
            target = (found[1] or found[2] or "").strip("'\"").partition("#")[0].partition("?")[0]
            if "//" in target and not target.startswith("data:"):
                away.append(target)
            elif target and not target.startswith(("data:", "/")) and not (page.parent / target).exists():
                missing.append(f"{page.relative_to(site)}: {target}")
    assert (away, missing) == ([], [])


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("cli", [f"midflight {name}" for name in EXAMPLES]),
        ("errors", [name for name, kind in vars(errors).items() if isinstance(kind, type) and name.isidentifier()
                    and issubclass(kind, errors.MidflightError)]),
        ("api", list(midflight.__all__)),
        ("exit-codes", [*"01234", "64", "70", "75", "78", "130", "141", "version skew at start", "StepBlocked"]),
        ("configuration", [*ENTRIES, "[upgrade_levels]", "[[console.tokens]]", "sha256"]),
        ("envelopes", [*Request.__struct_fields__, *Reply.__struct_fields__, "Sender", f"protocol {PROTOCOL}"]),
        ("files", ["releases/NAME.toml", "readable_from", "schema/tables/NAME.toml", result.FILE, facts.FILE]),
        ("log-events", ["service.ready", "rpc.version_rejected", "cli.crashed"]),
    ],
)  # fmt: skip
def test_what_is_written_from_the_code_has_all_of_it(site: Path, page: str, names: list[str]) -> None:
    """No command, error, name or event is forgotten."""
    text = re.sub(r"<[^>]+>", "", (site / "reference" / f"{page}.html").read_text())
    assert [name for name in names if name not in text] == []
