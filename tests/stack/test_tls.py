"""TLS at the gateway, with a certificate that the administrator brings: the gateway and the well-known documents alone, as
nothing else has to run for it."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import compose
import engine
import ports
from commands import run
from compose import Compose
from handbook import block, do_with, leaving_nothing_open
from stack import Stack
from waiting import eventually

NAME = "secure.test"
MATRIX = f"matrix.{NAME}"


@dataclass(frozen=True)
class Gateway:
    """Where the gateway listens, and whom its certificate is trusted through."""

    http: int
    https: int
    authority: Path
    project: Compose

    def get(self, host: str, path: str) -> http.client.HTTPResponse:
        """A request over TLS, the certificate checked for that very host."""
        context = ssl.create_default_context(cafile=str(self.authority))
        raw = socket.create_connection(("127.0.0.1", self.https), timeout=10)
        connection = http.client.HTTPConnection(host)
        connection.sock = context.wrap_socket(raw, server_hostname=host)
        connection.request("GET", path)
        return connection.getresponse()


def certify(key: Path, certificate: Path) -> None:
    """A key and a certificate for both names that nobody else vouches for."""
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},DNS:{MATRIX}",
         "-keyout", key, "-out", certificate])


@pytest.fixture(scope="module")
def gateway(stack: Stack) -> Iterator[Gateway]:
    """Built, its secrets made and brought, its two services up."""
    home = stack.home / "tls"
    home.mkdir()
    chosen = ports.choose()
    listening = {"tls": "files", "http_port": chosen.gateway, "https_port": chosen.turn, "bind_address": "127.0.0.1"}
    site = {"server": {"server_name": NAME, "public_baseurl": f"https://{MATRIX}:{chosen.turn}"}, "gateway": listening}
    (home / "site.json").write_text(json.dumps(site))
    certify(home / "key.pem", home / "certificate.pem")
    target = home / "out"
    run([stack.tool, "build", home / "site.json", "--out", target], seconds=600)
    said = run([stack.tool, "secrets", "init", target], expect=(4,)).stdout
    assert "tls_certificate" in said and "tls_certificate_key" in said
    (target / "secrets" / "tls_certificate").write_bytes((home / "certificate.pem").read_bytes())
    (target / "secrets" / "tls_certificate_key").write_bytes((home / "key.pem").read_bytes())
    run([stack.tool, "secrets", "init", target])
    before = engine.image_names()
    stack.loaded |= set(engine.load(str(target / "images.tar"))) - before
    project = Compose(compose.classic(), target, f"{stack.project}tls")
    try:
        project.run("up", "-d", "--no-deps", "gateway", "well-known")
        project.wait_healthy(("gateway", "well-known"))
        yield Gateway(chosen.gateway, chosen.turn, home / "certificate.pem", project)
    finally:
        project.remove()


def test_documents_come_over_tls(gateway: Gateway) -> None:
    answer = gateway.get(NAME, "/.well-known/matrix/server")
    assert answer.status == 200
    assert json.loads(answer.read()) == {"m.server": f"{MATRIX}:{gateway.https}"}


def test_what_is_not_there_is_said_over_tls(gateway: Gateway) -> None:
    answer = gateway.get(MATRIX, "/_synapse/admin/v1/server_version")
    assert answer.status == 404


def test_plain_requests_are_sent_to_tls(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.http, timeout=10)
    connection.request("GET", "/_matrix/client/versions?a=b", headers={"Host": MATRIX})
    answer = connection.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://{MATRIX}:{gateway.https}/_matrix/client/versions?a=b"


def test_other_names_get_no_certificate(gateway: Gateway) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", gateway.https), timeout=10) as raw:
        context.wrap_socket(raw, server_hostname="other.test")


def test_a_new_certificate_is_taken_by_the_commands_of_the_page(stack: Stack, gateway: Gateway) -> None:
    target = gateway.project.directory
    certify(target / "privkey.pem", target / "fullchain.pem")
    (target / "privkey.pem").chmod(0o600)
    key = (target / "privkey.pem").read_text().splitlines()[1]
    with leaving_nothing_open(target, key):
        do_with(gateway.project, stack.tool, block("running.md", "fullchain.pem"))
    renewed = replace(gateway, authority=target / "fullchain.pem")
    answer = eventually("the new certificate", lambda: renewed.get(NAME, "/.well-known/matrix/server"), trouble=(OSError,))
    assert answer.status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        gateway.get(NAME, "/.well-known/matrix/server")
