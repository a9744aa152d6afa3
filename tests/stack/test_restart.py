"""`down` and `up` lose nothing: the same device goes on with the same token, and messages, media and calls are there. The
second start is made by Compose v2, as after an upgrade of the host."""

import description
from conftest import Conversation, Upload
from matrix import Session
from stack import Stack
from waiting import eventually


def test_down_stops_cleanly(running: Stack, conversation: Conversation, upload: Upload) -> None:
    running.compose.run("stop", "--timeout", "20", seconds=120)
    codes = {container.service: container.details["State"]["ExitCode"] for container in running.compose.containers()}
    # 137: the service did not heed SIGTERM and was killed.
    assert 137 not in codes.values(), codes
    running.compose.down()
    assert running.compose.containers() == []


def test_up_with_compose_v2(running: Stack) -> None:
    running.timings["up again with Compose v2"] = running.compose_v2.up(description.SERVICES)


def test_token_still_works(alice: Session, bob: Session) -> None:
    for session in (alice, bob):
        assert eventually(f"whoami of {session.user_id}", session.whoami) == session.user_id


def test_message_is_still_there(bob: Session, conversation: Conversation) -> None:
    assert bob.event(conversation.room, conversation.event_id)["content"] == conversation.content


def test_media_is_still_there(bob: Session, upload: Upload) -> None:
    assert bob.download(upload.uri).body == upload.content


def test_login_and_new_message_work(running: Stack, bob: Session, conversation: Conversation) -> None:
    alice = running.gateway.login("alice", running.directory.people["alice"].password)
    event_id = alice.send(conversation.room, "m.room.message", {"msgtype": "m.text", "body": "back again"})
    assert bob.wait_for_event(conversation.room, event_id)["content"]["body"] == "back again"
