"""What the gateway says while Synapse is away, and what the logs say when something fails: nothing that people wrote."""

import json
import subprocess
import uuid
from collections.abc import Iterator

import pytest

import description
import engine
from conftest import Conversation
from matrix import MatrixError, Session, quote
from stack import Stack
from waiting import eventually

VERSIONS = "/_matrix/client/versions"
ALL_OF_SYNAPSE = description.SYNAPSE_SERVICES


@pytest.fixture
def away(running: Stack) -> Iterator[dict[str, object]]:
    """Synapse is away, all of it, for one test; what it said about its versions before."""
    said = running.gateway.request("GET", VERSIONS).json()
    running.compose.run("stop", *ALL_OF_SYNAPSE)
    try:
        yield said
    finally:
        running.compose.run("start", *ALL_OF_SYNAPSE)
        running.compose.wait_healthy(description.SERVICES)


def test_clients_are_told_to_come_back(running: Stack, alice: Session, away: dict[str, object]) -> None:
    gateway = running.gateway
    kept = gateway.request("GET", VERSIONS)
    assert (kept.status, kept.json()) == (200, away)
    # Who is logged in may be told more; only Synapse knows.
    own = gateway.request("GET", VERSIONS, headers={"Authorization": f"Bearer {alice.token}"})
    typed = f"needle{uuid.uuid4().hex}"
    asked = [own] + [
        gateway.request(method, path, body=body)
        for method, path, body in (
            ("GET", f"/_matrix/client/v3/sync?access_token={typed}", None),
            ("GET", f"/_matrix/client/v3/publicRooms?since={typed}", None),
            ("POST", "/_matrix/client/v3/login", b"{}"),
            ("POST", "/_matrix/media/v3/upload", b"0"),
            ("GET", "/_matrix/federation/v1/version", None),
        )
    ]
    for answer in asked:
        assert answer.status == 503, answer
        assert answer.json()["errcode"] == "M_UNKNOWN" and int(str(answer.headers["Retry-After"])) > 0, answer
        assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"], str(answer.headers)
    # A browser asks before it asks.
    before = gateway.request("OPTIONS", "/_matrix/client/v3/sync", headers={"Origin": "https://app.stack.test"})
    assert before.status == 204 and "Authorization" in str(before.headers["Access-Control-Allow-Headers"]), before
    for name in ("server", "client"):
        assert running.well_known.request("GET", f"/.well-known/matrix/{name}").status == 200
    assert typed not in running.compose.logs("gateway")


def psql(running: Stack, statement: str) -> None:
    """Runs a statement in Synapse's database, as somebody who may do everything."""
    container = running.compose.container("postgres").id
    words = ["docker", "exec", container, "psql", "-U", "postgres", "-d", "synapse", "-v", "ON_ERROR_STOP=1", "-c", statement]
    subprocess.run(words, check=True, capture_output=True, timeout=60)


def test_what_people_write_is_in_no_log_when_the_database_fails(running: Stack, alice: Session, conversation: Conversation) -> None:
    words = f"needle{uuid.uuid4().hex}"

    def say() -> None:
        content = {"msgtype": "m.text", "body": words}
        path = f"/_matrix/client/v3/rooms/{quote(conversation.room)}/send/m.room.message/{uuid.uuid4().hex}"
        headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": "application/json"}
        answer = running.gateway.request("PUT", path, body=json.dumps(content).encode(), headers=headers)
        assert answer.status == 500, answer

    for table, column in (("event_json", "json"), ("events", "type")):
        psql(running, f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK ({column} IS NULL) NOT VALID")
        try:
            say()
        finally:
            psql(running, f"ALTER TABLE {table} DROP CONSTRAINT broken")
    postgres = running.compose.logs("postgres")
    assert 'violates check constraint "broken"' in postgres
    assert "INSERT INTO" not in postgres and "Failing row" not in postgres
    logs = {container.service: engine.logs(container.id) for container in running.compose.containers()}
    assert [service for service, text in logs.items() if words in text] == []
    eventually("a message that is taken", lambda: alice.send(conversation.room, "m.room.message", {"msgtype": "m.text", "body": "fine"}), trouble=(MatrixError,))


def test_the_database_was_configured_as_it_is_written(running: Stack) -> None:
    container = running.compose.container("postgres").id
    query = "SELECT name, setting, error FROM pg_file_settings WHERE error IS NOT NULL OR NOT applied"
    words = ["docker", "exec", container, "psql", "-U", "postgres", "-tAc", query]
    assert subprocess.run(words, check=True, capture_output=True, timeout=60, text=True).stdout == ""
