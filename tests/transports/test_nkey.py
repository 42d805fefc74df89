from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from midflight.errors import ConfigError
from midflight.transports.nkey import Nkey, new_seed

SEED = "SUAKNW3KR53RICJ55XK4EWDMRJTYXMX7FJAXEO7M25ZTQ43JY3BTCECJUY"
PUBLIC = "UASDMAOC6CAVOPMM5SYCBSC36OKFCV4EKBKH6FCPHQMNC3UMMT27KBOV"


def test_a_known_seed() -> None:
    """A seed has the public key that NATS's own tools say it has, and signs for it."""
    nkey = Nkey(SEED)
    assert nkey.public == PUBLIC
    raw = base64.b32decode(PUBLIC)[1:33]
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(nkey.sign("nonce")), b"nonce")


def test_seeds_are_new() -> None:
    """Each new seed is somebody else, and can be read back."""
    seeds = {new_seed() for _ in range(20)}
    assert len({Nkey(seed).public for seed in seeds}) == 20
    assert all(seed.startswith("SU") for seed in seeds)


@pytest.mark.parametrize(
    "text", [SEED, f"{SEED}\n", f"-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"]
)
def test_files_with_a_seed(tmp_path: Path, text: str) -> None:
    """A seed may stand alone in its file, or in the frame of a file of credentials."""
    file = tmp_path / "member.nkey"
    file.write_text(text)
    assert Nkey.read(str(file)).public == PUBLIC


@pytest.mark.parametrize("text", ["", PUBLIC, SEED[:-1], SEED[:-1] + "Z", "SU" + "A" * 56, "\N{SNOWMAN}"])
def test_files_without_a_seed(tmp_path: Path, text: str) -> None:
    """A public key, and a seed with a wrong character, are no seed; the file is named, not its content."""
    file = tmp_path / "member.nkey"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        Nkey.read(str(file))
    expected = f"configuration: [credentials] nkey: {file} cannot be used: expected the seed of a user's nkey, SU…."
    assert str(raised.value) == expected


def test_a_missing_file(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(ConfigError, match=r"\[credentials\] nkey: .*/none cannot be read: No such file or directory"):
        Nkey.read(str(tmp_path / "none"))


def test_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the way out is told."""
    file = tmp_path / "member.nkey"
    file.write_text(SEED)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(ConfigError, match=r"\[credentials\] nkey: .* pip install 'midflight\[nkey\]'"):
        Nkey.read(str(file))
