"""The site of the documents: `make docs` builds it without a network, and it is read without one."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, sync_playwright

import midflight
from midflight import errors
from midflight.cli.examples import EXAMPLES
from midflight.config import Config
from midflight.db.lint import facts, result
from midflight.rpc.messages import PROTOCOL, Reply, Request
from tests.console.conftest import CHROMIUM, FLAGS

ROOT = Path(__file__).parents[1]
ENTRIES = {*Config.__struct_fields__} - {"path", "levels"}
LOADED = re.compile(r"<(?:script|img|link)\b[^>]*?(?:src|href)=\"([^\"]+)\"|url\(([^)]+)\)|@import")


def of_the_site(name: str) -> Any:
    """One of the modules that make the site; they are no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/site/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    hooks = of_the_site("hooks")
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


def test_the_diagrams_are_those_that_the_code_draws() -> None:
    """`make diagrams` has been run since the steps, the forms or the drawing changed; each is on a page, and whole."""
    drawn = dict(of_the_site("diagrams").drawn())
    assert {path for path, text in drawn.items() if path.read_text() != text} == set()
    assert {*(ROOT / "docs/pictures").glob("*.svg")} == {*drawn}
    pages = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    assert [path.name for path in drawn if f"pictures/{path.name})" not in pages] == []
    for text in drawn.values():
        ElementTree.fromstring(text)


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pages that it is on; an anchor is not asked for, and what is there is not told. So is one that is no
    address, or leads to something else than HTTP."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/odd":
                self.wfile.write(b"220 mail\r\n")
                return
            self.send_response(200 if self.path == "/there" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    links = of_the_site("links")
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            page = tmp_path / "page.md"
            page.write_text(f"[a]({address}/there#part), <{address}/gone>, [b]({address}/gone) and [c](other.md)")
            found = links.links_of([page])
            assert found == {f"{address}/there": [page], f"{address}/gone": [page, page]}
            assert (links.wrong(f"{address}/there"), "404" in links.wrong(f"{address}/gone")) == ("", True)
            assert all(map(links.wrong, (f"{address}/odd", f"{address}/é", "http://127.0.0.1:none/")))
        finally:
            server.shutdown()


def test_an_index_may_lead_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of an index are found behind it, and it is not gone through a second time."""
    hooks = of_the_site("hooks")
    monkeypatch.setattr(hooks, "DOCS", tmp_path)
    (tmp_path / "how-to").mkdir()
    (tmp_path / "README.md").write_text("[a](how-to/README.md) [b](./tutorial.md) [c](../CHANGELOG.md)")
    (tmp_path / "how-to/README.md").write_text("[d](one.md) [e](../README.md) [f](README.md)")
    assert [*hooks._listed("README.md")] == ["how-to/README.md", "how-to/one.md", "README.md", "how-to/README.md",
                                             "tutorial.md"]  # fmt: skip


@pytest.fixture(scope="module")
def tab(site: Path) -> Iterator[Page]:
    """A tab of a browser. Whatever goes wrong in a script fails the tests that use it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda wrong: errors.append(str(wrong)))
        yield page
        browser.close()
        assert errors == []


def test_a_site_in_a_folder_can_be_searched(site: Path, tab: Page) -> None:
    """Without a server: what is typed is found, by its words and by how they begin, and leads to its page."""
    tab.goto((site / "how-to/index.html").as_uri())
    tab.locator("[data-bs-target='#mkdocs_search_modal']").click()
    found = tab.locator("#mkdocs-search-results a")
    tab.fill("#mkdocs-search-query", "fieldnotlo")
    found.get_by_text("FieldNotLoaded", exact=True).first.wait_for()
    tab.fill("#mkdocs-search-query", "a zebra crossing")
    tab.get_by_text("Nothing has all of these words.").wait_for()
    tab.fill("#mkdocs-search-query", "truth table")
    found.get_by_text("The truth table of write forms").first.wait_for()
    tab.press("#mkdocs-search-query", "Enter")
    tab.wait_for_url("**/explanation/write-forms.html*")


def test_a_search_that_could_not_be_loaded_is_tried_again(site: Path, tab: Page) -> None:
    """It says so, and is there when it can be loaded."""
    index, away = site / "search/index.js", site / "search/away.js"
    index.rename(away)
    try:
        tab.goto((site / "glossary.html").as_uri())
        tab.locator("[data-bs-target='#mkdocs_search_modal']").click()
        tab.fill("#mkdocs-search-query", "truth")
        tab.get_by_text("The search could not be loaded.").wait_for()
    finally:
        away.rename(index)
    tab.fill("#mkdocs-search-query", "truth table")
    tab.locator("#mkdocs-search-results a").get_by_text("The truth table of write forms").first.wait_for()


@pytest.mark.parametrize(
    "name", ["index", "explanation/comparison", "reference/configuration", "how-to/upgrade-a-fleet"]
)
def test_a_page_fits_a_telephone(site: Path, tab: Page, name: str) -> None:
    """Tables and blocks that are wider are moved by themselves, and not the page."""
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto((site / f"{name}.html").as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
