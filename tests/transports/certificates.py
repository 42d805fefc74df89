"""Certificates and nkeys that the tests make for themselves."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from midflight.config import Credentials
from midflight.transports.nkey import Nkey, new_seed

DAY = dt.timedelta(days=1)


class Authority:
    """Who vouches for a broker and its members; its files lie in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = str(directory / "ca.pem")
        authority = self._certificate("authority", self._key, x509.BasicConstraints(ca=True, path_length=None))
        Path(self.ca).write_bytes(authority.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, expired: bool = False) -> Credentials:
        """A certificate for somebody at 127.0.0.1, with its key, and whom to trust."""
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        private = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        made = self._certificate(name, private, address, days=-1 if expired else 30)
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Credentials(ca=self.ca, certificate=str(certificate), key=str(key))

    def nkey(self, name: str) -> str:
        """A file with the seed of a new user in it."""
        file = self.directory / f"{name}.nkey"
        file.write_text(f"{new_seed()}\n")
        return str(file)

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType, days: int = 30
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))  # else Erlang refuses it
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def secured(server: Credentials, *nkeys: str) -> str:
    """What a server's configuration says so that it takes only members with a certificate, and these nkeys."""
    users = ", ".join(f"{{ nkey: {Nkey.read(file).public} }}" for file in nkeys)
    files = f'cert_file: "{server.certificate}", key_file: "{server.key}", ca_file: "{server.ca}"'
    tls = f"tls {{ {files}, verify: true, timeout: 5 }}\n"
    return tls + (f"authorization {{ users = [ {users} ] }}\n" if users else "")
