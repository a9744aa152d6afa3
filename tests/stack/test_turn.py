"""Calls: the credentials that Synapse hands out open the bundled TURN server, which relays to where it may and nowhere
else."""

import base64
import binascii
import hashlib
import hmac
import ssl
import socket
import time
from pathlib import Path

import pytest

import description
import turn
from matrix import Session
from stack import Stack

# A private address that the site does not allow as a peer.
FORBIDDEN_PEER = "10.255.255.254"


@pytest.fixture(scope="module")
def credentials(alice: Session) -> dict[str, object]:
    return alice.call("GET", "/v3/voip/turnServer")


def attempt(stack: Stack, credentials: dict[str, object], peer: str, *, tcp: bool = False, ca: Path | None = None) -> turn.Attempt:
    username, password = str(credentials["username"]), str(credentials["password"])
    port = stack.ports.turn_tls if ca else stack.ports.turn
    return turn.attempt("127.0.0.1", port, username, password, peer, stack.ports.peer, tcp=tcp, ca=ca)


def test_credentials_name_the_server(running: Stack, credentials: dict[str, object]) -> None:
    host = f"{description.TURN_HOST}:{running.ports.turn}"
    secure = f"{description.TURN_HOST}:{running.ports.turn_tls}"
    assert credentials["uris"] == [f"turn:{host}?transport=udp", f"turn:{host}?transport=tcp", f"turns:{secure}?transport=tcp"]
    expires, _, user = str(credentials["username"]).partition(":")
    assert expires.isdigit() and user == "@alice:stack.test"
    assert len(base64.b64decode(str(credentials["password"]), validate=True)) == 20  # HMAC-SHA1


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_data_is_relayed(running: Stack, credentials: dict[str, object], tcp: bool) -> None:
    with turn.echo(running.directory.address, running.ports.peer):
        result = attempt(running, credentials, running.directory.address, tcp=tcp)
    assert result.allocated and result.relayed, f"{result.output}\n{running.compose.logs('coturn', 30)}"


def test_data_is_relayed_over_tls(running: Stack, credentials: dict[str, object]) -> None:
    # The client below does not look whose certificate it gets, so that is seen to first.
    context = ssl.create_default_context(cafile=str(running.directory.ca))
    with socket.create_connection(("127.0.0.1", running.ports.turn_tls), timeout=10) as connection:
        with context.wrap_socket(connection, server_hostname=description.TURN_HOST) as secure:
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
    with turn.echo(running.directory.address, running.ports.peer):
        result = attempt(running, credentials, running.directory.address, ca=running.directory.ca)
    assert result.allocated and result.relayed, f"{result.output}\n{running.compose.logs('coturn', 30)}"


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
def test_livekit_can_share_the_relay(running: Stack, way: str) -> None:
    # As LiveKit makes credentials for somebody in a call (pkg/service/roommanager.go): no user of Synapse, but the same secret.
    username = f"{int(time.time()) + 14400}:PA_bKp3vUzq7RtN"
    secret = (running.secrets / description.TURN_SECRET).read_bytes().strip()
    credentials = {"username": username, "password": base64.b64encode(hmac.digest(secret, username.encode(), hashlib.sha1)).decode()}
    with turn.echo(running.directory.address, running.ports.peer):
        ca = running.directory.ca if way == "tls" else None
        result = attempt(running, credentials, running.directory.address, tcp=way == "tcp", ca=ca)
    assert result.allocated and result.relayed, f"{result.output}\n{running.compose.logs('coturn', 30)}"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(running: Stack, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(running.directory.ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", running.ports.turn_tls), timeout=10) as connection:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_hostname=description.TURN_HOST)


def test_relay_ports_are_those_of_the_site(running: Stack, credentials: dict[str, object]) -> None:
    result = attempt(running, credentials, FORBIDDEN_PEER)
    ports = result.relay_ports
    assert ports, result.output
    assert all(running.ports.relay_first <= port <= running.ports.relay_last for port in ports), ports


def test_wrong_credentials_are_refused(running: Stack, credentials: dict[str, object]) -> None:
    wrong = {**credentials, "password": base64.b64encode(binascii.unhexlify("00" * 20)).decode()}
    result = attempt(running, wrong, running.directory.address)
    assert result.refused, result.output


def test_services_that_speak_tcp_are_out_of_reach(running: Stack, credentials: dict[str, object]) -> None:
    # Media behind the relay are UDP, whatever they are before it; whoever has an account could otherwise use it as a proxy.
    username, password = str(credentials["username"]), str(credentials["password"])
    result = turn.attempt("127.0.0.1", running.ports.turn, username, password, running.directory.address, running.ports.peer, peer_by_tcp=True)
    assert not result.allocated and "error 442 (" in result.output, result.output


def test_private_networks_are_out_of_reach(running: Stack, bob: Session) -> None:
    # Another person than before: what is refused is asked for again and again, and everybody has a quota.
    credentials = bob.call("GET", "/v3/voip/turnServer")
    neighbour = next(iter(running.compose.container("postgres").networks.values()))
    for peer in (FORBIDDEN_PEER, neighbour):
        result = attempt(running, credentials, peer)
        assert result.forbidden, f"{peer}: {result.output}"
