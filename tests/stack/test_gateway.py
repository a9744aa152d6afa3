"""What the gateway makes of requests that lie about themselves: addresses, names, paths and sizes."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import description
from commands import run
from matrix import Response, Session
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


def waiting(container: str) -> int:
    """Requests of the gateway that have arrived at Synapse's listener in a container, and that nobody has read yet."""
    rows = run(["docker", "exec", container, description.PYTHON, "-c", "print(open('/proc/net/tcp').read())"]).stdout.splitlines()[1:]
    count = 0
    # proc(5): a number, the local address and port, the remote ones, the state (01: established), bytes to send and to read.
    for _, local, _, state, queues, *_ in (row.split() for row in rows if row):
        address, _, port = local.partition(":")
        unread = int(queues.partition(":")[2], 16)
        # Health checks come to 127.0.0.1.
        count += state == "01" and address != "0100007F" and int(port, 16) == description.SYNAPSE_PORT and unread > 0
    return count


def test_what_a_dying_worker_may_have_done_is_not_done_again(running: Stack, alice: Session) -> None:
    def ask(method: str, path: str, content: object = None) -> Response:
        headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": "application/json"}
        body = None if content is None else json.dumps(content).encode()
        return running.gateway.request(method, f"/_matrix/client/v3/{path}", body=body, headers=headers)

    def rooms() -> set[str]:
        return set(alice.call("GET", "/v3/joined_rooms")["joined_rooms"])

    profile = f"profile/{alice.user_id}/displayname"
    name = alice.call("GET", f"/v3/{profile}")["displayname"]
    before = rooms()
    worker = running.compose.container(description.WORKERS[0]).id
    try:
        with ThreadPoolExecutor() as pool:
            run(["docker", "kill", "--signal", "STOP", worker])
            read = pool.submit(ask, "GET", "joined_rooms")
            written = pool.submit(ask, "PUT", profile, {"displayname": name})
            made = pool.submit(ask, "POST", "createRoom", {"name": "once or not at all"})
            eventually("three requests at the worker", lambda: waiting(worker) == 3)
            run(["docker", "kill", worker])
        # Asking or saying the same twice is the same as once: the main process answers.
        assert (read.result().status, written.result().status) == (200, 200)
        # A second room is not: the client is told that nobody knows.
        answer = made.result()
        assert answer.status == 502, answer
        assert (answer.json()["errcode"], answer.headers["Access-Control-Allow-Origin"]) == ("M_UNKNOWN", "*")
        assert rooms() == before
        # What has reached no worker is done, whatever it is.
        later = ask("POST", "createRoom", {"name": "by the main process"})
        assert later.status == 200, later
        assert rooms() == before | {later.json()["room_id"]}
    finally:
        run(["docker", "kill", worker], expect=None)
        running.compose.run("start", description.WORKERS[0])
        running.compose.wait_healthy(description.SERVICES)
