"""The configuration file of a process: TOML, every mistake in it named with its place.

It is read at the start, and again when the process is told to; LIVE may change then.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec

from midflight.errors import ConfigError
from midflight.spelling import meant

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
KNOWN_TABLES = ("midflight", "credentials", "metrics", "traces", "console", "upgrade_levels", "app")
_PLACES = {
    "credentials": "[credentials]", "metrics": "[metrics]", "traces": "[traces]", "console": "[console]",
    "levels": "[upgrade_levels]", "app": "[app]",
}  # fmt: skip
"""The entries that are tables of their own."""

LIVE = ("beat_seconds", "drain_seconds", "call_seconds", "log", "levels")
"""The entries that hold from now on when the file is read again; any other waits for a restart."""

_NEXT_SERVER = re.compile(r",(?=[a-z+]+://)")
_USER = re.compile(r"^((?:[a-z+]+:)?//+)?.*@", re.DOTALL)
_PATH = re.compile(r"sqlite(\+\w+)?:///|memory:")
"""What has no user, but may have an ``@``."""
_SECRET = re.compile(r"(?i)\b((?:password|passwd|pwd|secret|token)=)[^\s&;]*")


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom a process trusts as its broker, and how it proves to it who it is: each a file, relative to the
    configuration file. They are read by the transport."""

    ca: str | None = None
    """The certificates by which the broker's own is checked, in PEM; else the system's."""
    certificate: str | None = None
    """Our certificate, in PEM."""
    key: str | None = None
    """Its private key, in PEM and without a password; else it is looked for in the certificate's file."""
    nkey: str | None = None
    """The seed of a user's nkey, for NATS."""

    @property
    def demand_tls(self) -> bool:
        """Whether they make sense over an encrypted connection only."""
        return self.ca is not None or self.certificate is not None


ANONYMOUS = Credentials()
"""Nobody in particular, who trusts whom the system trusts."""


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a process says over HTTP how it stands and what it has counted."""

    listen: str | None = None
    """``HOST:PORT``, for ``/metrics``, ``/healthz`` and ``/readyz`` (with ``midflight[metrics]``); else nowhere. The
    environment's MIDFLIGHT_METRICS goes first, for services that share a host and a file."""


class Traces(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a process tells what became of each piece of work."""

    endpoint: str | None = None
    """A collector's URL for OTLP over HTTP, ``http://HOST:4318`` (with ``midflight[otel]``); else nobody traces."""


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody who may sign in to the console with a secret. ``midflight console token`` makes one."""

    name: str
    """Who it is, as the journal will say."""
    role: Literal["viewer", "operator"]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Of the secret, which itself stands nowhere."""
    expires: date
    """The last day on which it is good, in UTC."""


class Proxy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proxy in front of the console that has people sign in, by OpenID Connect or the like, and says who they are."""

    addresses: list[str]
    """From where it connects. Whoever else sends its headers is not believed."""
    user: str = "X-Forwarded-User"
    groups: str = "X-Forwarded-Groups"
    """The headers that name a user and their groups, with commas between them."""
    operators: list[str] = []
    viewers: list[str] = []
    """The groups whose members are one or the other."""


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Under which names the console is reached, and who may see and do what. Without tokens and a proxy it is for
    everybody who reaches it, and nobody can do anything."""

    hosts: list[str] = []
    """Names in its address, beside that on which it listens and this machine's own: ``console.example.org``."""
    tokens: list[Token] = []
    proxy: Proxy | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one process is told. Durations are in seconds."""

    project: str
    """Where the Project is: ``package.module:attribute``."""
    broker: str
    """``nats://host:port`` (with ``midflight[nats]``), ``amqp://user:password@host:port/vhost`` (with
    ``midflight[amqp]``), or ``memory:NAME`` inside one process. ``tls://`` and ``amqps://`` are encrypted; servers of a
    cluster have commas between them."""
    credentials: Credentials = ANONYMOUS
    """Whom we trust as the broker, and who we are."""
    metrics: Metrics = Metrics()
    """Where we are asked over HTTP."""
    traces: Traces = Traces()
    """Where traces go."""
    database: str | None = None
    """``sqlite:///PATH``, or ``postgresql://user:password@host/name`` (with ``midflight[postgresql]``): for services
    that open the database, and ``midflight db``. The environment's MIDFLIGHT_DATABASE goes first."""
    state: str = "state"
    """A folder for what this host keeps between two runs; relative to the file."""
    beat_seconds: Seconds = 10.0
    """How often a member says that it lives; after three that did not come it is lost."""
    drain_seconds: Seconds = 20.0
    """How long who is told to stop finishes what it has in hand."""
    call_seconds: Seconds = 5.0
    """How long a call waits for its answer where its caller says nothing else."""
    log: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """What a service logs; the environment's MIDFLIGHT_LOG goes first."""
    levels: dict[str, str] = {}
    """Local pins by topic, which win over the fleet's: a release, a version, or ``auto``."""
    console: ConsoleSettings = ConsoleSettings()
    app: dict[str, Any] = {}
    """The application's own settings."""
    path: str = ""

    @property
    def state_dir(self) -> Path:
        """The state folder, made if it is missing. Raises ConfigError where it cannot be made."""
        folder = Path(self.path).parent / self.state
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            reason = f"the folder {folder} cannot be made: {wrong.strerror}"
            raise ConfigError(path=self.path, where="[midflight] state", reason=reason) from None
        return folder

    def differences(self, other: Config) -> tuple[list[str], list[str]]:
        """The places of what differs in another reading of the file: what may change live, and what may not."""
        names = [name for name in self.__struct_fields__ if getattr(self, name) != getattr(other, name)]
        live, fixed = ([_where(n) for n in names if (n in LIVE) is wanted] for wanted in (True, False))
        return live, fixed

    def changed_live(self, other: Config) -> Self:
        """The same, with what may change live taken from another reading of the file."""
        return msgspec.structs.replace(self, **{name: getattr(other, name) for name in LIVE})

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, str] = os.environ) -> Self:
        """Read a file. Raises ConfigError that names file, place and reason."""
        tables = _tables(path)
        for table in tables:
            if table not in KNOWN_TABLES:
                reason = f"unknown table; known are {', '.join(KNOWN_TABLES)}{meant(table, KNOWN_TABLES)}"
                raise ConfigError(path=str(path), where=f"[{table}]", reason=reason)
        own = tables.get("midflight", {})
        _check_own(path, own)
        credentials = _beside(path, tables.get("credentials", {}))
        given = {
            **own, "credentials": credentials, "metrics": tables.get("metrics", {}), "traces": tables.get("traces", {}),
            "console": tables.get("console", {}),
            "levels": tables.get("upgrade_levels", {}), "app": tables.get("app", {}),
        }  # fmt: skip
        if url := environment.get("MIDFLIGHT_DATABASE"):
            given["database"] = url
        if listen := environment.get("MIDFLIGHT_METRICS"):
            given["metrics"] = {"listen": listen}
        try:
            return msgspec.convert({**given, "path": str(path.absolute())}, cls)
        except msgspec.ValidationError as wrong:
            reason, _, place = str(wrong).partition(" - at `$.")
            raise ConfigError(path=str(path), where=_where(place.rstrip("`")), reason=reason) from None


def _check_own(path: Path, own: Any) -> None:
    """What the other tables and the file itself say may not stand in [midflight], where it would have no effect."""
    if not isinstance(own, dict):
        reason = f"Expected a table, got `{type(own).__name__}`"
        raise ConfigError(path=str(path), where="[midflight]", reason=reason)
    for name in ("path", *_PLACES):
        if name in own:
            hint = f": it is the table {_PLACES[name]}" if name in _PLACES else ""
            raise ConfigError(path=str(path), where="[midflight]", reason=f"unknown field `{name}`{hint}")
    known = [name for name in Config.__struct_fields__ if name not in ("path", *_PLACES)]
    if unknown := own.keys() - {*known}:
        near = meant(min(unknown), known)
        reason = f"Object contains unknown field `{min(unknown)}`; known are {', '.join(known)}{near}"
        raise ConfigError(path=str(path), where="[midflight]", reason=reason)


def _beside(path: Path, files: Any) -> Any:
    """The same table, with files that are relative to the configuration file made absolute."""
    if not isinstance(files, dict):
        return files
    folder = path.absolute().parent
    return {name: str(folder / file) if isinstance(file, str) else file for name, file in files.items()}


def _where(place: str) -> str:
    table, _, entry = place.partition(".")
    if table in ("credentials", "metrics", "traces", "console"):
        return f"[{table}] {entry}".rstrip()
    return _PLACES.get(place.partition("[")[0], f"[midflight] {place}".rstrip())


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as wrong:
        reason = f"{wrong.strerror}: give --config FILE, set MIDFLIGHT_CONFIG, or work where midflight.toml is"
        raise ConfigError(path=str(path), where="file", reason=reason) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise ConfigError(path=str(path), where="syntax", reason=str(wrong)) from None


def public_url(url: str) -> str:
    """The same without user and password, for logs and errors.

    A password may hold any character, also those that end it for a parser: so all up to a server's last ``@`` goes, and
    where a comma may be a password's, the server before it too.
    """
    if _PATH.match(url):
        return url
    return _SECRET.sub(r"\1***", ",".join(map(_public_servers, _NEXT_SERVER.split(url))))


def _public_servers(url: str) -> str:
    """Of one scheme that is said once. Where all have a user, or the last ones have none, no comma is a password's."""
    servers = url.split(",")
    named = ["@" in server for server in servers]
    several = named == sorted(named, reverse=True)
    return ",".join(_USER.sub(r"\1", server) for server in (servers if several else [url]))
