"""``midflight broker``: who may say what, as the broker's own configuration."""

from __future__ import annotations

import json as json_
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cyclopts import App

from midflight.cli.files import table_of
from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import Place, open_place
from midflight.conductor.grants import Grants
from midflight.errors import UsageError
from midflight.transports.amqp_password import hashed, new_password
from midflight.transports.base import Identity, identity_of
from midflight.transports.nats_rights import nats_document, nats_text
from midflight.transports.nkey import new_seed, public_of

app = App(name="broker", help="The broker: what each member may say there, and by what it is known.")

_KEY, _HASH = re.compile(r"U[A-Z2-7]{55}"), re.compile(r"[A-Za-z0-9+/]{48}")


@app.command
def config(members: Path, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Print what the broker has to be told, so that each member may say what its service's interfaces need, and nothing
    else: a file that nats-server includes, or definitions that RabbitMQ imports.

    Parameters
    ----------
    members
        A TOML file with the table [members]: "SERVICE@HOST" = what `midflight broker secret` printed for it.
    """
    out, place = Output(json=json), open_place(config)
    known = _members(members, _form(place))
    grants = Grants(place.project).of(known)
    secrets = {str(identity): secret for identity, secret in known.items()}
    if _is_amqp(place):
        amqp_document = _amqp_rights()
        document = amqp_document(place.project.name, grants, secrets, _vhost(place))
        out.text(json_.dumps(document, indent=2))
    else:
        document = nats_document(place.project.name, grants, secrets)
        out.text(nats_text(place.project.name, grants, secrets).rstrip())
    out.document(document)
    return 0


@app.command
def secret(file: Path, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Make the secret of one member, and print what the broker knows it by: a seed and its public nkey for NATS, a
    password and its hash for RabbitMQ.

    Parameters
    ----------
    file
        Where the secret is written, for its owner's eyes only. A file that is there is not overwritten.
    """
    out, place = Output(json=json), open_place(config)
    make: tuple[Callable[[], str], Callable[[str], str]] = (
        (new_password, hashed) if _is_amqp(place) else (new_seed, public_of)
    )
    made = make[0]()
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(f"{made}\n")
    except OSError as wrong:
        raise UsageError(reason=f"{file} cannot be written: {wrong.strerror}") from None
    known_by = make[1](made)
    out.say(known_by)
    out.document({"file": str(file), "known_by": known_by})
    return 0


def _amqp_rights() -> Callable[..., dict[str, Any]]:
    """Imported where it is asked for: what it stands on is an extra."""
    try:
        from midflight.transports.amqp_rights import amqp_document
    except ModuleNotFoundError as missing:
        if missing.name != "aiormq":
            raise
        raise UsageError(reason="for RabbitMQ a package is missing: pip install 'midflight[amqp]'") from None
    return amqp_document


def _is_amqp(place: Place) -> bool:
    return place.config.broker.startswith("amqp")


def _vhost(place: Place) -> str:
    """As the broker's URL says it."""
    return unquote(urlsplit(place.config.broker.split(",")[0]).path[1:]) or "/"


def _form(place: Place) -> tuple[re.Pattern[str], str]:
    if _is_amqp(place):
        return _HASH, "the hash of a password, as `midflight broker secret` and `rabbitmqctl hash_password` print it"
    return _KEY, "a public nkey, U…, as `midflight broker secret` prints it"


def _members(path: Path, form: tuple[re.Pattern[str], str]) -> dict[Identity, str]:
    """What the broker knows each member by. Raises UsageError that names the entry."""
    found = table_of(path, "members")
    return {_identity(path, name): _checked(path, name, value, form) for name, value in found.items()}


def _identity(path: Path, name: str) -> Identity:
    service, _, host = name.partition("@")
    if (identity := identity_of(service, host)) is None:
        raise UsageError(reason=f'{path}: [members] received {name!r}, expected "SERVICE@HOST"')
    return identity


def _checked(path: Path, name: str, value: Any, form: tuple[re.Pattern[str], str]) -> str:
    pattern, expected = form
    if not (isinstance(value, str) and pattern.fullmatch(value)):
        raise UsageError(reason=f"{path}: [members] {name} received {value!r}, expected {expected}")
    return value
