"""Two people talk: rooms without and with encryption, an invitation, a message there and back, through the gateway and
the worker behind it."""

import re

import description
from conftest import Conversation
from matrix import MatrixError, Session
from stack import Stack
from waiting import eventually


def test_message_arrives(bob: Session, conversation: Conversation) -> None:
    event = bob.event(conversation.room, conversation.event_id)
    assert event["content"] == conversation.content
    assert event["sender"] == "@alice:stack.test"


def test_answer_arrives(alice: Session, bob: Session, conversation: Conversation) -> None:
    event_id = bob.send(conversation.room, "m.room.message", {"msgtype": "m.text", "body": "Moin"})
    assert alice.wait_for_event(conversation.room, event_id)["content"]["body"] == "Moin"


def test_encrypted_room(alice: Session, bob: Session) -> None:
    room = alice.create_room("sealed", encrypted=True)
    assert alice.state(room, "m.room.encryption") == {"algorithm": "m.megolm.v1.aes-sha2"}
    alice.invite(room, bob.user_id)
    bob.wait_for_invite(room)
    eventually("bob's join", lambda: bob.join(room))
    # The server carries what it cannot read, so any text does.
    content = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg",
        "device_id": alice.device_id,
        "sender_key": "IlRMeOPX2e0MurIyfWEucYBRVOEEUMrOHqn/8mLqMjA",
        "session_id": "X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ",
    }
    event_id = alice.send(room, "m.room.encrypted", content)
    assert bob.wait_for_event(room, event_id)["content"] == content


def test_plain_room_is_not_encrypted(alice: Session, conversation: Conversation) -> None:
    try:
        alice.state(conversation.room, "m.room.encryption")
    except MatrixError as error:
        assert (error.status, error.errcode) == (404, "M_NOT_FOUND")
    else:
        raise AssertionError("the room is encrypted, and nobody asked for that")


def test_worker_serves_syncs(running: Stack, bob: Session, conversation: Conversation) -> None:
    bob.sync()
    line = re.compile(r"Processed request.*GET /_matrix/client/v3/sync")
    said = running.compose.logs(description.WORKERS[0])
    assert line.search(said), "the gateway sent no sync to the worker"
    assert not line.search(running.compose.logs("synapse")), "the main process served a sync"
