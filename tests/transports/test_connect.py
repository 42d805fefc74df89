from __future__ import annotations

import subprocess
import sys

import pytest

from midflight.config import Credentials
from midflight.errors import ConfigError
from midflight.transports import connect
from midflight.transports.base import Address, NobodyListens, Transport
from midflight.transports.embedded import EmbeddedBroker
from tests.transports.rabbit import Rabbit
from tests.transports.recorder import MEMBER, Recorder


async def reaches(caller: Transport, listener: Transport) -> bool:
    """Whether what one transport sends is heard by the other."""
    await Recorder().listen(listener, "compute", "host1")
    try:
        return await caller.call(Address("compute", "host1"), b"hello", timeout=5) == b"one:hello"
    except NobodyListens:
        return False


async def test_memory_is_shared_by_name_and_project() -> None:
    """Two memory URLs meet in one process where name and project are the same, and nowhere else."""
    listener = await connect("memory:here", name="agent", project="cloud", identity=MEMBER).open()
    assert await reaches(await connect("memory:here", name="api", project="cloud", identity=MEMBER).open(), listener)
    assert not await reaches(
        await connect("memory:there", name="api", project="cloud", identity=MEMBER).open(), listener
    )
    assert not await reaches(
        await connect("memory:here", name="api", project="house", identity=MEMBER).open(), listener
    )
    await listener.close()


async def test_nats_by_url(broker: EmbeddedBroker) -> None:
    """A nats URL is a connection to that broker, under a name of any form."""
    agent = await connect(broker.url, name="compute@host 1.example", project="by-url", identity=MEMBER).open()
    api = await connect(broker.url, name="api", project="by-url", identity=MEMBER).open()
    assert await reaches(api, agent)
    await agent.close()
    await api.close()


def test_credentials_are_read_at_once() -> None:
    """What is wrong with them is known before anybody connects."""
    with pytest.raises(ConfigError, match=r"\[credentials\] nkey: /none cannot be read"):
        connect(
            "nats://127.0.0.1:4222", name="api", project="cloud", identity=MEMBER, credentials=Credentials(nkey="/none")
        )


async def test_rabbitmq_by_url(rabbit: Rabbit) -> None:
    """An amqp URL is a connection to that broker, under a name of any form."""
    agent = await connect(rabbit.url, name="compute@host 1.example", project="by-url", identity=MEMBER).open()
    api = await connect(rabbit.url, name="api", project="by-url", identity=MEMBER).open()
    assert await reaches(api, agent)
    await agent.close()
    await api.close()


@pytest.mark.parametrize(("broker", "package"), [("nats", "nats"), ("amqp", "aiormq")])
def test_each_broker_is_an_extra(monkeypatch: pytest.MonkeyPatch, broker: str, package: str) -> None:
    """Where the package for a broker is missing, its URL says how to install it."""
    monkeypatch.delitem(sys.modules, f"midflight.transports.{broker}", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"\[midflight\] broker: .* missing: pip install 'midflight\[{broker}\]'"):
        connect(f"{broker}://127.0.0.1", name="agent", project="cloud", identity=MEMBER)


def test_others_do_not_load_it() -> None:
    """Nothing of a broker is imported by a process that does not use it."""
    program = "import sys, midflight.cli, midflight.service; sys.exit(bool({'nats', 'aiormq'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


NO_HOSTS = "nats://", "nats://host:port", "nats://host:99999", "nats://host:4222,nats://:4222", "amqp://", "amqps://:1"


@pytest.mark.parametrize(
    "url", ["", "nats", "nats:4222", "memory:", "amqp://host,host:5672", "redis://user:secret@host", *NO_HOSTS]
)
def test_other_urls_are_refused(url: str) -> None:
    """A URL of no known form is a mistake in the configuration, told with the forms that there are."""
    with pytest.raises(
        ConfigError, match=r"\[midflight\] broker: received .*, expected nats://HOST:PORT, amqp://"
    ) as e:
        connect(url, name="agent", project="cloud", identity=MEMBER)
    assert "secret" not in str(e.value)
