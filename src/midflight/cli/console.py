"""``midflight console``: the fleet in a browser."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

from cyclopts import App

from midflight.cli.options import ConfigFile
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.errors import MissingExtra, UsageError

app = App(name="console", help="The fleet in a browser.")

LISTEN = "127.0.0.1:8700"
LONGEST = 365


@app.default
async def console(*, listen: str = LISTEN, config: ConfigFile = None) -> int:
    """Serve the fleet to browsers until told to stop: read-only, unless the configuration says who may sign in.

    Parameters
    ----------
    listen
        HOST:PORT; with port 0 it takes a free one, and prints it.
    """
    out, place = Output(), open_place(config)
    with _extra():
        from midflight.console.serve import serve
    await serve(place.config, place.project, listen, lambda url: out.mark("console", url))
    return 0


@app.command
async def token(name: str, /, *, role: Literal["viewer", "operator"] = "viewer", days: int = 90) -> int:
    """Make a token with which somebody may sign in, and print it with the lines for midflight.toml. It is kept nowhere.

    Parameters
    ----------
    name
        Who it is for, as the journal will say.
    role
        viewer, who sees all; or operator, who may act.
    days
        How long it is good.
    """
    with _extra():
        from midflight.web.access import secret_digest

    if not 0 < days <= LONGEST or not name.isprintable() or '"' in name or "\\" in name:
        raise UsageError(reason=f"received {name!r} for {days} days, expected a plain name, and 1 to {LONGEST} days")
    secret = secrets.token_urlsafe(32)
    out = Output()
    out.say(f"token of {name}, shown this once: {secret}")
    out.text(
        f'\n[[console.tokens]]\nname = "{name}"\nrole = "{role}"\n'
        f'sha256 = "{secret_digest(secret)}"\nexpires = {datetime.now(UTC).date() + timedelta(days=days)}'
    )
    return 0


@contextmanager
def _extra() -> Iterator[None]:
    """Around imports of what no other command needs. Raises MissingExtra."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("midflight"):
            raise
        raise MissingExtra(module="midflight console", missing=str(missing.name), extra="console") from None
