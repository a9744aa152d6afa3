"""Backup and restore by the commands of docs/running.md, as they stand there: after everything but `secrets/` is gone, the same device goes
on with the same token, and messages and media are there."""

from __future__ import annotations

import pytest

import description
from commands import CommandFailed
from conftest import Conversation, Upload
from handbook import commands, do, mode
from matrix import Session
from stack import Stack
from waiting import eventually

PAGE = "running.md"
# A one-time key as a client uploads it; nothing ever decrypts with this one.
KEY = {"one_time_keys": {"curve25519:AAAAAQ": "jx2Nq7yGK1Ty1mpfVaIFQe3yDYD9pMlw1ZCLoyIEBzE"}}


def counted(session: Session) -> int:
    """How many one-time keys of this device the server has left."""
    return int(session.call("POST", "/v3/keys/upload", {})["one_time_key_counts"].get("curve25519", 0))


def accounts(stack: Stack) -> str:
    """Every account in the database, a line each."""
    return do(stack, "docker compose exec -T postgres psql -U postgres -d synapse -Atc 'SELECT name FROM users ORDER BY name'")


@pytest.fixture(scope="module")
def page(running: Stack, conversation: Conversation, upload: Upload, alice: Session) -> str:
    """The commands that restore, after a backup was made and all but `secrets/` and the backup is gone."""
    alice.call("POST", "/v3/keys/upload", KEY)
    assert counted(alice) == 1
    do(running, commands(PAGE, "Backup"))
    for name in ("synapse.dump", "synapse-volume.tar", "secrets.tar"):
        assert mode(running.target / name) == 0o600, f"others may read {name}"
    running.compose_v2.run("down", "--volumes", "--timeout", "30", seconds=180)
    return commands(PAGE, "Restore, or move to another host")


@pytest.fixture(scope="module")
def after_a_mistake(running: Stack, page: str) -> tuple[str, str, str]:
    """Somebody starts the new site before restoring: its accounts before and after the attempt, and what the attempt said."""
    running.compose_v2.run("up", "-d", seconds=180)
    running.compose_v2.wait_healthy(description.SERVICES)
    before = accounts(running)
    (restore,) = (line for line in page.splitlines() if "pg_restore" in line)
    with pytest.raises(CommandFailed) as refused:
        do(running, restore)
    return before, accounts(running), str(refused.value)


@pytest.fixture(scope="module")
def restored(running: Stack, page: str, after_a_mistake: tuple[str, str, str]) -> Stack:
    """The site from its backup, begun anew."""
    restore, anew, nothing = page.partition("docker compose down --volumes")
    assert anew and not nothing
    do(running, anew)
    waiting = "docker compose ps postgres"
    assert restore.count(waiting) == 1
    before, after = restore.split(waiting)
    # The images are loaded, and the waiting is what a person does.
    do(running, before.replace("docker load -i images.tar\n", ""))
    running.compose_v2.wait_healthy(["postgres"])
    do(running, after.partition("\n")[2])
    running.compose_v2.wait_healthy(description.SERVICES)
    return running


def test_a_started_site_is_not_mixed_with_a_backup(after_a_mistake: tuple[str, str, str]) -> None:
    before, after, message = after_a_mistake
    assert "already exists" in message
    assert after == before


def test_tokens_and_messages_are_there(restored: Stack, bob: Session, conversation: Conversation) -> None:
    assert eventually("whoami of bob", bob.whoami) == bob.user_id
    assert bob.event(conversation.room, conversation.event_id)["content"] == conversation.content


def test_media_are_there(restored: Stack, bob: Session, upload: Upload) -> None:
    assert bob.download(upload.uri).body == upload.content


def test_one_time_keys_are_not_given_out_twice(restored: Stack, alice: Session) -> None:
    assert counted(alice) == 0


def test_the_site_goes_on(restored: Stack, bob: Session, conversation: Conversation) -> None:
    alice = restored.gateway.login("alice", restored.directory.people["alice"].password)
    event_id = alice.send(conversation.room, "m.room.message", {"msgtype": "m.text", "body": "restored"})
    assert bob.wait_for_event(conversation.room, event_id)["content"]["body"] == "restored"
