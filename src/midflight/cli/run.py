"""``midflight run``: one service of the project, until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from midflight.cli.place import open_place
from midflight.process import run_service


async def run(service: str, /, *, host: str | None = None, config: Path | None = None) -> int:
    """Run one service of the project until it is told to stop.

    On SIGTERM it takes no new work, finishes what is in hand, and leaves the fleet. Its log goes to standard error.

    Parameters
    ----------
    service
        Its name in the project, or conductor.
    host
        The name under which this process is addressed: letters, digits, - and _; else this machine's.
    config
        The configuration file; else MIDFLIGHT_CONFIG, else ./midflight.toml.
    """
    place = open_place(config)
    name = socket.gethostname().partition(".")[0] if host is None else host
    return await run_service(place.project, place.config, service, name)


def plainly(words: Sequence[str]) -> tuple[str, dict[str, Any]] | None:
    """The service and the options where ``run`` is asked for plainly: ``run SERVICE [--host HOST] [--config FILE]``.
    None for all else: another command, help, and whatever somebody has to be told about."""
    if words[:1] != ["run"]:
        return None
    services, options, rest = list[str](), dict[str, Any](), iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in _OPTIONS:
            services.append(word)
            continue
        text = value if equals else next(rest, "")
        if name in options or not text or text.startswith("-"):
            return None
        options[name] = _OPTIONS[name](text)
    if len(services) != 1 or not services[0] or services[0].startswith("-"):
        return None
    return services[0], {name.removeprefix("--"): value for name, value in options.items()}


def _readers() -> dict[str, Callable[[str], Any]]:
    """How each option's text becomes its value: by the type that ``run`` has for it."""
    hints = get_type_hints(run)
    return {f"--{name}": get_args(hints[name])[0] for name in run.__kwdefaults__ or {}}


_OPTIONS = _readers()
