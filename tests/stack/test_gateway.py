"""What the gateway makes of requests that lie about themselves: addresses, names, paths and sizes."""

import socket

from stack import Stack
from waiting import eventually

VERSIONS = "/_matrix/client/versions"


def logged(running: Stack, mark: str) -> str:
    """The gateway's log line of the request with that mark in its path."""

    def line() -> str | None:
        return next((line for line in running.compose.logs("gateway").splitlines() if mark in line), None)

    return eventually(f"a line of the gateway's log with {mark}", line)


def raw(running: Stack, request: bytes) -> bytes:
    """Sends bytes as they are and gives the status line of the answer."""
    with socket.create_connection(("127.0.0.1", running.ports.gateway), timeout=30) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline()


def test_only_the_address_that_the_proxy_in_front_saw_counts(running: Stack) -> None:
    # What a proxy on the target sends on for somebody of a private network who names another address.
    path = "/_matrix/client/nowhere-forged"
    running.gateway.request("GET", path, headers={"X-Forwarded-For": "198.51.100.7, 10.20.30.40"})
    line = logged(running, path)
    assert "10.20.30.40 [" in line and "198.51.100.7" not in line


def test_the_header_cannot_contradict_the_request_line(running: Stack) -> None:
    host = running.gateway.host.encode()
    other = raw(running, b"GET http://evil.example" + VERSIONS.encode() + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert b" 404 " in other, other
    twice = raw(running, b"GET " + VERSIONS.encode() + b" HTTP/1.1\r\nHost: " + host + b"\r\nHost: evil.example\r\n\r\n")
    assert b" 400 " in twice, twice
    none = raw(running, b"GET " + VERSIONS.encode() + b" HTTP/1.0\r\n\r\n")
    assert b" 404 " in none, none


def test_a_request_has_one_length(running: Stack) -> None:
    host = running.gateway.host.encode()
    head = b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = raw(running, head + b"0\r\n\r\nGET /_synapse/admin/v1/server_version HTTP/1.1\r\n\r\n")
    assert b" 400 " in answer, answer


def test_paths_are_judged_as_they_were_sent(running: Stack) -> None:
    admin = "_synapse/admin/v1/server_version"
    for path in (
        f"/{admin}",
        f"//{admin}",
        f"/_synapse/client/../{admin[9:]}",
        f"/_synapse/client/%2e%2e/{admin[9:]}",
        f"/_synapse/client/..%2f{admin[9:]}",
        f"/_matrix/client/v3/%2e%2e/../../../{admin}",
        f"/_matrix/..#/../{admin}",
        f"/_matrix/client\\..\\..\\{admin}",
        f"/%5fsynapse/admin/v1/server_version",
        "/_synapse/replication/x",
        "/_synapse/metrics",
        "/.well-known/matrix/../../_synapse/metrics",
    ):
        assert running.gateway.request("GET", path).status in (400, 404), path


def test_large_bodies_are_for_uploads_only(running: Stack) -> None:
    # Fourteen megabytes announced, nothing sent: the gateway answers without waiting for them.
    host = running.gateway.host.encode()
    announced = b" HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 14000000\r\n\r\n"
    answer = raw(running, b"PUT /_matrix/client/v3/profile/@a:b/displayname" + announced)
    assert b" 413 " in answer, answer
