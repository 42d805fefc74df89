"""The configuration file: every mistake has a place and a reason."""

from pathlib import Path

import pytest

from midflight.config import ANONYMOUS, Config, Credentials, public_url
from midflight.errors import ConfigError

GOOD = '[midflight]\nproject = "compute.project:project"\nbroker = "nats://127.0.0.1:4222"\n'


def load(folder: Path, text: str, **environment: str) -> Config:
    """The configuration that this text makes."""
    path = folder / "midflight.toml"
    path.write_text(text)
    return Config.load(path, environment)


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    """Defaults fill the rest; the state folder stands beside the file."""
    config = load(tmp_path, GOOD)
    assert (config.database, config.beat_seconds, config.levels, config.app) == (None, 10.0, {}, {})
    assert config.state_dir == tmp_path / "state"
    assert config.state_dir.is_dir()


def test_levels_and_the_applications_own_settings(tmp_path: Path) -> None:
    """They are handed on as they are."""
    config = load(tmp_path, GOOD + '[upgrade_levels]\ncompute = "juno"\n[app]\nport = 8774\n')
    assert (config.levels, config.app) == ({"compute": "juno"}, {"port": 8774})


def test_the_environment_names_the_database_first(tmp_path: Path) -> None:
    """So that a secret need not stand in the file."""
    config = load(tmp_path, GOOD + 'database = "sqlite:///a"\n', MIDFLIGHT_DATABASE="sqlite:///b")
    assert config.database == "sqlite:///b"


def test_credentials_lie_beside_the_file(tmp_path: Path) -> None:
    """A relative path is one from the configuration file; whoever names none is nobody in particular."""
    assert load(tmp_path, GOOD).credentials == ANONYMOUS
    config = load(tmp_path, GOOD + '[credentials]\nca = "tls/ca.pem"\nnkey = "/etc/member.nkey"\n')
    assert config.credentials == Credentials(ca=str(tmp_path / "tls/ca.pem"), nkey="/etc/member.nkey")
    assert (config.credentials.demand_tls, Credentials(nkey="/etc/member.nkey").demand_tls) == (True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[midflight\n", "syntax: "),
        ("[midflight]\n", "[midflight]: Object missing required field `project`"),
        (GOOD + "borker = 1\n", "[midflight]: Object contains unknown field `borker`"),
        (GOOD + "beat_seconds = 0\n", "beat_seconds: Expected `float` > 0.0"),
        (GOOD + 'beat_seconds = "often"\n', "beat_seconds: Expected `float`, got `str`"),
        (GOOD + "[upgrade_levels]\ncompute = 3.35\n", "[upgrade_levels]: Expected `str`, got `float`"),
        ("app = 3\n" + GOOD, "[app]: Expected `object`, got `int`"),
        ("midflight = 3\n", "[midflight]: Expected a table, got `int`"),
        (GOOD + 'levels = {compute = "juno"}\n', "unknown field `levels`: it is the table [upgrade_levels]"),
        (GOOD + "[credentials]\ncertificat = 'a'\n", "[credentials]: Object contains unknown field `certificat`"),
        (GOOD + "[console]\nhost = 'a'\n", "[console]: Object contains unknown field `host`"),
        (GOOD + "[[console.tokens]]\nname = 'a'\nrole = 'king'\n", "[console] tokens[0].role: Invalid enum value"),
        (GOOD + "[credentials]\nca = 3\n", "[credentials] ca: Expected `str | null`, got `int`"),
        ("credentials = 3\n" + GOOD, "[credentials]: Expected `object`, got `int`"),
        (GOOD + "credentials = {}\n", "unknown field `credentials`: it is the table [credentials]"),
        (GOOD + "app = {}\n", "unknown field `app`: it is the table [app]"),
        (GOOD + 'path = "elsewhere"\n', "[midflight]: unknown field `path`"),
        (GOOD + "[apps]\n", "[apps]: unknown table"),
    ],
)
def test_a_mistake_is_named_with_file_and_place(tmp_path: Path, text: str, message: str) -> None:
    """One clear error each."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "midflight.toml") in str(caught.value)
    assert message in str(caught.value)


def test_a_state_folder_that_cannot_be_made_is_a_mistake_in_the_file(tmp_path: Path) -> None:
    """It may lie where a file is."""
    config = load(tmp_path, GOOD + 'state = "midflight.toml"\n')
    with pytest.raises(ConfigError, match=r"\[midflight\] state: the folder .* cannot be made: File exists"):
        _ = config.state_dir


def test_a_missing_file_says_the_three_ways_to_give_one(tmp_path: Path) -> None:
    """The way out is in the message."""
    with pytest.raises(ConfigError, match="--config FILE, set MIDFLIGHT_CONFIG, or work where midflight.toml is"):
        Config.load(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://host:4222", "nats://host:4222"),
        ("nats://u:secret@host:4222", "nats://host:4222"),
        ("nats://u:se/secret@host", "nats://host"),
        ("nats://u:p@secret@host", "nats://host"),
        ("nats:///u:secret@host", "nats:///host"),
        ("nats:u:secret@host", "host"),
        ("u:secret@host", "host"),
        ("nats://a:secret@one,nats://b:secret@two", "nats://one,nats://two"),
        ("nats://one,two", "nats://one,two"),
        ("nats://a:secret@one,b:secret@two,three", "nats://one,two,three"),
        ("nats://a:sec,ret@one,b:secret@two", "nats://two"),
        ("nats://one,b:secret@two", "nats://two"),
        ("nats://one,nats://b:secret@two", "nats://one,nats://two"),
        ("postgresql://host/x?user=me&password=secret&x=1", "postgresql://host/x?user=me&password=***&x=1"),
        ("host=h password=secret", "host=h password=***"),
        ("sqlite:////home/me@work/x.db", "sqlite:////home/me@work/x.db"),
        ("memory:me@work", "memory:me@work"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """Whatever characters a password has, nothing of it is told; the server is."""
    assert public_url(url) == shown


def test_where_metrics_are_served(tmp_path: Path) -> None:
    """A table of its own; without it, nowhere. The environment goes first, since services of a host share the file."""
    assert load(tmp_path, GOOD).metrics.listen is None
    assert load(tmp_path, GOOD + '[metrics]\nlisten = "127.0.0.1:9464"\n').metrics.listen == "127.0.0.1:9464"
    given = load(tmp_path, GOOD + '[metrics]\nlisten = "127.0.0.1:9464"\n', MIDFLIGHT_METRICS="127.0.0.1:9466")
    assert given.metrics.listen == "127.0.0.1:9466"
    with pytest.raises(ConfigError, match=r"\[metrics\] listen: Expected `str \| null`, got `int`"):
        load(tmp_path, GOOD + "[metrics]\nlisten = 9464\n")
    changed = load(tmp_path, GOOD + '[metrics]\nlisten = "127.0.0.1:9464"\n')
    assert load(tmp_path, GOOD).differences(changed) == ([], ["[metrics]"])
