"""midflight console: what is said before it serves, and the making of a token."""

import re
import signal
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from midflight.config import Config
from midflight.web.access import secret_digest
from tests.cli.street import COMMAND, Outcome, Shop, Street
from tests.cli.test_journey import freeze_both

Command = Callable[..., Outcome]


def test_it_serves_until_it_is_told_to_stop(shop: Shop) -> None:
    """It prints its address, answers there while no broker does, and ends with 0, whoever still listens."""
    (shop.folder / "releases").mkdir()
    subprocess.run([*COMMAND, "release", "freeze", "kilo"], cwd=shop.folder, check=True, capture_output=True)
    command = [*COMMAND, "console", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=shop.folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert address is not None
        page = urllib.request.urlopen(f"{address[0]}/fleet", timeout=60).read().decode()
        assert "No conductor of project shop answers" in page
        open_stream = urllib.request.urlopen(f"{address[0]}/fleet/stream", timeout=60)
        assert open_stream.readline().startswith(b"data: ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_what_is_done_there_is_done_to_the_fleet_and_stands_in_the_journal(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With who it was. A script sends its token, as a browser would send its cookie."""
    freeze_both(street)
    monkeypatch.setenv("MIDFLIGHT_DATABASE", street.url)
    assert street.midflight("juno", "db", "expand").code == 0
    street.start("juno", "conductor", "c1")
    made = street.midflight("kilo", "console", "token", "ann", "--role", "operator").out
    with (street.folder / "kilo" / "midflight.toml").open("a") as file:
        file.write(made.partition("\n")[2])
    command = [*COMMAND, "console", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=street.folder / "kilo", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        secret = made.partition("\n")[0].rpartition(" ")[2]
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=60) as web:
            until = time.monotonic() + 60
            while "1</b> members" not in (page := web.get("/fleet").text):
                assert time.monotonic() < until, page
                time.sleep(0.1)
            begun = web.post("/act/pin-set", data={"release": "juno", "topic": "*"})
            while 'data-status="working"' in (told := web.get(begun.headers["location"]).text):
                time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 0
    assert "is acknowledged by all active members" in told
    (entry,) = street.midflight("kilo", "upgrade", "journal", "pin.set", "--json").document
    assert re.fullmatch(r"ann, through operator@\S+ \(kilo\)", entry["by"])


@pytest.mark.parametrize("listen", ["8700", "localhost:", "localhost:http", "1.2.3.4:99999", ":80"])
def test_an_address_that_is_none_is_refused(midflight: Command, shop: Shop, listen: str) -> None:
    """With one that is."""
    outcome = midflight("console", "--listen", listen)
    assert outcome.code == 64
    assert f"received --listen {listen!r}, expected HOST:PORT like 127.0.0.1:8700." in outcome.err


def test_nobody_is_shown_the_fleet_from_elsewhere_without_signing_in(midflight: Command, shop: Shop) -> None:
    """The way out is said."""
    outcome = midflight("console", "--listen", "0.0.0.0:0")
    assert outcome.code == 64
    assert "nobody can sign in" in outcome.err
    assert "midflight console token" in outcome.err


def test_an_address_of_another_machine_is_refused(midflight: Command, shop: Shop) -> None:
    """With the reason of the system."""
    with (shop.folder / "midflight.toml").open("a") as file:
        file.write(midflight("console", "token", "ann").out.partition("\n")[2])
    outcome = midflight("console", "--listen", "192.0.2.1:8700")
    assert (outcome.code, "which cannot be listened on" in outcome.err) == (64, True)


def test_a_token_is_shown_once_with_what_the_configuration_needs(midflight: Command, shop: Shop) -> None:
    """Its digest, not the token."""
    outcome = midflight("console", "token", "ann", "--role", "operator", "--days", "7")
    first, _, lines = outcome.out.partition("\n")
    secret = first.rpartition(" ")[2]
    [token] = tomllib.loads(lines)["console"]["tokens"]
    assert (token["name"], token["role"], token["sha256"]) == ("ann", "operator", secret_digest(secret))
    assert secret not in lines
    with (shop.folder / "midflight.toml").open("a") as file:
        file.write(lines)
    assert Config.load(Path("midflight.toml"), {}).console.tokens[0].name == "ann"


@pytest.mark.parametrize("arguments", [('a"b',), ("ann", "--days", "0"), ("ann", "--days", "999"), ("a\nb",)])
def test_a_token_for_nobody_is_refused(midflight: Command, shop: Shop, arguments: tuple[str, ...]) -> None:
    """And none is made."""
    outcome = midflight("console", "token", *arguments)
    assert (outcome.code, outcome.out) == (64, "")
