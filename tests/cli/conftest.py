"""Commands of a tiny project in a temporary folder, in this process and in processes of their own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from midflight.cli import main
from midflight.transports.embedded import EmbeddedBroker
from tests.cli.documents import check
from tests.cli.street import Outcome, Shop, Street

SHOP = Path(__file__).parent / "shop"


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """What a command leaves behind in a process: its log's settings, its project, the current folder on the path."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    sys.modules.pop("shop", None)
    if "" in sys.path:
        sys.path.remove("")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Release kilo of the shop, with a database and without a broker, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SHOP / "kilo", tmp_path, dirs_exist_ok=True)
    made = Shop(tmp_path, "memory:nobody")
    made.configure(database=f"sqlite:///{tmp_path / 'shop.db'}")
    return made


@pytest.fixture
def midflight(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run one command in this process. What it writes with --json is checked by the published schema."""

    def run(*arguments: str) -> Outcome:
        sys.modules.pop("shop", None)
        code = main(arguments)
        written = capsys.readouterr()
        check(arguments, written.out)
        return Outcome(code, written.out, written.err)

    return run


@pytest.fixture
def street(
    tmp_path: Path,
    broker: EmbeddedBroker,
    midflight: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Street]:
    """Both releases of the shop on one broker and one database; what was started is stopped at the end."""

    def command(folder: Path, *arguments: str) -> Outcome:
        monkeypatch.chdir(folder)
        return midflight(*arguments)

    made = Street(tmp_path, broker.url, SHOP, command)
    yield made
    made.stop_all()
