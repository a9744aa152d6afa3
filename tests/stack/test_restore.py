"""Backup and restore by the commands of docs/running.md, as they stand there: after everything but `secrets/` is gone, the same device goes
on with the same token, and messages and media are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import description
from commands import run
from conftest import Conversation, Upload
from matrix import Session
from stack import Stack
from waiting import eventually

PAGE = Path(__file__).resolve().parents[2] / "docs" / "running.md"
# A one-time key as a client uploads it; nothing ever decrypts with this one.
KEY = {"one_time_keys": {"curve25519:AAAAAQ": "jx2Nq7yGK1Ty1mpfVaIFQe3yDYD9pMlw1ZCLoyIEBzE"}}


def commands(heading: str) -> str:
    """The commands below a heading of the page."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert found, heading
    return "\n".join(found)


def do(stack: Stack, script: str) -> None:
    """Runs commands in the target's directory, where `docker compose` is the test's own project."""
    compose = stack.compose_v2
    files = [word for path in ("compose.yaml", *compose.overrides) for word in ("-f", str(path))]
    words = shlex.join([*compose.command, "-p", compose.project, *files])
    function = f'docker() {{ if [ "$1" = compose ]; then shift; {words} "$@"; else command docker "$@"; fi; }}'
    run(["bash", "-euo", "pipefail", "-c", f"{function}\n{script}"], cwd=stack.target, seconds=240)


def counted(session: Session) -> int:
    """How many one-time keys of this device the server has left."""
    return int(session.call("POST", "/v3/keys/upload", {})["one_time_key_counts"].get("curve25519", 0))


@pytest.fixture(scope="module")
def restored(running: Stack, conversation: Conversation, upload: Upload, alice: Session) -> Stack:
    """The site from its backup."""
    alice.call("POST", "/v3/keys/upload", KEY)
    assert counted(alice) == 1
    do(running, commands("Backup"))
    running.compose_v2.run("down", "--volumes", "--timeout", "30", seconds=180)
    page = commands("Restore, or move to another host")
    waiting = "docker compose ps postgres"
    assert page.count(waiting) == 1
    before, after = page.split(waiting)
    # The images are loaded, and the waiting is what a person does.
    do(running, before.replace("docker load -i images.tar\n", ""))
    running.compose_v2.wait_healthy(["postgres"])
    do(running, after.partition("\n")[2])
    running.compose_v2.wait_healthy(description.SERVICES)
    return running


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
