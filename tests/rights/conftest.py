"""Both brokers, told what `midflight broker config` prints: NATS with TLS and nkeys, RabbitMQ with passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
import structlog
from msgspec import structs

from midflight.cli import main
from midflight.conductor.visit import identity_here
from midflight.config import ANONYMOUS, Config, Credentials
from midflight.db.schema.runner import SchemaRunner
from midflight.transports.base import Identity
from midflight.upgrade.operator import operating
from tests.rights.cloud import project
from tests.transports.certificates import Authority, secured
from tests.transports.rabbit import Rabbit
from tests.transports.servers import NatsServer

OPERATOR = identity_here("operator")
MEMBERS = [
    Identity("conductor", "c1"), Identity("conductor", "c2"), Identity("api", "a1"), Identity("compute", "host1"),
    Identity("compute", "host2"), OPERATOR, identity_here("guest"),
]  # fmt: skip

__all__ = ["operating", "project"]


@dataclass
class Site:
    """A running broker that knows the members, and what each member needs to be one."""

    kind: str
    folder: Path
    urls: dict[str, str]
    credentials: dict[str, Credentials]
    log: Callable[[], str]

    def config(self, member: Identity, **more: object) -> Config:
        """The configuration of one member."""
        given = {
            "project": "tests.rights.cloud:project", "path": str(self.folder / "midflight.toml"),
            "broker": self.urls[str(member)], "credentials": self.credentials[str(member)], "beat_seconds": 0.3,
            "drain_seconds": 2.0, "call_seconds": 5.0,
        } | more  # fmt: skip
        if member.service == "conductor":
            given["database"] = f"sqlite:///{self.folder / 'cloud.db'}"
        return Config(**given)  # type: ignore[arg-type]  # as the file would say it


def command(folder: Path, *arguments: str) -> str:
    """Run one command for a folder's configuration, and return what it printed. In this process, of which it leaves the
    log as it was: a process for each of them would take as long as all that they are for."""
    with redirect_stdout(StringIO()) as printed:
        assert main([*arguments, "--config", str(folder / "midflight.toml")]) == 0
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    return printed.getvalue()


def printed(folder: Path, broker: str) -> tuple[str, dict[str, Path]]:
    """What the commands print for all members, and the file of each one's secret."""
    (folder / "midflight.toml").write_text(
        f'[midflight]\nproject = "tests.rights.cloud:project"\nbroker = "{broker}"\n'
    )
    lines, files = ["[members]"], {}
    for member in map(str, MEMBERS):
        files[member] = folder / f"{member}.secret"
        known_by = command(folder, "broker", "secret", str(files[member])).strip()
        lines.append(f'"{member}" = "{known_by}"')
    (folder / "members.toml").write_text("\n".join(lines))
    return command(folder, "broker", "config", str(folder / "members.toml")), files


@pytest.fixture(scope="session")
def nats_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A NATS server with TLS, to which a certificate has to be shown."""
    folder = tmp_path_factory.mktemp("nats-site")
    authority = Authority(folder / "tls")
    text, files = printed(folder, "tls://127.0.0.1:4222")
    server = NatsServer(folder / "server", secured(authority.issue("server")) + text, "tls")
    asyncio.run(server.start())
    SchemaRunner(f"sqlite:///{folder / 'cloud.db'}", None, None, "unreleased").expand()
    shown = authority.issue("member")
    yield Site(
        "nats", folder, dict.fromkeys(files, server.url),
        {member: structs.replace(shown, nkey=str(file)) for member, file in files.items()},
        lambda: (folder / "server" / "server.log").read_text(),
    )  # fmt: skip
    server.close()


@pytest.fixture(scope="session")
def rabbit_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A RabbitMQ server that has imported the definitions."""
    folder = tmp_path_factory.mktemp("rabbit-site")
    server = Rabbit(folder / "server")
    asyncio.run(server.start())
    port = server.url.rpartition(":")[2].rstrip("/")
    text, files = printed(folder, f"amqp://127.0.0.1:{port}/cloud")
    (folder / "definitions.json").write_text(text)
    server.control("import_definitions", str(folder / "definitions.json"))
    SchemaRunner(f"sqlite:///{folder / 'cloud.db'}", None, None, "unreleased").expand()
    urls = {
        member: f"amqp://{member.replace('@', '.')}:{file.read_text().strip()}@127.0.0.1:{port}/cloud"
        for member, file in files.items()
    }
    yield Site("rabbit", folder, urls, dict.fromkeys(files, ANONYMOUS), lambda: server._log.read_text(errors="replace"))
    server.close()


@pytest.fixture(params=["nats", "rabbit"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each broker in turn."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found
