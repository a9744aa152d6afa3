"""What can never change is refused before Synapse touches the data, and so is a start without secrets: the container ends
with an error code and says in words what is wrong and what to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import description
import engine
from commands import run
from conftest import Conversation
from matrix import Session
from stack import Stack


@pytest.fixture(scope="module")
def stopped(running: Stack, conversation: Conversation) -> Iterator[Stack]:
    """The site with its Synapse processes stopped and its data stores running; started again at the end."""
    running.compose_v2.run("stop", *description.SYNAPSE_SERVICES, seconds=120)
    yield running


def start(stack: Stack, *, by_synapse: bool = False) -> str:
    """Tries to start the main process in the foreground; what it said when it refused. Synapse itself shows a traceback."""
    name = f"{stack.project}-refused"
    try:
        done = stack.compose_v2.run("run", "--rm", "-T", "--no-deps", "--name", name, "synapse", seconds=60, expect=None)
    finally:
        # A process that did not refuse runs on.
        run(["docker", "rm", "-f", name], expect=None)
    said = done.stdout + done.stderr
    stack.said[f"refusal {len(stack.said)}"] = said
    assert done.returncode not in (0, 137), f"it did not refuse:\n{said}"
    assert ("Traceback" in said) == by_synapse and "panicked" not in said, said
    return said


@pytest.fixture
def other_key(stopped: Stack, tmp_path: Path) -> Iterator[Path]:
    """The site with the signing key of another one in its secrets."""
    (tmp_path / "site.json").write_bytes((stopped.target / "site.json").read_bytes())
    stopped.make_secrets(tmp_path)
    others = tmp_path / description.SECRETS_DIR
    key = next(path for path in sorted(others.iterdir()) if path.read_bytes().startswith(b"ed25519 "))
    mine = stopped.secrets / key.name
    kept = mine.read_bytes()
    replace(mine, key.read_bytes())
    yield mine
    replace(mine, kept)


def replace(path: Path, content: bytes) -> None:
    """Puts another file in the place of a read-only one."""
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o444)


def test_another_signing_key_is_refused(other_key: Path, stopped: Stack) -> None:
    said = start(stopped).lower()
    assert "signing key" in said or other_key.name in said, said
    assert "old_signing_keys" in said, f"it does not say how to rotate a key: {said}"


def test_another_server_name_is_refused(stopped: Stack) -> None:
    mine = stopped.current
    stopped.deploy(stopped.build(stopped.describe("renamed", server_name="renamed.test"), "renamed"))
    try:
        said = start(stopped)
    finally:
        stopped.carry(mine)
    assert "renamed.test" in said and description.SERVER_NAME in said, said


def test_empty_secret_is_refused(stopped: Stack) -> None:
    path = stopped.secrets / description.LDAP_BIND_SECRET
    kept = path.read_bytes()
    replace(path, b"\n")
    try:
        said = start(stopped)
    finally:
        replace(path, kept)
    assert description.LDAP_BIND_SECRET in said, said


@pytest.fixture
def later_database(stopped: Stack) -> Iterator[None]:
    """The database as a much later Synapse would leave it."""
    ask = ["exec", "-T", "postgres", "psql", "-U", "postgres", "-d", "synapse", "-Atc"]
    column = "schema_compat_version SET compat_version"
    kept = int(stopped.compose_v2.run(*ask, "SELECT compat_version FROM schema_compat_version").stdout)
    stopped.compose_v2.run(*ask, f"UPDATE {column} = {kept + 1000}")
    yield
    stopped.compose_v2.run(*ask, f"UPDATE {column} = {kept}")


def test_a_database_of_a_later_synapse_is_refused(later_database: None, stopped: Stack) -> None:
    said = start(stopped, by_synapse=True)
    assert "too new for the server to understand" in said, said


@pytest.mark.parametrize("service", ["synapse", "postgres", "redis", "coturn"])
def test_missing_secrets_are_all_named(stopped: Stack, service: str) -> None:
    container = stopped.compose.container(service)
    expected = container.secrets
    assert expected, f"{service} has no secrets"
    confined = ["--read-only", "--cap-drop", "ALL", "--network", "none", "--tmpfs", "/tmp"]
    command = container.details["Config"]["Cmd"] or []
    done = run(["docker", "run", "--rm", *confined, container.image, *command], seconds=60, expect=None)
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 125, 126, 127, 137), said
    assert {name for name in expected if name not in said} == set(), said
    assert "secrets init" in said, f"it does not say what to do: {said}"


@pytest.mark.parametrize("service", ["synapse", "postgres", "redis", "coturn", "gateway", "well-known"])
def test_missing_directories_are_named_by_launch(stopped: Stack, service: str) -> None:
    container = stopped.compose.container(service)
    confined = ["--read-only", "--cap-drop", "ALL", "--network", "none"]
    command = container.details["Config"]["Cmd"] or []
    done = run(["docker", "run", "--rm", *confined, container.image, *command], seconds=60, expect=None)
    said = done.stdout + done.stderr
    assert done.returncode == 3 and said.startswith("launch: error: "), said
    named = {path for path in container.details["HostConfig"]["Tmpfs"] if f"cannot write to the directory {path} " in said}
    assert named and "mount the directories as the generated compose file does" in said, said
    # Redis and PostgreSQL write nothing there.
    assert "/tmp" in named or service in ("redis", "postgres"), said


def test_refusals_did_no_harm(stopped: Stack, bob: Session, conversation: Conversation) -> None:
    stopped.timings["up after the refusals"] = stopped.compose_v2.up(description.SERVICES)
    assert bob.whoami() == "@bob:stack.test"
    assert bob.event(conversation.room, conversation.event_id)["content"] == conversation.content


def test_logs_of_the_refusals_hold_no_secret(stopped: Stack) -> None:
    needles = stopped.secret_needles()
    for container in engine.containers(stopped.project):
        log = engine.logs(container.id).encode()
        assert [name for name, needle in needles.items() if needle in log] == [], container.service
    assert [name for name, needle in needles.items() for text in stopped.said.values() if needle in text.encode()] == []
