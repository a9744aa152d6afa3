"""A private certificate authority, as organisations have one, and server certificates from it. Takes a directory, leaves PEM files
there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from commands import program, run

# Python 3.13 refuses an authority without keyUsage keyCertSign.
AUTHORITY = """
[req]
distinguished_name = name
x509_extensions = authority
prompt = no
[name]
CN = Campus test certificate authority
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
SERVER = """
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:{name}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
# What every Debian and every image of ours trusts.
WORLD = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """An authority in a directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.certificate = home / "ca.pem"
        home.mkdir(parents=True)
        (home / "ca.cnf").write_text(AUTHORITY)
        out = ["-keyout", home / "ca.key", "-out", self.certificate]
        run([*self._new_key(), "-x509", "-days", "7", "-config", home / "ca.cnf", *out])

    def issue(self, name: str) -> Certificate:
        """A certificate for a host name."""
        home, certificate = self.home, Certificate(self.home / f"{name}.pem", self.home / f"{name}.key")
        (home / f"{name}.cnf").write_text(SERVER.format(name=name))
        request = ["-subj", f"/CN={name}", "-config", home / "ca.cnf"]
        run([*self._new_key(), *request, "-keyout", certificate.key, "-out", home / f"{name}.csr"])
        sign = [program("openssl", "openssl"), "x509", "-req", "-days", "7", "-in", home / f"{name}.csr"]
        by = ["-CA", self.certificate, "-CAkey", home / "ca.key", "-CAcreateserial", "-extfile", home / f"{name}.cnf"]
        run([*sign, *by, "-out", certificate.certificate])
        return certificate

    def bundle(self) -> Path:
        """A file with this authority and those that the world trusts."""
        path = self.home / "bundle.pem"
        path.write_bytes(WORLD.read_bytes() + self.certificate.read_bytes())
        return path

    def _new_key(self) -> list[object]:
        return [program("openssl", "openssl"), "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
