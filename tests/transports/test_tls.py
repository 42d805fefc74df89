from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from msgspec import structs

from midflight.config import Credentials
from midflight.errors import ConfigError
from midflight.transports.tls import tls_context
from tests.transports.certificates import Authority


@pytest.fixture
def member(tmp_path: Path) -> Credentials:
    """Credentials of which each file is good."""
    return Authority(tmp_path).issue("member")


def refused(credentials: Credentials) -> str:
    """What is said about credentials that cannot be used."""
    with pytest.raises(ConfigError) as raised:
        tls_context(credentials)
    return str(raised.value)


def test_good_files(member: Credentials) -> None:
    """The broker has to be one that our authority vouches for; a key may lie in the certificate's file."""
    assert [ca["subject"] for ca in tls_context(member).get_ca_certs()] == [((("commonName", "authority"),),)]
    assert member.certificate
    assert member.key
    both = Path(member.certificate).with_name("both.pem")
    both.write_text(Path(member.certificate).read_text() + Path(member.key).read_text())
    tls_context(structs.replace(member, certificate=str(both), key=None))


def test_missing_files_are_named(member: Credentials) -> None:
    """Each with its entry, its path and the reason."""
    missing = "cannot be read: No such file or directory."
    assert refused(structs.replace(member, ca="/none")) == f"configuration: [credentials] ca: /none {missing}"
    said = refused(structs.replace(member, certificate="/none"))
    assert said == f"configuration: [credentials] certificate: /none and {member.key} {missing}"
    assert refused(structs.replace(member, key="/none")).endswith(f"{member.certificate} and /none {missing}")


def test_wrong_files_are_named(member: Credentials, tmp_path: Path) -> None:
    """What is no certificate, or no key of it, is said not to be."""
    wrong = tmp_path / "wrong"
    wrong.write_text("hello")
    assert f"ca: {wrong} cannot be used: expected certificates in PEM" in refused(
        structs.replace(member, ca=str(wrong))
    )
    expected = "cannot be used: expected a certificate and its own key, in PEM and without a password"
    other = Authority(tmp_path / "other").issue("other")
    for credentials in (
        structs.replace(member, certificate=str(wrong)),
        structs.replace(member, key=str(wrong)),
        structs.replace(member, key=other.key),
        structs.replace(member, key=None),
    ):
        assert expected in refused(credentials)


def test_a_key_with_a_password_asks_nobody(member: Credentials, tmp_path: Path) -> None:
    """It is refused; nobody is asked for the password at a terminal."""
    assert member.key
    key = serialization.load_pem_private_key(Path(member.key).read_bytes(), None)
    locked = tmp_path / "locked.key"
    encryption = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    assert "without a password" in refused(structs.replace(member, key=str(locked)))


def test_a_key_without_its_certificate(member: Credentials) -> None:
    """It proves nothing alone."""
    said = refused(structs.replace(member, certificate=None))
    assert said == f"configuration: [credentials] key: {member.key} belongs to a certificate: name that too."
