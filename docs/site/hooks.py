"""What the site has beside the pages of this folder: pages that are written from the code, and the repository's own.

MkDocs calls these functions; see mkdocs.yml.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pygments.formatters.html import HtmlFormatter

import midflight
from midflight import Project, VersionedObject, config, errors, field
from midflight.cli import endings
from midflight.cli.app import NOUNS, build
from midflight.cli.examples import EXAMPLES, lines_of
from midflight.db.lint import facts, result
from midflight.db.schema import frozen_tables
from midflight.rpc import logbook, messages
from midflight.upgrade import frozen
from midflight.upgrade.wording import project_in_words

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OWN = {"ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md",
       "SECURITY.md": "security.md", "README.md": "readme.md"}  # fmt: skip
"""Pages at the root of the repository, and where they are in the site."""
COLOURS = {"light": "default", "dark": "github-dark"}
"""Pygments' styles of code, by day and by night."""
_LINK = re.compile(r"(?P<text>!?\[[^\]]*\])\((?P<target>[^)#:]+)(?P<anchor>#[^)]*)?\)")
_EVENT = re.compile(r"[a-z_]+(\.[a-z_]+)+")


def on_config(config: Any) -> Any:
    """Four voices: to learn, to do, to look up, to understand. A new page is in the site when it is in its folder, and
    stands where the indexes have it."""
    config.nav = [
        {"Learn": [{"Start": "README.md"}, "tutorial.md", {"A taste": "readme.md"}]},
        {"Do": [*_pages("how-to"), "from-oslo-versionedobjects.md"]},
        {"Look up": [*_pages("reference"), *(f"reference/{name}.md" for name in WRITTEN), "glossary.md"]},
        {
            "Understand": [
                *_pages("explanation"),
                {"Architecture": "architecture.md"},
                {"Decisions": _pages("decisions")},
            ]
        },
        {"Project": ["contributing.md", "security.md", "changelog.md"]},
    ]
    return config


def _pages(folder: str) -> list[str]:
    order = {page: place for place, page in enumerate(_listed("README.md"))}
    names = sorted(f"{folder}/{path.name}" for path in (DOCS / folder).glob("*.md"))
    return sorted(names, key=lambda name: (not name.endswith("README.md"), order.get(name, len(order))))


def _listed(index: str, above: frozenset[str] = frozenset()) -> Iterator[str]:
    """The pages of an index in its order, those of an index that it leads to behind that one. A link back to one that
    is ``above`` is only a link."""
    above |= {index}
    for link in _LINK.finditer((DOCS / index).read_text()):
        page = _normal(PurePosixPath("docs", index).parent / link["target"])
        if page.startswith("docs/"):
            name = page.removeprefix("docs/")
            yield name
            if name.endswith("/README.md") and name not in above:
                yield from _listed(name, above)


def on_files(files: Files, config: Any) -> Files:
    """Add them."""
    for source, name in OWN.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text()))
    for name, write in WRITTEN.items():
        files.append(File.generated(config, f"reference/{name}.md", content="\n".join(write())))
    for name, style in COLOURS.items():
        rules = HtmlFormatter(style=style).get_style_defs(".codehilite")
        files.append(File.generated(config, f"css/code-{name}.css", content=rules))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """A link to a page of the repository leads to that page in the site; one to a file of it is the file's name. And
    blocks are coloured as what they are."""
    of_root = {name: source for source, name in OWN.items()}
    here = PurePosixPath("docs") / page.file.src_uri
    if page.file.src_uri in of_root:
        here = PurePosixPath(of_root[page.file.src_uri])

    def led(link: re.Match[str]) -> str:
        target = _normal(here.parent / link["target"])
        if (inside := _inside(target, files)) is None:
            return link["text"].strip("![]") if not link["text"].startswith("!") else ""
        up = "../" * (len(PurePosixPath(page.file.src_uri).parts) - 1)
        return f"{link['text']}({up}{inside}{link['anchor'] or ''})"

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(_session(part) if part.startswith("```") else _LINK.sub(led, part) for part in parts)


def _session(block: str) -> str:
    """What a shell answers is not coloured as if it were typed."""
    return re.sub(r"^```sh\n(?=\$ )", "```console\n", block)


@event_priority(-100)
def on_post_build(config: Any) -> None:
    """A search that a site has which is read from a folder, in the place of MkDocs' own."""
    folder = Path(config.site_dir) / "search"
    parts = json.loads((folder / "search_index.json").read_text())["docs"]
    titles = {part["location"]: part["title"] for part in parts}
    pages = [
        {**part, "text": part["text"].replace(" ¶", "")} for part in parts
        if "#" not in part["location"] or titles[part["location"].partition("#")[0]] != part["title"]
    ]  # fmt: skip
    (folder / "index.js").write_text(f"const searchPages = {json.dumps(pages)};\n")
    shutil.copy(DOCS / "site" / "search.js", folder / "main.js")
    for name in ("worker.js", "search_index.json"):
        (folder / name).unlink()


def _normal(path: PurePosixPath) -> str:
    found: list[str] = []
    for part in path.parts:
        if part == "..":
            found.pop()
        elif part != ".":
            found.append(part)
    return "/".join(found)


def _inside(target: str, files: Files) -> str | None:
    """Where a file of the repository is in the site."""
    if target in OWN:
        return OWN[target]
    name = target.removeprefix("docs/")
    for each in (name, f"{name}/README.md"):
        file = files.get_file_from_path(each)
        if target.startswith("docs") and file is not None and file.inclusion.is_included():
            return each
    return None


# Pages that are written from the code.


def _cli() -> Iterator[str]:
    """Each command with what it takes, as its help page says it."""
    yield "# Commands\n\nOne table of [exit codes](exit-codes.md) holds for all of them."
    tree = build()
    for name in sorted(EXAMPLES, key=lambda name: [*NOUNS].index(name.split()[0])):
        app = tree
        for word in name.split():
            app = app[word]
        said = inspect.cleandoc(inspect.getdoc(app.default_command) or "")
        text, _, parameters = said.partition("Parameters\n----------\n")
        yield f"\n## midflight {name}\n\n{text.strip()}\n"
        for option, what in re.findall(r"^(\w+)\n((?: .*\n?)+)", parameters, re.MULTILINE):
            yield f"- `{option.replace('_', '-')}`: {' '.join(what.split())}"
        yield f"\n```text\n{inspect.cleandoc(lines_of(name))}\n```"


def _exit_codes() -> Iterator[str]:
    """The one table of all commands, with the errors that end a command so."""
    yield "# Exit codes\n\nOne table holds for all commands.\n\n| code | means | errors |\n|---|---|---|"
    for code, meaning in re.findall(r"(\d+) ([^·.]+)", (endings.__doc__ or "").replace("\n", " ")):
        kinds = ", ".join(
            f"[{name}](errors.md#{name.lower()})" for name, kind in _kinds() if f"{kind.exit_code}" == code
        )
        yield f"| {code} | {meaning.strip()} | {kinds} |"


def _kinds() -> Iterator[tuple[str, type[errors.MidflightError]]]:
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.MidflightError) and kind.__module__ == errors.__name__:
            yield name, kind


def _errors() -> Iterator[str]:
    """Each error with its message, which says the cause and the way out."""
    yield "# Errors\n\nWhat stands in braces is a fact of the error: an attribute of it, which travels with it.\n"
    for name, kind in _kinds():
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
        yield f"\n## {name}\n\n{inspect.getdoc(kind)}\n"
        yield f"A {bases}. A command that ends by it exits {kind.exit_code}."


def _events() -> Iterator[str]:
    """Each event of the log, with its facts and the module that says it."""
    yield "# Log events\n\nOne JSON object a line; `event` is its name, and these are its facts.\n"
    yield "| event | level | facts | in |\n|---|---|---|---|"
    package = Path(midflight.__file__).parent
    found = {}
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
                levels = ("debug", "info", "warning", "error", "critical", "exception")
                if isinstance(name, str) and _EVENT.fullmatch(name) and node.func.attr in levels:
                    facts = ", ".join(f"`{each.arg}`" for each in node.keywords if each.arg and each.arg != "exc_info")
                    found[name] = f"| `{name}` | {node.func.attr} | {facts} | {path.relative_to(package)} |"
    yield from (found[name] for name in sorted(found))


def _api() -> Iterator[str]:
    """Each name of the front door."""
    yield "# The API\n\nThese names are the whole of what an application needs.\n"
    for name in midflight.__all__:
        thing = getattr(midflight, name)
        yield f"\n## {name}\n"
        try:
            yield f"```python\n{name}{inspect.signature(thing)}\n```\n"
        except (TypeError, ValueError):  # a module, or a class without a signature of its own
            pass
        if said := inspect.getdoc(thing):
            yield said
        for method, function in vars(thing).items() if inspect.isclass(thing) else ():
            if not method.startswith("_") and inspect.isfunction(function) and inspect.getdoc(function):
                yield f"\n**{method}**: {inspect.getdoc(function)}"


def _configuration() -> Iterator[str]:
    """Each entry of the configuration file."""
    yield "# The configuration file\n\n`midflight.toml`, or what `--config` or `MIDFLIGHT_CONFIG` names. A mistake"
    yield "in it is told with its place. What is *live* holds from the next SIGHUP on; any other"
    yield "entry waits for a restart."
    tables = {
        "[midflight]": config.Config, "[credentials]": config.Credentials, "[metrics]": config.Metrics,
        "[traces]": config.Traces, "[console]": config.ConsoleSettings, "[[console.tokens]]": config.Token,
        "[console.proxy]": config.Proxy,
    }  # fmt: skip
    elsewhere = {"credentials", "metrics", "traces", "console", "levels", "app", "path", "tokens", "proxy"}
    for table, kind in tables.items():
        yield f"\n## {table}\n\n{inspect.getdoc(kind)}\n\n| entry | type | else | |\n|---|---|---|---|"
        yield from _rows(kind, elsewhere, live=config.LIVE)
    said = _said(config.Config)
    yield f"\n## [upgrade_levels]\n\n{said['levels']} It is live.\n\n## [app]\n\n{said['app']}"


def _envelopes() -> Iterator[str]:
    """What goes over the wire round an object."""
    yield f"# Envelopes\n\n{inspect.getdoc(messages)}\n"
    yield f"This is protocol {messages.PROTOCOL}. A message is a map; what is at its default is left out. Objects in"
    yield "it are [wire forms](wire-forms.md). A `Name` has at most 250 characters; `Plain` is a text, a number,"
    yield "true or false, or nothing; `Raw` is whatever the endpoint takes or returns."
    for kind in (messages.Request, messages.Reply, messages.Sender, messages.Fault):
        yield f"\n## {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n| key | type | else | |\n|---|---|---|---|"
        yield from _rows(kind)


def _files() -> Iterator[str]:
    """What is kept in files, by a person's command or by a process."""
    yield "# Files\n\nAll are text, TOML or a line for each thing; a newer midflight reads what an older one wrote."
    files = {
        "midflight.toml": "See [the configuration file](configuration.md).",
        "releases/NAME.toml": inspect.getdoc(frozen),
        "schema/tables/NAME.toml": inspect.getdoc(frozen_tables), f"schema/{result.FILE}": inspect.getdoc(result),
        f"schema/{facts.FILE}": inspect.getdoc(facts), "in the state folder: the logbook": inspect.getdoc(logbook),
    }  # fmt: skip
    for name, said in files.items():
        yield f"\n## {name}\n\n{said}"
        if name == "releases/NAME.toml":
            text, _, _ = frozen.render("kilo", 2, project_in_words(_example())).partition(frozen.FRAMEWORK_HEADER)
            yield f"\n```toml\n{text}\n```"


def _example() -> Project:
    class Instance(VersionedObject, version="1.17"):
        name: str
        locked_by: str | None = field(default=None, since="1.17")

    return Project("cloud", objects=[Instance])


def _rows(kind: type[msgspec.Struct], elsewhere: Collection[str] = (), live: Collection[str] = ()) -> Iterator[str]:
    """A line for each field of a struct: its type and default, and what stands below it in the code."""
    said, types = _said(kind), inspect.get_annotations(kind)
    for each in msgspec.structs.fields(kind):
        if each.name in elsewhere:
            continue
        default = (
            f"`{each.default!r}`" if each.default in (None, ()) or isinstance(each.default, str | float | int) else ""
        )
        words = f"{said.get(each.name, '')} {'*Live.*' if each.name in live else ''}"
        cells = (
            f"`{each.name}`",
            f"`{types[each.name]}`".replace("msgspec.", ""),
            "required" if each.required else default,
            words.strip(),
        )
        yield f"| {' | '.join(cell.replace(' | ', ' or ') for cell in cells)} |"


def _said(kind: type) -> dict[str, str]:
    """The text below each field of a class; where one stands below several, it is the last one's."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for before, after in pairwise(tree.body):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant)
            found[before.target.id] = " ".join(str(after.value.value).split()).replace("``", "`")
    return found


WRITTEN = {
    "api": _api, "cli": _cli, "exit-codes": _exit_codes, "errors": _errors, "log-events": _events,
    "configuration": _configuration, "files": _files, "envelopes": _envelopes,
}  # fmt: skip
