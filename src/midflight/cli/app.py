"""The command line: its nouns, and what it says to whoever mistypes them."""

from __future__ import annotations

import sys
from importlib.metadata import version

from cyclopts import App, CycloptsError, MissingArgumentError, UnusedCliTokensError

from midflight.cli.examples import EXAMPLES, lines_of
from midflight.cli.output import Page
from midflight.errors import UsageError
from midflight.spelling import meant

HELP = {"--help", "-h"}
UNFOLDED = 10_000
"""Columns of a help page that no terminal shows: whoever reads it folds its lines."""

NOUNS = {
    "init": ("midflight.cli.init:init", "Make a project that runs and passes its tests at once."),
    "doctor": ("midflight.cli.doctor:doctor", "What is wrong here, and how to mend it."),
    "run": ("midflight.cli.run:run", "Run one service of the project until it is told to stop."),
    "db": ("midflight.cli.db:app", "The schema: expand it, and see how it stands."),
    "data": ("midflight.cli.data:app", "Online data migrations: let rows catch up while everything works."),
    "pin": ("midflight.cli.pin:app", "The wire floor: in whose versions the fleet speaks."),
    "fleet": ("midflight.cli.fleet:app", "The members: who runs what, where, and how lately it was heard."),
    "parked": ("midflight.cli.parked:app", "Parked messages: casts that no one could serve, until somebody decides."),
    "metrics": (
        "midflight.cli.metrics:metrics",
        "The fleet's gates, members, pins and migrations, for Prometheus.",
    ),
    "upgrade": ("midflight.cli.upgrade:app", "The way from one release to the next, step by step."),
    "console": ("midflight.cli.console:app", "The fleet in a browser."),
    "broker": ("midflight.cli.broker:app", "The broker: what each member may say there, and by what it is known."),
    "documents": (
        "midflight.cli.documents:documents",
        "What each command writes with --json, as JSON Schema.",
    ),
    "release": ("midflight.cli.release:app", "Frozen releases: what each understands."),
    "completion": ("midflight.cli.completion:completion", "What completes these commands in a shell."),
}


def build() -> App:
    """The command tree. A noun's module is imported only when the noun is used."""
    terminal = sys.stdout.isatty()
    app = App(
        name="midflight",
        console=Page() if terminal else Page(width=UNFOLDED),
        help="Distributed Python services that are upgraded while they work.",
        version=lambda: version("midflight"),
        help_format="markdown" if terminal else "plaintext",
        help_formatter="default" if terminal else "plain",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (name, (path, summary)) in enumerate(NOUNS.items()):
        app.command(path, name=name, help=summary, sort_key=place)
    return app


def command(given: list[str]) -> int:
    """Run one command; returns its exit code. Raises UsageError, and what the command raises."""
    app = build()
    try:
        _refuse_half(app, given)
        _teach(app, given)
        answer = app(given, exit_on_error=False, print_error=False)
    except CycloptsError as wrong:
        raise UsageError(reason=_usage(wrong)) from None
    return answer if isinstance(answer, int) else 0


def _refuse_half(app: App, given: list[str]) -> None:
    """A noun alone asks for nothing: an unset variable in a script must not pass for a check that passed."""
    words, apps, rest = app.parse_commands(given)
    if apps[-1].default_command is None and not rest:
        verbs = ", ".join(name for name in apps[-1] if not name.startswith("-"))
        raise UsageError(reason=f"{' '.join((*app.name, *words))} needs a command: {verbs}. See --help")


def _teach(app: App, given: list[str]) -> None:
    """The page of the command that is asked for ends with examples; that of a noun has its commands in the order in
    which the examples have them, which is that of the work."""
    if HELP.isdisjoint(given):
        return
    words, apps, _ = app.parse_commands([word for word in given if word not in HELP])
    if examples := lines_of(" ".join(words)):
        apps[-1].help_epilogue = f"Examples:\n\n{examples}"
    for place, name in enumerate(EXAMPLES):
        *noun, verb = name.split()
        if words and noun == [*words]:
            apps[-1][verb].sort_key = place


def _usage(wrong: CycloptsError) -> str:
    text, name = str(wrong), " ".join(wrong.command_chain or ())
    if isinstance(wrong, MissingArgumentError) and wrong.argument is not None and name in EXAMPLES:
        text = f"{name} needs {wrong.argument.name}, like: midflight {next(iter(EXAMPLES[name]))}"
    if isinstance(wrong, UnusedCliTokensError):
        left = [*(wrong.unused_tokens or ())]
        text = f"received {' '.join(left)!r}, which is more than the command takes{_meant(wrong, left[0])}"
    return f"{text.replace(', ...', ' and others').rstrip('.')}. See --help"


def _meant(wrong: UnusedCliTokensError, word: str) -> str:
    """Where a command has others below it, the word may be one of these with a slip."""
    verbs = wrong.command_chain and build()[wrong.command_chain[0]]
    return meant(word, verbs) if verbs else ""
