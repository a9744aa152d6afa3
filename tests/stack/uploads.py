"""Uploads of exact sizes in the ways that HTTP/1.1 has for a body, over a plain socket: client libraries hide what a server does that
answers before the body is there. Takes a server, gives the whole answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass

from matrix import Response, Server, Session

PIECE = b"\0" * 65536


@dataclass(frozen=True)
class Way:
    """How a body is sent."""

    chunked: bool = False
    expect: bool = False


WAYS = {"plain": Way(), "expect": Way(expect=True), "chunked": Way(chunked=True)}


def upload(session: Session, size: int, way: Way) -> Response:
    """Uploads so many zeros, and reads the answer whenever it comes."""
    server: Server = session.server
    length = "Transfer-Encoding: chunked" if way.chunked else f"Content-Length: {size}"
    head = [
        "POST /_matrix/media/v3/upload?filename=zeros HTTP/1.1",
        f"Host: {server.host}",
        f"Authorization: Bearer {session.token}",
        "Content-Type: application/octet-stream",
        "Origin: https://app.stack.test",
        length,
        *(["Expect: 100-continue"] if way.expect else []),
    ]
    with socket.create_connection((server.address, server.port), timeout=60) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        if way.expect:
            first = connection.recv(65536, socket.MSG_PEEK)
            if b" 100 " not in first.split(b"\r\n")[0]:
                return answer(connection)
            connection.recv(first.index(b"\r\n\r\n") + 4)
        # A server that refuses the body may answer and close before it has come.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(connection, size, way.chunked)
        return answer(connection)


def send(connection: socket.socket, size: int, chunked: bool) -> None:
    """The body."""
    left = size
    while left:
        piece = PIECE[: min(left, len(PIECE))]
        left -= len(piece)
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        connection.sendall(b"0\r\n\r\n")


def answer(connection: socket.socket) -> Response:
    """What came back."""
    found = http.client.HTTPResponse(connection)
    found.begin()
    return Response(found.status, found.headers, found.read())


def assert_too_large(response: Response, what: str) -> None:
    """The answer that clients understand, in a form that a browser shows them."""
    assert response.status == 413, f"{what}: {response}"
    assert json.loads(response.body)["errcode"] == "M_TOO_LARGE", f"{what}: {response}"
    assert response.headers.get_all("Access-Control-Allow-Origin") == ["*"], f"{what}: {response.headers}"
